"""Model files in PyTorch: reading, writing and verifying them. `imgcodec.model_file.contents` says what is in one."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from imgcodec.bitstream.header import CODEBOOK_ID_BYTES
from imgcodec.model_file.contents import FORMAT, ModelContents, open_contents
from imgcodec.model_file.find import digest_of_contents
from imgcodec.model_file.torch_tensors import as_torch, fill
from imgcodec.model_file.untrusted import computes_differently
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.integer.known_answer import known_answer
from imgcodec.storage import files
from imgcodec.tokenizers.known_inputs import as_text, is_same
from imgcodec.tokenizers.known_picture import known_picture


def save_model(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Writes a model file with its digest, whole or not at all, and returns its id. Raises CodecError where that
    fails."""
    digest = model_digest(tensors, metadata)
    with_digest = {**metadata, "digest": digest.hex()}
    files.write(path, save({n: t.contiguous() for n, t in tensors.items()}, with_digest), force=True)
    return digest[:CODEBOOK_ID_BYTES]


def model_metadata(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], tokenizer: nn.Module, prior: nn.Module
) -> dict[str, str]:
    """Metadata of a model file, but for its digest: the configuration, and what tokenizer and exact prior compute. Of
    the tokenizer's weights those count that are in `tensors`, rounded as they are stored."""
    stored = copy.deepcopy(tokenizer)
    fill(stored, tensors)
    return {
        "format": FORMAT,
        "config": json.dumps(config, sort_keys=True),
        "answer": known_answer(prior),
        "picture": as_text(exact_picture(stored.eval())),
    }


def model_digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The digest, 32 bytes, of a model file with these tensors and metadata; the first 8 are its codebook id."""
    stored = (
        (name, str(tensor.dtype), tuple(tensor.shape), tensor.flatten().clone().view(torch.uint8).numpy())
        for name, tensor in tensors.items()
    )
    return digest_of_contents(metadata.get("config", ""), stored)


@dataclass
class ModelFile:
    """`ModelContents` with tensors of PyTorch."""

    name: str
    id: bytes
    tensors: dict[str, Tensor]
    config: dict[str, Any]
    has_digest: bool
    answer: str | None
    picture: str | None

    @classmethod
    def of(cls, contents: ModelContents) -> "ModelFile":
        return cls(**{**vars(contents), "tensors": as_torch(contents.tensors)})


def open_model(name_or_path: str | Path) -> ModelFile:
    """As `open_contents`."""
    return ModelFile.of(open_contents(name_or_path))


def move_and_self_test(
    file: ModelFile, tokenizer: nn.Module, prior: nn.Module, device: torch.device | str
) -> torch.device:
    """Moves tokenizer and integer prior to a device, ready to be used, and runs the known-answer tests there. Returns
    the tokenizer's device. Raises UnusableModelError if this machine's arithmetic fails them."""
    target = torch.device(device)
    tokenizer.eval().requires_grad_(False).to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Apple's GPUs have no float64, so there the prior stays on the CPU
    prior_device = torch.device("cpu") if target.type == "mps" else target
    prior.eval().to(prior_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    check_answers(file, known_answer(prior), tokenizer)
    return target


def exact_picture(tokenizer: nn.Module) -> NDArray[np.uint8]:
    """The known picture without TF32 and bfloat16: its tolerance is for machines, not for settings."""
    with exact_arithmetic():
        return known_picture(tokenizer)


def check_answers(file: ModelFile, answer: str, tokenizer: nn.Module) -> None:
    """The known-answer tests. answer: what the prior gives here. Raises UnusableModelError where that or what the
    tokenizer computes is not what the file says."""
    if answer != file.answer or (file.picture and not is_same(exact_picture(tokenizer), file.picture)):
        raise computes_differently(file.name)
