"""What a net costs."""

from torch.utils.flop_counter import FlopCounterMode


def multiplications(run):
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 2
