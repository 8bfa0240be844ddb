"""A model: configuration, tensors and id. Finding, loading and verifying it.

A model is one safetensors file. Its metadata hold the configuration and the answer of a known-answer test; its tensors
are stored in the types they are used in: int8 and int32 for the prior, 16-bit floats for the transforms.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from imgcodec import files
from imgcodec.bitstream.entropy import FrequencyTables
from imgcodec.bitstream.errors import CodecError, ModelNotFoundError
from imgcodec.priors import exact
from imgcodec.priors.exact_sequence import ExactCausalAttention, ExactDense, ExactTable
from imgcodec.priors.known_answer import known_answer
from imgcodec.priors.layers import Attention, Depthwise, Linear, Rows, TokenCurve
from imgcodec.priors.sequence_layers import CausalAttention, Dense, Gate, Table
from imgcodec.priors.tables import SCALES, UNIT
from imgcodec.priors.transformer import Prior, PriorConfig
from imgcodec.tokenizers.rvq import ResidualVQ, RVQConfig

AnyPrior = TypeVar("AnyPrior", bound=nn.Module)

FORMAT = "imgcodec-model-1"
LARGEST_FILE = 2**28  # bytes
LARGEST_CONFIG = 2**20  # characters
LARGEST_SIZE = 2**13  # of any number in it: channels, codes, blocks
LONGEST_LIST = 64
TYPES = {"I8", "U8", "I32", "F16", "BF16", "F32"}


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


def photo_model(
    tokenizer: ResidualVQ, prior: Prior, tables: FrequencyTables, lambdas: tuple[float, float]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a model file, from a trained tokenizer and an exported prior. lambdas: what qualities 0
    and 100 were trained for."""
    tensors = {f"tokenizer.{n}": _stored(n, t) for n, t in tokenizer.state_dict().items()}
    tensors |= {f"prior.{n}": _integer(n, t) for n, t in prior.state_dict().items()}
    tensors["tables.weights"] = torch.from_numpy(tables.weights.astype(np.int32))
    tensors["tables.shift"] = torch.from_numpy(tables.shift.astype(np.uint8))
    products = {n: m for n, m in prior.named_modules() if isinstance(m, exact.ExactLinear | exact.ExactDepthwise)}
    attention = {n: m for n, m in prior.named_modules() if isinstance(m, exact.ExactAttention)}
    fractions: dict[str, Any] = {n: m.fraction for n, m in products.items() if m.fraction is not None}
    fractions |= {n: m.fractions for n, m in attention.items()}
    config = {
        "profile": "photo", "lambdas": lambdas, "fractions": fractions,
        "tokenizer": asdict(tokenizer.config), "prior": asdict(prior.config),
    }  # fmt: skip
    return tensors, {"format": FORMAT, "config": json.dumps(config, sort_keys=True), "answer": known_answer(prior)}


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
        if model_id(*_read(find_model(name))) == id:
            return name
    raise ModelNotFoundError(
        f"the file was made with model {id.hex()}, which is not installed; "
        "install the release of imgcodec that made it, or pass its weights with --model"
    )


def load_photo_model(name_or_path: str, device: str = "cpu") -> PhotoModel:
    """Reads, checks and builds a model.

    Raises ModelNotFoundError if there is no such model, CodecError if the file is no sound model or if this machine's
    arithmetic fails the known-answer test.
    """
    path = find_model(name_or_path)
    tensors, metadata = _read(path)
    try:
        if len(metadata["config"]) > LARGEST_CONFIG:
            raise ValueError("its configuration is too long")
        config = json.loads(metadata["config"])
        if metadata.get("format") != FORMAT or config["profile"] != "photo":
            raise ValueError("unknown format or profile")
        with torch.device("meta"):  # no memory before the shapes are known to be right
            tokenizer = ResidualVQ(RVQConfig(**_sizes(config["tokenizer"])))
            prior = Prior(PriorConfig(**_sizes(config["prior"])))
        tokenizer = _filled(tokenizer, tensors, "tokenizer.")
        prior = _exact_prior(prior, config["fractions"], tensors)
        exact.check_bounds(prior)
        lowest, highest = config.get("lambdas", (0.0008, 0.1))  # the first models do not say
        lambdas = (float(lowest), float(highest))
        tables = FrequencyTables(tensors["tables.weights"].numpy().astype(np.uint32), tensors["tables.shift"].numpy())
        if tuple(map(sum, prior.config.slices)) != tokenizer.config.channels or len(tables.shift) != SCALES * UNIT:
            raise ValueError("tokenizer, prior and tables do not belong together")
    except KeyError as error:
        raise CodecError(f"{path.name} is not a sound imgcodec model: {error} is missing") from error
    except (TypeError, ValueError, ArithmeticError, RuntimeError, AttributeError) as error:
        raise CodecError(f"{path.name} is not a sound imgcodec model: {error}") from error
    target = torch.device(device)
    tokenizer.eval().requires_grad_(False).to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    # no float64 on Apple's GPUs, so there the prior stays on the CPU
    place = torch.device("cpu") if target.type == "mps" else target
    prior.eval().to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if known_answer(prior) != metadata.get("answer"):
        raise CodecError(
            f"this machine computes {path.stem} differently from the one that made it: nothing can be coded safely"
        )
    return PhotoModel(path.stem, model_id(tensors, metadata), tokenizer, prior, tables, target, lambdas)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file of reasonable size, with nothing in it but the format's types."""
    if path.stat().st_size > LARGEST_FILE:
        raise CodecError(f"{path.name} is too large to be a model")
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            strange = {file.get_slice(name).get_dtype() for name in names} - TYPES
            if strange:
                raise CodecError(f"{path.name} is not a sound imgcodec model: no model has tensors of {min(strange)}")
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CodecError(f"{path.name} is not a safetensors file: {error}") from error


def _stored(name: str, tensor: Tensor) -> Tensor:
    """A tokenizer's tensor in the type that the file has: float16 where 11 bits matter (linear paths, codebooks),
    bfloat16 for the weights of the nets, float32 for the few that are cheap."""
    if name.startswith("codebooks") or name.endswith("linear.weight"):
        return tensor.half()
    return tensor.bfloat16() if tensor.dim() == 4 else tensor.float()


def _integer(name: str, tensor: Tensor) -> Tensor:
    """A prior's tensor in the smallest integer type that it is sure to fit."""
    return tensor.to(torch.int8 if name.endswith(("weight", "shift")) else torch.int32)


def as_tuples(config: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists back to tuples."""

    def convert(value: Any) -> Any:
        return tuple(map(convert, value)) if isinstance(value, list) else value

    return {key: convert(value) for key, value in config.items()}


def _sizes(config: dict[str, Any]) -> dict[str, Any]:
    """A part of a configuration, as tuples. Raises ValueError for anything in it but whole numbers, 0 to LARGEST_SIZE,
    and lists of at most LONGEST_LIST: what is built from them takes no more memory or time than a model does."""

    def check(value: Any) -> None:
        if isinstance(value, list):
            if len(value) > LONGEST_LIST:
                raise ValueError(f"its configuration has a list of {len(value)}")
            for item in value:
                check(item)
        elif not isinstance(value, int) or not 0 <= value <= LARGEST_SIZE:
            raise ValueError(f"its configuration has {value!r:.40} where sizes of 0 to {LARGEST_SIZE} belong")

    check(list(config.values()))
    return as_tuples(config)


def _checked(tensors: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    tensor = tensors[name]
    if tensor.shape != shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)} instead of {tuple(shape)}")
    return tensor.float()


def _filled(tokenizer: ResidualVQ, tensors: Mapping[str, Tensor], prefix: str) -> ResidualVQ:
    """The tokenizer, built on the meta device, with the tensors of the file."""
    state = {n: _checked(tensors, prefix + n, t.shape) for n, t in tokenizer.state_dict().items()}
    tokenizer.load_state_dict(state, assign=True)
    tokenizer.check_codebooks()
    return tokenizer


def _exact_prior(prior: AnyPrior, fractions: dict[str, Any], tensors: Mapping[str, Tensor]) -> AnyPrior:
    """The prior, built on the meta device, with its layers replaced by integer ones from the tensors of the file."""

    def take(name: str, shape: torch.Size) -> Tensor:
        return _checked(tensors, f"prior.{name}", shape)

    def product(name: str, layer: Linear | Depthwise) -> tuple[Tensor, Tensor, Tensor]:
        outputs = layer.bias.shape
        return take(f"{name}.weight", layer.weight.shape), take(f"{name}.bias", outputs), take(f"{name}.shift", outputs)

    def linear(name: str, layer: Linear) -> exact.ExactLinear:
        if layer.operand is None:
            return exact.ExactLinear(*product(name, layer), None, False)
        return exact.ExactLinear(*product(name, layer), fractions[name], layer.operand.positive)

    def dense(name: str, layer: Dense) -> ExactDense:
        return ExactDense(*product(name, layer), fractions[name], layer.operand is not None and layer.operand.positive)

    def convert(module: nn.Module, prefix: str) -> None:
        for child_name, child in module.named_children():
            name = prefix + child_name
            match child:
                case Dense():
                    exact_layer: nn.Module = dense(name, child)
                case CausalAttention():
                    query, key, value = fractions[name]
                    exact_layer = ExactCausalAttention(
                        dense(f"{name}.project", child.project), dense(f"{name}.merge", child.merge),
                        (query, key, value), child.heads, child.context,
                    )  # fmt: skip
                case Table():
                    weight = take(f"{name}.weight", child.weight.shape)
                    exact_layer = ExactTable(weight, take(f"{name}.shift", child.weight.shape[1:]), child.uses)
                case Gate():
                    exact_layer = child.export()
                case Linear():
                    exact_layer = linear(name, child)
                case Depthwise():
                    exact_layer = exact.ExactDepthwise(*product(name, child), fractions[name])
                case Attention():
                    query, key, value = fractions[name]
                    exact_layer = exact.ExactAttention(
                        linear(f"{name}.project", child.project), linear(f"{name}.merge", child.merge),
                        take(f"{name}.position", child.position.shape), (query, key, value), child.window,
                    )  # fmt: skip
                case Rows():
                    exact_layer = exact.ExactRows(take(f"{name}.rows", child.rows.shape))
                case TokenCurve():
                    exact_layer = child.export()
                case _:
                    convert(child, f"{name}.")
                    continue
            setattr(module, child_name, exact_layer)

    convert(prior, "")
    return prior
