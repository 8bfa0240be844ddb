"""A model: configuration, tensors and id. Loading and verifying it.

A model is one safetensors file. Its metadata hold the configuration and the answer of a known-answer test; its tensors
are stored in the types they are used in: int8 and int32 for the prior, 16-bit floats for the transforms.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from imgcodec.bitstream.entropy import FrequencyTables
from imgcodec.bitstream.errors import CodecError
from imgcodec.bitstream.header import QUALITY_MAX, Header, Tune
from imgcodec.model_file.find import LARGEST_FILE, codebook_id, find_model
from imgcodec.model_file.integer_prior import exact_prior, stored_integer
from imgcodec.model_file.untrusted import fill, read_tensors, sizes, soundness
from imgcodec.priors.integer import exact
from imgcodec.priors.integer.known_answer import known_answer
from imgcodec.priors.photo.tables import SCALES, UNIT
from imgcodec.priors.photo.transformer import Prior, PriorConfig
from imgcodec.storage import files
from imgcodec.tokenizers.rvq import ResidualVQ, RVQConfig, Synthesis

FORMAT = "imgcodec-model-1"
LARGEST_CONFIG = 2**20  # characters


@dataclass
class PhotoModel:
    """Tokenizer, integer prior and frequency tables that belong together, under one id."""

    name: str
    id: bytes
    tokenizer: ResidualVQ
    prior: Prior
    tables: FrequencyTables
    device: torch.device
    lambdas: tuple[float, float]

    def level(self, header: Header) -> float:
        """The level of a header's quality; those of the visual tune follow those of the other."""
        levels = self.tokenizer.config.levels
        return header.tune * levels + header.quality / QUALITY_MAX * (levels - 1)

    def synthesis(self, tune: Tune) -> Synthesis:
        """That of a tune."""
        visual = self.tokenizer.visual
        return self.tokenizer.synthesis if visual is None or tune == Tune.PSNR else visual


def photo_model(
    tokenizer: ResidualVQ, prior: Prior, tables: FrequencyTables, lambdas: tuple[float, float]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a model file, from a trained tokenizer and an exported prior. lambdas: what qualities 0
    and 100 were trained for."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in tokenizer.state_dict().items():
        tensors |= {f"tokenizer.{n}": t for n, t in stored_tensors(name, tensor).items()}
    tensors |= {f"prior.{n}": stored_integer(n, t) for n, t in prior.state_dict().items()}
    tensors["tables.weights"] = torch.from_numpy(tables.weights.astype(np.int32))
    tensors["tables.shift"] = torch.from_numpy(tables.shift.astype(np.uint8))
    config = {
        "profile": "photo", "lambdas": lambdas, "fractions": exact.operand_fractions(prior),
        "tokenizer": asdict(tokenizer.config), "prior": asdict(prior.config),
    }  # fmt: skip
    return tensors, {"format": FORMAT, "config": json.dumps(config, sort_keys=True), "answer": known_answer(prior)}


def save_model(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Writes a model file, whole or not at all; returns its id."""
    files.write(path, save({n: t.contiguous() for n, t in tensors.items()}, metadata), force=True)
    return model_id(tensors, metadata)


def model_id(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The codebook id of a file with these tensors and metadata."""
    stored = (
        (name, str(tensor.dtype), tuple(tensor.shape), tensor.flatten().clone().view(torch.uint8).numpy())
        for name, tensor in tensors.items()
    )
    return codebook_id(metadata.get("config", ""), stored)


@dataclass
class ModelFile:
    """What is in a model file, before anything is built of it."""

    name: str
    id: bytes
    tensors: dict[str, Tensor]
    config: dict[str, Any]
    answer: str | None


def open_model(name_or_path: str | Path) -> ModelFile:
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


def settle(file: ModelFile, tokenizer: nn.Module, prior: nn.Module, device: torch.device | str) -> torch.device:
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


def load_photo_model(name_or_path: str, device: torch.device | str = "cpu") -> PhotoModel:
    """Reads, checks and builds a model.

    Raises ModelNotFoundError if there is no such model, CodecError if the file is no sound model of this profile or if
    this machine's arithmetic fails the known-answer test.
    """
    return build_photo_model(open_model(name_or_path), device)


def build_photo_model(file: ModelFile, device: torch.device | str) -> PhotoModel:
    """As `load_photo_model`, of a file that is read already."""
    config, tensors = file.config, file.tensors
    with soundness(file.name):
        if config["profile"] != "photo":
            raise ValueError("unknown format or profile")
        with torch.device("meta"):  # no memory before the shapes are known to be right
            tokenizer = ResidualVQ(RVQConfig(**sizes(config["tokenizer"])))
            prior = Prior(PriorConfig(**sizes(config["prior"])))
        fill(tokenizer, tensors)
        tokenizer.check_codebooks()
        prior = exact_prior(prior, config["fractions"], tensors)
        exact.check_bounds(prior)
        lowest, highest = config.get("lambdas", (0.0008, 0.1))  # the first models do not say
        lambdas = (float(lowest), float(highest))
        tables = FrequencyTables(tensors["tables.weights"].numpy().astype(np.uint32), tensors["tables.shift"].numpy())
        if tuple(map(sum, prior.config.slices)) != tokenizer.config.channels or len(tables.shift) != SCALES * UNIT:
            raise ValueError("tokenizer, prior and tables do not belong together")
        if prior.config.tunes != 1 + tokenizer.config.visual:
            raise ValueError("tokenizer and prior have different tunes")
    target = settle(file, tokenizer, prior, device)
    return PhotoModel(file.name, file.id, tokenizer, prior, tables, target, lambdas)


def stored_tensors(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """A tokenizer's tensor in the type that the file has: float16 where 11 bits matter (linear paths, codebooks),
    bfloat16 for the weights of the nets, float32 for the few that are cheap. Weights of the visual synthesis, whose
    pictures need not be near in decibels, are int8 with a scale for each output."""
    if name.startswith("codebooks") or name.endswith("linear.weight"):
        return {name: tensor.half()}
    if tensor.dim() != 4:
        return {name: tensor.float()}
    if not name.startswith("visual."):
        return {name: tensor.bfloat16()}
    scale = tensor.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12) / 127
    return {name: (tensor / scale).round().to(torch.int8), f"{name}.scale": scale.float()}
