"""Shards of tokens: those of many pictures in safetensors files, and back.

A shard has a tensor for every stage of every picture, `000000.0`, `000000.1`, ..., int16 or int32, as `Tokens` has
them. Its metadata have one entry, `tokens`, which is JSON:

    {"format": "imgcodec-tokens-1", "model": {"name": "photo", "id": "..."},
     "pictures": [{"name": "a/b.jpg", "width": 768, ... all fields of the header of a .nic file}, ...]}

Shards are untrusted input: everything is checked before memory for tokens is taken.
"""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from imgcodec.bitstream.errors import CodecError, InvalidFileError, ModelNotFoundError
from imgcodec.bitstream.header import QUALITY_UNIT, ColourMode, Header, Tune, profile_named
from imgcodec.bitstream.limits import DEFAULT_LIMITS, STRIDE, check_size, rounded_area
from imgcodec.storage import files
from imgcodec.storage.shards import ShardWriter, shard_names
from imgcodec.tokens import TokenCodec, Tokens, check_tokens

FORMAT = "imgcodec-tokens-1"
SUFFIX = "safetensors"
NAMES = shard_names(SUFFIX)
LARGEST_HEAD = 2**25  # bytes of JSON before the tensors
LARGEST_SHARD = 2**34  # bytes
MOST_PICTURES = 2**14  # in a shard
LONGEST_NAME = 4096  # characters
TYPES = {"I16": 2, "I32": 4}  # bytes
ROOM = 128  # bytes of JSON that a tensor takes, at most


class TokenShardWriter(ShardWriter[Tokens]):
    """Shards `PART-000000.safetensors` of one part, each put in place whole when it is finished."""

    def __init__(self, folder: Path, part: str, codec: TokenCodec, limit: float, force: bool) -> None:
        super().__init__(folder, part, SUFFIX, limit)
        self.codec, self.force = codec, force
        self._start()

    def size_with(self, name: str, item: Tokens) -> float:
        """An upper bound; infinite where the shard has as many pictures as one may have."""
        if len(self.pictures) == MOST_PICTURES:
            return math.inf
        # JSON in JSON, where quotes are escaped
        entry = len(json.dumps(json.dumps({"name": name, **_fields(item.header)}))) + 2
        return self.size + entry + sum(stage.nbytes + ROOM for stage in item.stages)

    def append(self, name: str, item: Tokens) -> None:
        self.size = self.size_with(name, item)
        index = len(self.pictures)
        self.tensors |= {f"{index:06d}.{i}": np.ascontiguousarray(stage) for i, stage in enumerate(item.stages)}
        self.pictures.append({"name": name, **_fields(item.header)})

    def end(self) -> int:
        about = {"format": FORMAT, "model": {"name": self.codec.name, "id": self.codec.id.hex()}}
        # one entry: several would come in another order every time
        data = save(self.tensors, {"tokens": json.dumps({**about, "pictures": self.pictures})})
        files.write(self.folder / self.shard, data, self.force)
        self._start()
        return len(data)

    def _start(self) -> None:
        self.tensors: dict[str, NDArray[Any]] = {}
        self.pictures: list[dict[str, object]] = []
        self.size = 512.0 + len(self.codec.name)


@dataclass(frozen=True)
class Shard:
    """A shard whose head is read and sound. model_id: of its tokens' model. pictures: names, relative and with `/`, and
    headers."""

    path: Path
    model_id: bytes
    pictures: tuple[tuple[str, Header], ...]

    def opened(self) -> Any:
        """What `tokens` reads from, also a context manager. Raises InvalidFileError."""
        with _sound(self.path):
            return safe_open(self.path, framework="numpy")

    def tokens(self, index: int, opened: Any) -> Tokens:
        """Those of a picture, read now. Raises InvalidFileError where they are of another type than tokens, or more
        than the picture has; whether they are a model's own, only the model knows."""
        _, header = self.pictures[index]
        with _sound(self.path):
            keys = [f"{index:06d}.{stage}" for stage in range(header.stage_count)]
            _check_tensors([(s.get_shape(), s.get_dtype()) for s in map(opened.get_slice, keys)], header)
            return Tokens(header, [opened.get_tensor(key) for key in keys])


def open_shard(path: Path, max_pixels: int = DEFAULT_LIMITS.pixels) -> Shard:
    """The shard at a path. Raises CodecError where there is no such file, InvalidFileError for one that is damaged or
    over a limit."""
    _check_file(path)
    with _sound(path), safe_open(path, framework="numpy") as file:
        about = _about(path, file.metadata() or {})
        id = bytes.fromhex(about["model"]["id"])
        pictures = [(_safe_name(p["name"]), _header(p, id, max_pixels)) for p in about["pictures"]]
        return Shard(path, id, tuple(pictures))


def shards_of(source: Path) -> list[Path]:
    """The shards in a folder, or the one at the path of a file. Raises CodecError for a folder without any."""
    if not source.is_dir():
        return [source]
    found = sorted(path for path in source.iterdir() if NAMES.fullmatch(path.name))
    if not found:
        raise CodecError(f"{source} holds no shards of tokens.")
    return found


def read_shards(
    source: str | os.PathLike[str], *, max_pixels: int = DEFAULT_LIMITS.pixels
) -> Iterator[tuple[str, Tokens]]:
    """The pictures of a shard of tokens, or of all shards in a folder: name and tokens, each read when it is asked for.
    No model is needed, and torch is not imported.

    Names are relative, with `/`. Raises CodecError where there is nothing to read, InvalidFileError for a shard that is
    damaged or over a limit.
    """
    for path in shards_of(Path(source)):
        shard = open_shard(path, max_pixels)
        with shard.opened() as file:
            for index, (name, _) in enumerate(shard.pictures):
                yield name, shard.tokens(index, file)


def read(path: Path, codec: TokenCodec, max_pixels: int = DEFAULT_LIMITS.pixels) -> Iterator[tuple[str, Tokens]]:
    """As `read_shards` of one shard, but raises ModelNotFoundError for one of another model, and InvalidFileError for
    tokens that are none of the model's."""
    id = open_shard(path, max_pixels).model_id
    if id != codec.id:
        raise ModelNotFoundError(f"{path.name} has tokens of model {id.hex()}, not {codec.name}'s.")
    for name, tokens in read_shards(path, max_pixels=max_pixels):
        with _sound(path):
            check_tokens(codec, tokens)
        yield name, tokens


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Makes one sentence of whatever a file that is no sound shard leads to."""
    try:
        yield
    except (InvalidFileError, ModelNotFoundError):
        raise
    except (
        SafetensorError,
        CodecError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error).strip().rstrip(".")
        raise InvalidFileError(f"{path.name} is not a sound shard of tokens: {what:.300}.") from None
    except OSError as error:
        raise InvalidFileError(f"{path} cannot be read: {files.reason(error)}.") from None


def _check_file(path: Path) -> None:
    """Raises CodecError for a missing file, InvalidFileError for one whose size or head is over a limit, because the
    parser takes memory for all of it."""
    try:
        if not path.is_file():
            raise CodecError(f"There is no file {path}.")
        if path.stat().st_size > LARGEST_SHARD:
            raise InvalidFileError(f"{path.name} has more than the limit of {LARGEST_SHARD} bytes.")
        with open(path, "rb") as file:
            if int.from_bytes(file.read(8), "little") > LARGEST_HEAD:
                raise InvalidFileError(f"{path.name} is not a sound shard of tokens: its head is too long.")
    except OSError as error:
        raise InvalidFileError(f"{path} cannot be read: {files.reason(error)}.") from None


def _about(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(metadata["tokens"])
    if about["format"] != FORMAT:
        raise ValueError("unknown format")
    if not isinstance(about["model"]["id"], str) or not isinstance(about["pictures"], list):
        raise TypeError("its metadata are of other types")
    if len(about["pictures"]) > MOST_PICTURES:
        raise ValueError(f"it has more than {MOST_PICTURES} pictures")
    return about


def _fields(header: Header) -> dict[str, object]:
    return {
        "width": header.width, "height": header.height, "colour_mode": header.colour_mode.name.lower(),
        "bit_depth": header.bit_depth, "profile": header.profile.name.lower(), "tune": header.tune.name.lower(),
        "quality": header.quality / QUALITY_UNIT, "tile_size": header.tile_size, "stage_count": header.stage_count,
        "first_calls": header.first_calls,
    }  # fmt: skip


def _header(picture: dict[str, Any], id: bytes, max_pixels: int) -> Header:
    """The header with a picture's fields. Raises TypeError, ValueError or KeyError for fields that no header has,
    InvalidFileError for a picture over a limit."""
    numbers = {name: picture[name] for name in ("width", "height", "bit_depth", "tile_size", "stage_count")}
    numbers["first_calls"] = picture.get("first_calls", 0)  # the first shards do not say
    if not all(type(number) is int for number in numbers.values()):
        raise TypeError("its numbers are not whole")
    header = Header(
        **numbers, colour_mode=ColourMode[picture["colour_mode"].upper()], profile=profile_named(picture["profile"]),
        tune=Tune[picture["tune"].upper()], quality=round(picture["quality"] * QUALITY_UNIT), codebook_id=id,
    )  # fmt: skip
    check_size(header.width, header.height, max_pixels)
    return header


def _check_tensors(stages: list[tuple[list[int], str]], header: Header) -> None:
    """Raises ValueError for more than two tokens per pixel, or tokens of another type: before they are read."""
    numbers = 0
    for shape, kind in stages:
        if kind not in TYPES or len(shape) != 3:
            raise ValueError(f"a tensor of {len(shape)} dimensions and type {kind}")
        numbers += int(np.prod(shape, dtype=object))
    if numbers > 2 * rounded_area(header.width, header.height, STRIDE):
        raise ValueError(f"{numbers} tokens for a picture of {header.width} x {header.height} pixels")


def _safe_name(name: object) -> str:
    """A picture's path relative to a folder. `\\` and `:`, which have a meaning on some systems, become `_`.

    Raises ValueError for a path that leads out of the folder, and for names that no file can have.
    """
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise ValueError("a picture has no name")
    os.fsencode(name)  # raises ValueError
    if name.startswith("/") or "\0" in name or any(part in ("..", ".", "") for part in name.split("/")):
        raise ValueError(f"the name {name!r:.100} leads elsewhere")
    return name.replace("\\", "_").replace(":", "_")
