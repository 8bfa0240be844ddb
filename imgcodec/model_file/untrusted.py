"""Tensors and configurations in safetensors files, which may come from strangers: what is in them is checked before
anything of its size is built."""

import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from imgcodec.bitstream.errors import CodecError
from imgcodec.model_file.find import TYPES

LARGEST_SIZE = 2**13  # of any number in a configuration: channels, codes, blocks
LONGEST_LIST = 64

Config = TypeVar("Config")


def read_tensors(path: Path, largest: int) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file of at most `largest` bytes, with nothing in it but the types that are
    used here. Raises CodecError."""
    try:
        if path.stat().st_size > largest:
            raise CodecError(f"{path.name} is too large to be a model.")
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            strange = {file.get_slice(name).get_dtype() for name in names} - TYPES.keys()
            if strange:
                raise CodecError(f"{path.name} is not a sound imgcodec model: no model has tensors of {min(strange)}.")
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CodecError(f"{path.name} is not a safetensors file: {clause(error)}.") from error


def clause(error: Exception) -> str:
    """What an error says, as the end of a sentence."""
    return str(error).strip().rstrip(".")


@contextmanager
def soundness(name: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes a CodecError: the model is not sound."""
    try:
        yield
    except KeyError as error:
        raise CodecError(f"{name} is not a sound imgcodec model: {error} is missing.") from error
    except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError, AttributeError) as error:
        raise CodecError(f"{name} is not a sound imgcodec model: {clause(error)}.") from error


def fill(tokenizer: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Gives a tokenizer that was built on the meta device the tensors of a file. Raises ValueError or KeyError where
    they do not fit."""
    state = {n: checked(tensors, f"tokenizer.{n}", t.shape) for n, t in tokenizer.state_dict().items()}
    for name in state:
        if f"tokenizer.{name}.scale" in tensors:
            shape = torch.Size((len(state[name]), *(1 for _ in state[name].shape[1:])))
            state[name] = state[name] * checked(tensors, f"tokenizer.{name}.scale", shape)
    tokenizer.load_state_dict(state, assign=True)


def checked(tensors: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    """A tensor of a file, in float32. Raises ValueError where it has another shape."""
    tensor = tensors[name]
    if tensor.shape != shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)} instead of {tuple(shape)}")
    return tensor.float()


def as_tuples(config: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists back to tuples."""

    def convert(value: Any) -> Any:
        return tuple(map(convert, value)) if isinstance(value, list) else value

    return {key: convert(value) for key, value in config.items()}


def sizes(config: dict[str, Any]) -> dict[str, Any]:
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


def checked_config(kind: type[Config], values: Any) -> Config:
    """A flat configuration from JSON, with lists back to tuples. Raises ValueError where a value is not of its field's
    type, TypeError where fields are missing or unknown; the dataclass itself checks ranges."""
    types = typing.get_type_hints(kind)
    if not isinstance(values, dict) or not set(values) <= {field.name for field in fields(kind)}:  # type: ignore[arg-type]
        raise ValueError("its configuration has other fields than there are")
    return kind(**{name: _checked(name, types[name], value) for name, value in values.items()})


def _checked(name: str, type_: Any, value: Any) -> Any:
    if typing.get_origin(type_) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{name} is {value!r:.40} instead of a list")
        inner = typing.get_args(type_)
        if inner[-1] is not Ellipsis and len(inner) != len(value):
            raise ValueError(f"{name} has {len(value)} values instead of {len(inner)}")
        return tuple(_checked(name, inner[0], item) for item in value)
    if type_ is float and type(value) is int:
        return float(value)
    if type(value) is not type_:
        raise ValueError(f"{name} is {value!r:.40} instead of {type_.__name__}")
    return value
