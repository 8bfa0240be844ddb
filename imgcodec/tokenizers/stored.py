"""One tokenizer in one safetensors file, with its configuration in the metadata; files may come from strangers."""

import json
import typing
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from imgcodec import files
from imgcodec.bitstream.errors import CodecError

LARGEST_FILE = 2**31  # bytes; the full-size VQ-VAE has 300 MB
LARGEST_CONFIG = 2**16  # characters
TYPES = {"F16", "BF16", "F32"}

Config = TypeVar("Config")


def save_tokenizer(path: str | Path, model: nn.Module, config: Any, format: str) -> None:
    """Writes tensors as they are and the configuration, whole or not at all. Raises CodecError where that fails."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    metadata = {"format": format, "config": json.dumps(asdict(config), sort_keys=True)}
    files.write(path, save(tensors, metadata), force=True)


def read_tokenizer(path: str | Path, kind: type[Config], format: str) -> tuple[Config, dict[str, Tensor]]:
    """Configuration and tensors of a file, which need not fit each other. Raises CodecError."""
    path = Path(path)
    if not path.is_file():
        raise CodecError(f"There is no file {path}.")
    if path.stat().st_size > LARGEST_FILE:
        raise CodecError(f"{path.name} is too large to be a tokenizer")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            strange = {file.get_slice(name).get_dtype() for name in file.keys()} - TYPES  # noqa: SIM118
            if strange:
                raise CodecError(f"{path.name} is not a sound tokenizer: none has tensors of {min(strange)}")
            if metadata.get("format") != format or len(metadata.get("config", "")) > LARGEST_CONFIG:
                raise CodecError(f"{path.name} is not a sound tokenizer: its format is not {format}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return checked_config(kind, json.loads(metadata["config"])), tensors
    except (SafetensorError, OSError) as error:
        raise CodecError(f"{path.name} is not a safetensors file: {error}") from error
    except KeyError as error:
        raise CodecError(f"{path.name} is not a sound tokenizer: {error} is missing") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise CodecError(f"{path.name} is not a sound tokenizer: {error}") from error


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


def fill(model: nn.Module, tensors: dict[str, Tensor], name: str) -> None:
    """Puts the tensors of a file into a model that was built on the meta device, as float32. Raises CodecError unless
    they are the model's, each of its shape."""
    wanted = model.state_dict()
    if set(wanted) != set(tensors):
        strange = min(set(wanted) ^ set(tensors))
        raise CodecError(f"{name} is not a sound tokenizer: {strange} is missing or does not belong there")
    for key, tensor in wanted.items():
        if tensors[key].shape != tensor.shape:
            found, right = tuple(tensors[key].shape), tuple(tensor.shape)
            raise CodecError(f"{name} is not a sound tokenizer: {key} has shape {found} instead of {right}")
    model.load_state_dict({key: tensor.float() for key, tensor in tensors.items()}, assign=True)
