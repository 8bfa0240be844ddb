"""Too little memory, in a sentence that tells how much there has to be."""

import re

from imgcodec.addresses import limit

WORDS = re.compile(
    r"allocate memory|bad_alloc|out of memory|not enough memory|failed to map segment|start new thread|MemoryError"
    r"|unable to mmap|pthread_create|allocate [\d.]+ \w+ for an array|could not create a primitive$",
    re.IGNORECASE,
)
"""What PyTorch, ONNX Runtime, NumPy, safetensors and the loader of libraries say."""


def is_short(error: BaseException | None) -> bool:
    """Whether an error, or the one that it was raised from, comes from too little memory."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError):
            return True
        if type(error).__name__ == "PanicException" and "pointer is null" in str(error):  # Rust's, in safetensors
            return True
        of_engine = type(error).__module__.startswith("onnxruntime")  # whose errors are plain Exceptions
        if (isinstance(error, RuntimeError | OSError | ImportError) or of_engine) and WORDS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def needs() -> str:
    """What a command needs (`benchmarks/memory.py`; addresses, which `ulimit -v` limits, are more than memory)."""
    most = limit()
    may = "" if most is None else f" (this process may have {most} MiB)"
    return (
        f"There is too little memory{may}: a command needs about 900 MiB, 1500 of addresses, and 10 bytes for "
        "each pixel, and up to 2000 MiB more for more effort."
    )
