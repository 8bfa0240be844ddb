"""The averaged weights of an unfinished run, in a file small enough to keep, so that another machine can continue it.

python -m imgcodec.training.average runs/photo/main.safetensors recipes/photo-average.safetensors
imgcodec train photo --start recipes/photo-average.safetensors --data ...
"""

import json
import sys
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.storage import files

FORMAT = "imgcodec-average-1"
PREFIXES = ("average.", "buffer.")
"""Of what is kept of a checkpoint: averaged weights, and tensors that are not trained."""


def write_average(checkpoint: Path, path: Path) -> None:
    """Writes the averaged weights of a checkpoint: bfloat16 for the weights of nets, float16 for linear paths, whose
    precision is the ceiling of the codec, float32 for the rest, which is small."""
    with safe_open(checkpoint, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(PREFIXES)]  # noqa: SIM118, it is no dict
        tensors = {name.split(".", 1)[1]: file.get_tensor(name) for name in names}
        if not names:
            raise UsageError(f"{checkpoint} is no checkpoint of a training.")
        state = json.loads(file.metadata()["state"])
    for name, tensor in tensors.items():
        if tensor.dim() == 4:
            tensors[name] = tensor.half() if ".linear." in name else tensor.bfloat16()
    told = {"format": FORMAT, "step": str(state["before"] + state["step"]), "minutes": str(state["minutes"])}
    told["settings"] = json.dumps(state.get("settings", {}))
    files.write(path, save(tensors, told), force=True)


def is_average(path: Path) -> bool:
    """Whether `write_average` wrote this file."""
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (OSError, SafetensorError):
        return False


@torch.no_grad()
def load_average(path: Path, model: nn.Module) -> int:
    """Loads such a file into a model, and returns how many steps its weights have behind them. Raises UsageError for
    the weights of a model of other sizes or settings (those of files made before there were any do not count)."""
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    with safe_open(path, framework="pt") as file:
        settings = json.loads(file.metadata().get("settings", "{}"))
        if settings and settings != getattr(model, "settings", {}):
            raise UsageError(f"The weights in {path} were made with {settings} in the recipe.")
        for name in file.keys():  # noqa: SIM118
            tensor = file.get_tensor(name)
            if name not in tensors or tensors[name].shape != tensor.shape:
                raise UsageError(f"The weights in {path} have other sizes than the recipe.")
            tensors[name].copy_(tensor)
        return int(file.metadata()["step"])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m imgcodec.training.average CHECKPOINT FILE")
    try:
        write_average(Path(sys.argv[1]), Path(sys.argv[2]))
    except (CodecError, OSError, SafetensorError) as error:
        sys.exit(str(error))
