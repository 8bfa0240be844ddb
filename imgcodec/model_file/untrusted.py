"""Untrusted input: tensors and configurations of model files, checked before anything of their size is built. Knows no
torch."""

import json
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open

from imgcodec.bitstream.errors import UnusableModelError
from imgcodec.graphs.tensors import STORED_TYPES, StoredTensor
from imgcodec.storage import files

LARGEST_NUMBER = 2**18  # in a configuration: no model has more codes, channels or layers
LONGEST_LIST = 64

Config = TypeVar("Config")


def read_tensors(path: Path, largest: int) -> tuple[dict[str, StoredTensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file of at most `largest` bytes, with nothing in it but the types that are
    used here. Raises UnusableModelError."""
    try:
        if path.stat().st_size > largest:
            raise UnusableModelError(f"{path.name} is too large to be a model.")
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            unknown = {file.get_slice(name).get_dtype() for name in file.keys()} - STORED_TYPES.keys()  # noqa: SIM118
        if unknown:
            raise UnusableModelError(f"The model {path.name} is not sound: no model has tensors of {min(unknown)}.")
        return _slices(path.read_bytes()), metadata
    except (SafetensorError, OSError) as error:
        raise UnusableModelError(f"{path.name} is not a safetensors file: {files.reason(error)}.") from error


def _slices(file: bytes) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file whose header is sound. They share its memory: it has tens of megabytes, and
    reading it takes as long as copying it once."""
    start = 8 + int.from_bytes(file[:8], "little")
    header, numbers = json.loads(file[8:start]), memoryview(file)[start:]
    header.pop("__metadata__", None)
    return {
        name: StoredTensor(tensor["dtype"], tuple(tensor["shape"]), numbers[slice(*tensor["data_offsets"])])
        for name, tensor in header.items()
    }


@contextmanager
def as_model_error(name: str) -> Iterator[None]:
    """Turns what a model file of this name can raise while it is checked and built into an UnusableModelError."""
    try:
        yield
    except KeyError as error:
        raise UnusableModelError(f"The model {name} is not sound: {error} is missing.") from error
    except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError, AttributeError) as error:
        raise UnusableModelError(f"The model {name} is not sound: {files.reason(error)}.") from error


def computes_differently(name: str) -> UnusableModelError:
    """What is raised where a known-answer test of a model fails."""
    return UnusableModelError(
        f"This machine computes {name} differently from the one that made it: nothing can be coded safely."
    )


def checked_config(kind: type[Config], values: Any) -> Config:
    """A configuration from JSON, with lists back to tuples.

    Raises ValueError where a value is not of its field's type, a number is negative or over `LARGEST_NUMBER`, or a list
    is longer than `LONGEST_LIST`, TypeError where fields are missing; the dataclass itself checks what fits together.
    """
    types = typing.get_type_hints(kind)
    if not isinstance(values, dict):
        raise ValueError(f"a part of its configuration is {values!r:.40} instead of an object")
    unknown = values.keys() - {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown:
        raise ValueError(f"its configuration has an unknown field {min(unknown):.40}")
    return kind(**{name: _checked(name, types[name], value) for name, value in values.items()})


def _checked(name: str, type_: Any, value: Any) -> Any:
    if typing.get_origin(type_) is tuple:
        if not isinstance(value, list) or len(value) > LONGEST_LIST:
            raise ValueError(f"{name} is {value!r:.40} instead of a list of at most {LONGEST_LIST}")
        inner = typing.get_args(type_)
        if inner[-1] is not Ellipsis and len(inner) != len(value):
            raise ValueError(f"{name} has {len(value)} values instead of {len(inner)}")
        return tuple(_checked(name, inner[0], item) for item in value)
    if type_ is float and type(value) is int:
        value = float(value)
    if type(value) is not type_:
        raise ValueError(f"{name} is {value!r:.40} instead of {type_.__name__}")
    if type_ in (int, float) and not 0 <= value <= LARGEST_NUMBER:
        raise ValueError(f"{name} is {value!r:.40}, and must be from 0 to {LARGEST_NUMBER}")
    return value
