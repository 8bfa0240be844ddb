"""A model: configuration, tensors and id. Finding, loading and verifying it.

A model is one safetensors file. Its metadata hold the configuration and the answer of a known-answer test; its tensors
are stored in the types they are used in: int8 and int32 for the prior, 16-bit floats for the transforms.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from imgcodec.bitstream.errors import CodecError, ModelNotFoundError
from imgcodec.model_file.untrusted import read_tensors, soundness
from imgcodec.priors.integer.known_answer import known_answer
from imgcodec.storage import files

FORMAT = "imgcodec-model-1"
LARGEST_FILE = 2**28  # bytes
LARGEST_CONFIG = 2**20  # characters


def save_model(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Writes a model file, whole or not at all; returns its id."""
    files.write(path, save({n: t.contiguous() for n, t in tensors.items()}, metadata), force=True)
    return model_id(tensors, metadata)


def model_id(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """First 8 bytes of the SHA-256 of the configuration and, by name, of every tensor's name, type, shape and
    little-endian bytes."""
    digest = hashlib.sha256(metadata.get("config", "").encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().clone().view(torch.uint8).numpy().tobytes())
    return digest.digest()[:8]


def find_model(name_or_path: str) -> Path:
    """The file of an installed model, or the path itself. Raises ModelNotFoundError."""
    if name_or_path.endswith(".safetensors"):
        path = Path(name_or_path)
    else:
        path = Path(str(resources.files("imgcodec.models"))) / f"{name_or_path}.safetensors"
    if not path.is_file():
        raise ModelNotFoundError(f"model {name_or_path!r} is not installed; there are: {', '.join(installed_models())}")
    return path


def installed_models() -> list[str]:
    """Names of the models in the package."""
    folder = Path(str(resources.files("imgcodec.models")))
    return sorted(p.stem for p in folder.glob("*.safetensors"))


def find_model_by_id(id: bytes) -> str:
    """Name of the installed model with that id. Raises ModelNotFoundError.

    Reads the files' tensors but builds no network, so a few milliseconds a model.
    """
    for name in installed_models():
        if model_id(*read_tensors(find_model(name), LARGEST_FILE)) == id:
            return name
    raise ModelNotFoundError(
        f"the file was made with model {id.hex()}, which is not installed; "
        "install the release of imgcodec that made it, or pass its weights with --model"
    )


@dataclass
class ModelFile:
    """What is in a model file, before anything is built of it."""

    name: str
    id: bytes
    tensors: dict[str, Tensor]
    config: dict[str, Any]
    answer: str | None


def open_model(name_or_path: str) -> ModelFile:
    """Reads a model file. Raises ModelNotFoundError if there is no such model, CodecError if the file is none."""
    path = find_model(name_or_path)
    tensors, metadata = read_tensors(path, LARGEST_FILE)
    with soundness(path.stem):
        if len(metadata["config"]) > LARGEST_CONFIG:
            raise ValueError("its configuration is too long")
        config = json.loads(metadata["config"])
        if metadata.get("format") != FORMAT or not isinstance(config["profile"], str):
            raise ValueError("unknown format or profile")
    return ModelFile(path.stem, model_id(tensors, metadata), tensors, config, metadata.get("answer"))


def settle(file: ModelFile, tokenizer: nn.Module, prior: nn.Module, device: str) -> torch.device:
    """Takes tokenizer and integer prior to their device. Raises CodecError if this machine's arithmetic fails the
    known-answer test there."""
    target = torch.device(device)
    tokenizer.eval().requires_grad_(False).to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    # no float64 on Apple's GPUs, so there the prior stays on the CPU
    place = torch.device("cpu") if target.type == "mps" else target
    prior.eval().to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if known_answer(prior) != file.answer:
        raise CodecError(
            f"this machine computes {file.name} differently from the one that made it: nothing can be coded safely"
        )
    return target
