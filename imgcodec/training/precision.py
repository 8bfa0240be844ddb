"""The precision in which networks train."""

import torch

from imgcodec.speed import bfloat16_is_native


def mixed_precision(device: torch.device, mixed: bool = True) -> torch.autocast:
    """A context in which convolutions and matrix products run in bfloat16, if `mixed`, and if the device has
    instructions for that: a CPU without them emulates them, ten times slower than float32 is."""
    return torch.autocast(device.type, torch.bfloat16, mixed and (device.type != "cpu" or bfloat16_is_native()))
