"""A model of the profile `raster`: tokenizer and integer prior, under one id."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from imgcodec.bitstream.errors import UsageError
from imgcodec.model_file.integer_prior import exact_prior, stored_integer
from imgcodec.model_file.model import ModelFile, model_metadata, move_and_self_test
from imgcodec.model_file.torch_tensors import fill
from imgcodec.model_file.untrusted import as_model_error, checked_config
from imgcodec.priors.integer import exact
from imgcodec.priors.raster.pixelcnn import PixelCNN, PixelCNNConfig
from imgcodec.priors.raster.transformer import RasterTransformer, RasterTransformerConfig
from imgcodec.profiles.raster.layout import TILE
from imgcodec.tokenizers.bsq import BSQConfig, BSQTokenizer
from imgcodec.tokenizers.snac import SNAC, SNACConfig
from imgcodec.tokenizers.vq import ScalableVQVAE, VQConfig

Tokenizer = SNAC | ScalableVQVAE | BSQTokenizer
Prior = RasterTransformer | PixelCNN


@dataclass
class RasterModel:
    """Tokenizer and integer prior that belong together, on a device."""

    name: str
    id: bytes
    tokenizer: Tokenizer
    prior: Prior
    device: torch.device


def build_raster_model(file: ModelFile, device: torch.device | str) -> RasterModel:
    """The model of a file. Raises UnusableModelError if it is not sound, or if this machine's arithmetic fails its
    known-answer tests."""
    with as_model_error(file.name):
        parts = file.config["tokenizer"], file.config["prior"]
        with torch.device("meta"):  # no memory before the shapes are known to be right
            tokenizer, prior = build_tokenizer(parts[0]), build_prior(parts[1])
        check_pair(tokenizer, prior)
        fill(tokenizer, file.tensors)
        prior = exact_prior(prior, file.config["fractions"], file.tensors)
        exact.check_bounds(prior)
    target = move_and_self_test(file, tokenizer, prior, device)
    return RasterModel(file.name, file.id, tokenizer, prior, target)


def build_tokenizer(config: Mapping[str, Any]) -> Tokenizer:
    """A tokenizer from `kind` and the fields of its configuration. Raises ValueError or TypeError for others."""
    fields = dict(config)
    match fields.pop("kind"):
        case "snac":
            return SNAC(checked_config(SNACConfig, fields))
        case "vq":
            return ScalableVQVAE(checked_config(VQConfig, fields))
        case "bsq":
            return BSQTokenizer(checked_config(BSQConfig, fields))
        case kind:
            raise ValueError(f"there is no raster tokenizer {kind!r}")


def build_prior(config: Mapping[str, Any]) -> Prior:
    """A prior from `kind` and the fields of its configuration. Raises ValueError or TypeError for others."""
    fields = dict(config)
    match fields.pop("kind"):
        case "raster":
            return RasterTransformer(checked_config(RasterTransformerConfig, fields))
        case "pixelcnn":
            return PixelCNN(checked_config(PixelCNNConfig, fields))
        case kind:
            raise ValueError(f"there is no raster prior {kind!r}")


def check_pair(tokenizer: Tokenizer, prior: Prior) -> None:
    """Raises UsageError, in one sentence, for a tokenizer and a prior that make no sense together."""
    sides = tuple(TILE // stride for stride in tokenizer.strides)
    names = f"The tokenizer {kind_of(tokenizer)} and the prior {kind_of(prior)} do not go together"
    if len(prior.sides) != len(sides):
        raise UsageError(f"{names}: the one has {len(sides)} stages, the other takes {len(prior.sides)}.")
    if prior.sides != sides:
        raise UsageError(f"{names}: a tile has {sides} tokens a side, and the prior was made for {prior.sides}.")
    if prior.codebook_size < tokenizer.codebook_size:
        raise UsageError(
            f"{names}: there are {tokenizer.codebook_size} codes, and the prior knows {prior.codebook_size}."
        )


def kind_of(module: Tokenizer | Prior) -> str:
    """The `kind` that recipes and model files call it by."""
    match module:
        case SNAC():
            return "snac"
        case ScalableVQVAE():
            return "vq"
        case BSQTokenizer():
            return "bsq"
        case RasterTransformer():
            return "raster"
        case PixelCNN():
            return "pixelcnn"


def raster_model_contents(profile: str, tokenizer: Tokenizer, prior: Prior) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a model file, from a trained tokenizer and an exported prior. profile: `raster`, or one
    of its retired names."""
    tensors = {f"tokenizer.{n}": _stored(n, t) for n, t in tokenizer.state_dict().items()}
    tensors |= {f"prior.{n}": stored_integer(n, t) for n, t in prior.state_dict().items()}
    config = {
        "profile": profile,
        "fractions": exact.operand_fractions(prior),
        "tokenizer": {"kind": kind_of(tokenizer), **asdict(tokenizer.config)},
        "prior": {"kind": kind_of(prior), **asdict(prior.config)},
    }
    return tensors, model_metadata(config, tensors, tokenizer, prior)


def _stored(name: str, tensor: Tensor) -> Tensor:
    """A tokenizer's tensor in the type that a model file stores: float16 where 11 bits matter (linear paths, codebooks,
    projections), bfloat16 for other weights, float32 for the few that are cheap."""
    if tensor.dim() < 2:
        return tensor.float()
    return tensor.half() if "linear" in name or "quantizer" in name else tensor.bfloat16()


@torch.no_grad()
def round_as_stored(tokenizer: Tokenizer) -> None:
    """Rounds a tokenizer's weights, in place, to those that it will have when it is read from a model file."""
    for name, tensor in tokenizer.state_dict().items():
        tensor.copy_(_stored(name, tensor))
