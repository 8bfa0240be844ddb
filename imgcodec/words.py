"""Words of messages that depend on a number."""


def counted(count: int, noun: str) -> str:
    """A number with its noun, which is regular: `1 picture`, `3 pictures`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
