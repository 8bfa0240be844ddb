"""Model files: configuration, tensors and id. Reading, writing and verifying them.

A model is one safetensors file. Its metadata hold the configuration and the answer of the known-answer test; its
tensors have the types that they are used in: int8 and int32 for the prior, 16-bit floats for the transforms.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from imgcodec.bitstream.errors import CodecError
from imgcodec.model_file.find import LARGEST_FILE, codebook_id, find_model
from imgcodec.model_file.untrusted import as_model_error, read_tensors
from imgcodec.priors.integer.known_answer import known_answer
from imgcodec.storage import files

FORMAT = "imgcodec-model-1"
LARGEST_CONFIG = 2**20  # characters


def save_model(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Writes a model file, whole or not at all, and returns its id. Raises CodecError where that fails."""
    files.write(path, save({n: t.contiguous() for n, t in tensors.items()}, metadata), force=True)
    return model_id(tensors, metadata)


def model_id(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The codebook id, 8 bytes, of a model file with these tensors and metadata."""
    stored = (
        (name, str(tensor.dtype), tuple(tensor.shape), tensor.flatten().clone().view(torch.uint8).numpy())
        for name, tensor in tensors.items()
    )
    return codebook_id(metadata.get("config", ""), stored)


@dataclass
class ModelFile:
    """The contents of a model file, before anything is built of them.

    name: that of the file, without its suffix. config: from the metadata; its `profile` is a string, nothing else in it
    is checked. answer: of the known-answer test, None where the file has none.
    """

    name: str
    id: bytes
    tensors: dict[str, Tensor]
    config: dict[str, Any]
    answer: str | None


def open_model(name_or_path: str | Path) -> ModelFile:
    """Reads a model file, by name or path. Raises ModelNotFoundError where there is none, CodecError for a file that is
    no model."""
    path = find_model(name_or_path)
    tensors, metadata = read_tensors(path, LARGEST_FILE)
    with as_model_error(path.stem):
        if len(metadata["config"]) > LARGEST_CONFIG:
            raise ValueError("its configuration is too long")
        config = json.loads(metadata["config"])
        if metadata.get("format") != FORMAT or not isinstance(config["profile"], str):
            raise ValueError("unknown format or profile")
    return ModelFile(path.stem, model_id(tensors, metadata), tensors, config, metadata.get("answer"))


def move_and_self_test(
    file: ModelFile, tokenizer: nn.Module, prior: nn.Module, device: torch.device | str
) -> torch.device:
    """Moves tokenizer and integer prior to a device, ready to be used, and runs the known-answer test there. Returns
    the tokenizer's device. Raises CodecError if this machine's arithmetic fails the test."""
    target = torch.device(device)
    tokenizer.eval().requires_grad_(False).to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Apple's GPUs have no float64, so there the prior stays on the CPU
    prior_device = torch.device("cpu") if target.type == "mps" else target
    prior.eval().to(prior_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if known_answer(prior) != file.answer:
        raise CodecError(
            f"This machine computes {file.name} differently from the one that made it: nothing can be coded safely."
        )
    return target
