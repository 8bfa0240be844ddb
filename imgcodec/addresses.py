"""How many addresses this process may have, and whether that is enough for a model."""

import sys

if sys.platform != "win32":
    import resource  # at once: when memory is short, nothing can be imported

MEBIBYTE = 2**20
LEAST = 512
"""MiB. No model runs in fewer, and where fewer are left OpenBLAS ends the process, with a sentence of its own."""


def limit() -> int | None:
    """The process's limit on addresses in MiB, as `ulimit -v` sets it; None where there is none."""
    if sys.platform == "win32":
        return None
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if most == resource.RLIM_INFINITY else most // MEBIBYTE


def check_addresses() -> None:
    """Raises MemoryError where there are too few for any model."""
    most = limit()
    if most is not None and most < LEAST:
        raise MemoryError(f"This process may have {most} MiB of addresses; a model needs more than {LEAST}.")
