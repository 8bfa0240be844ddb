"""What makes the floating-point side faster on a processor, and changes no token.

Both are measured by `benchmarks/speed.py`; the log has what each gained.
"""

import ctypes
import sys
from functools import cache
from threading import Thread
from typing import TYPE_CHECKING

from imgcodec.parallel import Threads

if TYPE_CHECKING:
    import torch

MMAP_THRESHOLD = 2**25  # glibc's largest
TRIM_THRESHOLD = 2**28
ARENAS = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of malloc.h


@cache
def keep_freed_memory() -> None:
    """Tells glibc to keep freed blocks of up to 32 MiB, 256 MiB in all, for the process's next ones, of any thread.

    By default it gives each back to the system at once, and the system clears the page when it comes again: a quarter
    of the time in which a prior walks over tokens, because its tensors are just that large. And it would keep
    blocks for each thread apart, a gigabyte after some large pictures. Elsewhere there is nothing to tell.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD)
            mallopt(_M_TRIM_THRESHOLD, TRIM_THRESHOLD)
            mallopt(_M_ARENA_MAX, ARENAS)


def torch_threads(device: "torch.device") -> Threads:
    """Those of PyTorch on a device; one where that is no CPU, for more would take more of its memory."""
    import torch

    return Threads(torch.get_num_threads if device.type == "cpu" else lambda: 1, _take_one_of_torch)


def _take_one_of_torch(before: int) -> None:
    """See `Threads`. What is set last is also what all threads begin with that have not computed yet; so another thread
    sets that again to what it was."""
    import torch

    torch.get_num_threads()  # begins, which would undo what is set before
    torch.set_num_threads(1)
    another = Thread(target=torch.set_num_threads, args=(before,))
    another.start()
    another.join()


def reduced_precision(device: "torch.device") -> "torch.autocast":
    """A context in which the convolutions of the transforms run in bfloat16, where the processor has instructions for
    that. Their linear paths stay in float32 (see `imgcodec.tokenizers.rvq`), so pixels move by one gray level at most.
    """
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cpu" and bfloat16_is_native())


@cache
def bfloat16_is_native() -> bool:
    """Whether bfloat16 convolutions are fast here, and allowed: an environment variable may have told oneDNN to use
    older instructions than the processor has."""
    import torch

    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    if supported is None or not supported():
        return False
    try:
        with torch.inference_mode():
            picture, weight = (
                torch.ones(s, dtype=torch.bfloat16, device="cpu") for s in ((1, 16, 4, 4), (16, 16, 3, 3))
            )
            torch.conv2d(picture, weight)
    except RuntimeError:
        return False
    return True
