"""Where models run: what the user names, as a device that is there."""

from numbers import Integral

import torch

from imgcodec.bitstream.errors import UsageError


def resolve_device(device: torch.device | str | int) -> torch.device:
    """cpu, cuda, cuda:1, mps, auto, a torch.device or a GPU's number -> the device. auto: a GPU where there is one.

    Raises UsageError for a device that is not there.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    count = {"cpu": 1, "cuda": torch.cuda.device_count() if cuda else 0, "mps": int(mps)}
    if isinstance(device, str) and device == "auto":
        device = "cuda" if cuda else "mps" if mps else "cpu"
    if isinstance(device, Integral):
        device = f"cuda:{device}"
    try:
        found = torch.device(device) if isinstance(device, str | torch.device) else None
    except RuntimeError:  # no name of a device
        found = None
    if found is None or (found.index or 0) >= count.get(found.type, 0):
        raise UsageError(f"There is no device {str(device)[:40]!r} here; devices are cpu, cuda, cuda:1, mps and auto.")
    return found
