"""A model of the profile `photo`: tokenizer, integer prior and frequency tables, under one id."""

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from imgcodec.bitstream.entropy import FrequencyTables
from imgcodec.bitstream.header import Tune
from imgcodec.model_file.integer_prior import exact_prior, stored_integer
from imgcodec.model_file.model import ModelFile, model_metadata, move_and_self_test, open_model
from imgcodec.model_file.torch_tensors import fill
from imgcodec.model_file.untrusted import as_model_error, checked_config
from imgcodec.priors.integer import exact
from imgcodec.priors.photo.config import PhotoPriorConfig
from imgcodec.priors.photo.tables import SCALES, UNIT, stored_tables
from imgcodec.priors.photo.torch_walk import TorchWalk
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.profiles.photo.torch_transforms import TorchTransforms
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import RVQConfig
from imgcodec.tokenizers.transforms import Synthesis


@dataclass
class PhotoModel:
    """Tokenizer, integer prior and frequency tables that belong together, on a device.

    lambdas: bits per squared error, of what qualities 0 and 100 were trained for.
    """

    name: str
    id: bytes
    tokenizer: ResidualVQ
    prior: PhotoPrior
    tables: FrequencyTables
    device: torch.device
    lambdas: tuple[float, float]

    @property
    def transforms(self) -> TorchTransforms:
        return TorchTransforms(self.tokenizer, self.device)

    @property
    def prior_config(self) -> PhotoPriorConfig:
        return self.prior.config

    @property
    def walk(self) -> TorchWalk:
        return TorchWalk(self.prior)

    def in_torch(self) -> "PhotoModel":
        """It is."""
        return self

    def synthesis(self, tune: Tune) -> Synthesis:
        """The synthesis of a tune."""
        visual = self.tokenizer.visual
        return self.tokenizer.synthesis if visual is None or tune == Tune.PSNR else visual


def load_photo_model(name_or_path: str, device: torch.device | str = "cpu") -> PhotoModel:
    """The model of that name or path.

    Raises ModelNotFoundError where there is none, UnusableModelError if the file is no sound model of this profile or
    if this machine's arithmetic fails the known-answer tests.
    """
    return build_photo_model(open_model(name_or_path), device)


def build_photo_model(file: ModelFile, device: torch.device | str) -> PhotoModel:
    """The model of a file. Raises UnusableModelError as `load_photo_model`."""
    config, tensors = file.config, file.tensors
    with as_model_error(file.name):
        if config["profile"] != "photo":
            raise ValueError("its profile is not photo")
        with torch.device("meta"):  # no memory before the shapes are known to be right
            tokenizer = ResidualVQ(checked_config(RVQConfig, config["tokenizer"]))
            prior = PhotoPrior(checked_config(PhotoPriorConfig, config["prior"]))
        fill(tokenizer, tensors)
        tokenizer.check_tables()
        prior = exact_prior(prior, config["fractions"], tensors)
        exact.check_bounds(prior)
        lowest, highest = config.get("lambdas", (0.0008, 0.1))  # the first models do not say
        lambdas = (float(lowest), float(highest))
        if not 0 < lambdas[0] < lambdas[1] < math.inf:
            raise ValueError("its lambdas are not numbers above 0, the lowest before the highest")
        tables = stored_tables(tensors)
        if tuple(map(sum, prior.config.slices)) != tokenizer.config.channels or len(tables.shift) != SCALES * UNIT:
            raise ValueError("tokenizer, prior and tables do not belong together")
        if prior.config.tunes != 1 + tokenizer.config.visual:
            raise ValueError("tokenizer and prior have different tunes")
    target = move_and_self_test(file, tokenizer, prior, device)
    return PhotoModel(file.name, file.id, tokenizer, prior, tables, target, lambdas)


def photo_model_contents(
    tokenizer: ResidualVQ, prior: PhotoPrior, tables: FrequencyTables, lambdas: tuple[float, float]
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
    return tensors, model_metadata(config, tensors, tokenizer, prior)


def stored_tensors(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """A tokenizer's tensor in the type that a model file stores: float16 where 11 bits matter (linear paths,
    codebooks), bfloat16 for the weights of the nets, float32 for the few that are cheap. Weights of the visual
    synthesis, where decibels matter less, are int8 with a scale per output."""
    if name.startswith("codebooks") or name.endswith("linear.weight"):
        return {name: tensor.half()}
    if tensor.dim() != 4:
        return {name: tensor.float()}
    if not name.startswith("visual."):
        return {name: tensor.bfloat16()}
    scale = scale_of_bytes(tensor)
    return {name: (tensor / scale).round().to(torch.int8), f"{name}.scale": scale.float()}


def scale_of_bytes(weight: Tensor) -> Tensor:
    """(outputs, 1, 1, 1): what weights are divided by, to be stored in 8 bits."""
    return weight.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12) / 127
