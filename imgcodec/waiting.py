"""How threads wait, which has to be said before torch is imported; and forked children, which have none."""

import os
import sys


def wait_passively() -> None:
    """Lets OpenMP's threads sleep while they wait, unless the user has said how they should.

    By default they spin. On a processor that has other work too, a laptop's or a container's with a quota, a thread
    that spins takes the time of the one it waits for: a command took four times as long there. On an idle one sleeping
    costs nothing with AVX2 and a quarter of PyTorch's speed with AVX-512 and bfloat16, in pictures of one tile alone:
    others have a thread each (`imgcodec.parallel`). ONNX Runtime has threads of its own (docs/log.md). Where torch is
    imported already, it is too late.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def compute_alone() -> None:
    """In a forked child: computes with one thread from now on.

    GNU's OpenMP keeps its threads from one computation to the next. A child has none of them, and would wait for them
    for ever. `torch.set_num_threads` can be called again in a child whose parent has not computed before it forked.
    """
    if "imgcodec.codec" in sys.modules and "torch" in sys.modules:  # else nothing here has computed with OpenMP
        sys.modules["torch"].set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=compute_alone)
