"""How threads wait for each other. It has to be said before torch is imported."""

import os
import sys


def wait_passively() -> None:
    """Lets OpenMP's threads sleep while they wait, unless the user has said how they should.

    By default they spin. On a processor that has other work too, a laptop's or a container's with a quota, a thread
    that spins takes the time of the one it waits for: a command took four times as long there. On an idle one it costs
    nothing (docs/log.md). Where torch is imported already, it is too late.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
