"""A model of the profile `semantic`: encoder, quantizer, prior and decoder, under one id."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from imgcodec.model_file.contents import FORMAT
from imgcodec.model_file.model import ModelFile, check_answers, exact_picture
from imgcodec.model_file.torch_tensors import checked, fill
from imgcodec.model_file.untrusted import as_model_error, checked_config
from imgcodec.priors.channel import ChannelPrior, known_bytes
from imgcodec.tokenizers.clip import ClipConfig, ClipEncoder
from imgcodec.tokenizers.features import FeatureConfig, FeatureEncoder
from imgcodec.tokenizers.known_inputs import as_text
from imgcodec.tokenizers.semantic import DecoderConfig, Encoder, SemanticTokenizer
from imgcodec.tokenizers.upscaler import UpscalerConfig

LARGEST_SIDE = 1024  # pixels that an encoder looks at or a decoder draws, each way
LARGEST_DIM = 4096


@dataclass
class SemanticModel:
    """All that belongs together, on a device. The prior stays on the CPU."""

    name: str
    id: bytes
    tokenizer: SemanticTokenizer
    prior: ChannelPrior
    device: torch.device


def build_semantic_model(file: ModelFile, device: torch.device | str) -> SemanticModel:
    """The model of a file. Raises UnusableModelError if it is not sound, or if this machine's arithmetic fails its
    known-answer test."""
    with as_model_error(file.name):
        with torch.device("meta"):  # no memory before the shapes are known to be right
            parts = (file.config["features"], file.config["decoder"], file.config.get("upscaler"))
            tokenizer = build_tokenizer(*parts)
        fill(tokenizer, file.tensors)
        if not bool((tokenizer.quantizer.scale > 0).all()):
            raise ValueError("a scale of its quantizer is not above 0")
        prior = ChannelPrior(tokenizer.encoder.dim)
        prior.set_weights(checked(file.tensors, "prior.weights", prior.weights.shape).int())
        answer = known_bytes(prior)
    target = torch.device(device)
    tokenizer.eval().requires_grad_(False).to(target)
    check_answers(file, answer, tokenizer)
    return SemanticModel(file.name, file.id, tokenizer, prior, target)


def build_tokenizer(
    features: Mapping[str, Any], decoder: Mapping[str, Any], upscaler: Mapping[str, Any] | None = None
) -> SemanticTokenizer:
    """From the configurations of a model file or a recipe; `kind` of features is shipped or open_clip. Raises
    ValueError or TypeError for others."""
    tokenizer = SemanticTokenizer(
        build_encoder(features),
        checked_config(DecoderConfig, decoder),
        None if upscaler is None else checked_config(UpscalerConfig, upscaler),
    )
    largest = max(tokenizer.encoder.side, tokenizer.largest_side)
    if largest > LARGEST_SIDE or tokenizer.encoder.dim > LARGEST_DIM:
        raise ValueError(f"it looks at or draws {largest} pixels, or has {tokenizer.encoder.dim} features: too many")
    return tokenizer


def build_encoder(features: Mapping[str, Any]) -> Encoder:
    """An encoder by its configuration."""
    if not isinstance(features, dict):
        raise ValueError(f"its features are {features!r:.40} instead of an object")
    fields = dict(features)
    match fields.pop("kind", None):
        case "shipped":
            return FeatureEncoder(checked_config(FeatureConfig, fields))
        case "open_clip":
            return ClipEncoder(checked_config(ClipConfig, fields))
        case kind:
            raise ValueError(f"there is no encoder {kind!r:.40}")


def encoder_config(encoder: Encoder) -> dict[str, Any]:
    """The configuration that `build_encoder` takes."""
    kind = "open_clip" if isinstance(encoder, ClipEncoder) else "shipped"
    return {"kind": kind, **asdict(encoder.config)}


def semantic_model_contents(
    tokenizer: SemanticTokenizer, prior: ChannelPrior
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a model file."""
    tensors: dict[str, Tensor] = {"prior.weights": prior.weights}
    for name, tensor in tokenizer.state_dict().items():
        tensors |= _stored(f"tokenizer.{name}", tensor)
    config = {
        "profile": "semantic",
        "features": encoder_config(tokenizer.encoder),
        "decoder": asdict(tokenizer.decoder.config),
    }
    if tokenizer.upscaler is not None:
        config["upscaler"] = asdict(tokenizer.upscaler.config)
    return tensors, {
        "format": FORMAT, "config": json.dumps(config, sort_keys=True), "answer": known_bytes(prior),
        "picture": as_text(exact_picture(tokenizer)),
    }  # fmt: skip


def _stored(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """A tensor as a model file stores it: weights as integers of 8 bits, with a scale for each output; vectors in
    float32."""
    if tensor.dim() < 2:
        return {name: tensor.float()}
    scale = (tensor.flatten(1).abs().amax(1) / 127).clamp(min=1e-12).reshape(-1, *(1 for _ in tensor.shape[1:]))
    return {name: (tensor / scale).round().clamp(-127, 127).to(torch.int8), f"{name}.scale": scale.float()}


@torch.no_grad()
def round_as_stored(module: nn.Module) -> None:
    """Rounds weights, in place, to those that they will be when they are read from a model file."""
    for name, tensor in module.state_dict().items():
        parts = _stored(name, tensor)
        tensor.copy_(parts[name].float() * parts.get(f"{name}.scale", 1))
