"""Too little memory, in a sentence that tells how much there has to be."""

import re
import sys

if sys.platform != "win32":
    import resource  # at once: when memory is short, nothing can be imported

MEBIBYTE = 2**20
WORDS = re.compile(
    r"allocate memory|bad_alloc|out of memory|not enough memory|failed to map segment|start new thread|MemoryError"
    r"|unable to mmap|pthread_create|allocate [\d.]+ \w+ for an array",
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
    limit = _limit()
    may = "" if limit is None else f" (this process may have {limit} MiB)"
    return (
        f"There is too little memory{may}: a command needs about 900 MiB and 10 bytes for each pixel, "
        "and up to 2000 MiB more for more effort."
    )


def _limit() -> int | None:
    """The process's limit on addresses in MiB."""
    if sys.platform == "win32":
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit // MEBIBYTE
