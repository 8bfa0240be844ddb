"""Model files by name and by id, and the id of a file. Knows no torch, for which `imgcodec info` does not wait."""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, deserialize, safe_open

from imgcodec import models
from imgcodec.bitstream.errors import CodecError, ModelNotFoundError, UnusableModelError
from imgcodec.bitstream.header import CODEBOOK_ID_BYTES
from imgcodec.graphs.tensors import STORED_TYPES
from imgcodec.model_file import hub
from imgcodec.storage import files

LARGEST_FILE = 2**28  # bytes
TABLE = "ids.json"
"""Beside the shipped models: the id of each, by its name. `tests/expected/make.py` writes it."""


class Version(NamedTuple):
    """A file at a path, told from another one that is put there later by its size in bytes, its time and its inode: two
    models of one recipe have one size, and copies may have one time."""

    path: Path
    size: int
    mtime_ns: int
    inode: int


def version_of(path: Path) -> Version:
    """The file that is at a path now. Raises CodecError where there is none."""
    try:
        found = path.stat()
    except OSError as error:
        raise CodecError(f"{path} cannot be read: {files.reason(error)}.") from None
    return Version(path, found.st_size, found.st_mtime_ns, found.st_ino)


def installed_models() -> list[str]:
    """Names of the models in the package."""
    return sorted(path.stem for path in _folder().glob("*.safetensors"))


def find_model(name_or_path: str | Path) -> Path:
    """The file of an installed model, of an address in the hub, or the path itself. Raises ModelNotFoundError, also for
    the path of what is no model file, and as `hub.download`."""
    if hub.is_hub(str(name_or_path)):
        return hub.download(str(name_or_path), LARGEST_FILE)
    is_path = str(name_or_path).endswith(".safetensors")
    path = Path(name_or_path) if is_path else _folder() / f"{name_or_path}.safetensors"
    named = Path(name_or_path)
    try:
        if path.is_file():
            return path
        is_folder, is_file = named.is_dir(), named.is_file()
    except (OSError, ValueError):  # a name that no file can have
        is_folder = is_file = False
    name = repr(str(name_or_path)[:200])
    names = ", ".join(installed_models())
    if is_folder and str(name_or_path):
        raise ModelNotFoundError(f"{name} is a folder, not a model; there are: {names}.")
    if is_file:
        raise ModelNotFoundError(f"{name} is not a model file, whose name ends in .safetensors; there are: {names}.")
    raise ModelNotFoundError(f"The model {name} is not installed; there are: {names}.")


def pinned(name_or_path: str) -> str:
    """The same model, for several processes: an address in the hub gets the commit that it is of now. Raises as
    `hub.download`."""
    return hub.pinned(name_or_path, LARGEST_FILE) if hub.is_hub(name_or_path) else name_or_path


def shipped_ids() -> dict[str, bytes]:
    """The ids of the models that this release ships, by name; none where their table cannot be read."""
    try:
        return {name: bytes.fromhex(id) for name, id in json.loads((_folder() / TABLE).read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):  # files with a digest are checked all the same
        return {}


def shipped_id(path: Path) -> bytes | None:
    """The id that the file of a shipped model has to have; None for other files."""
    return shipped_ids().get(path.stem) if path.resolve().parent == _folder().resolve() else None


def find_model_by_id(id: bytes, what: str = "The file was") -> Path:
    """The installed model with that id. Raises ModelNotFoundError, which says that `what` made with it.

    Shipped models are found by the table of their ids, so that a damaged one is told from one that is not there: who
    loads it compares. The ids of other files are computed, once for files that stay as they are.
    """
    shipped = shipped_ids()
    for name, of_name in shipped.items():
        if of_name == id:
            return find_model(name)
    for name in (name for name in installed_models() if name not in shipped):
        path = find_model(name)
        with suppress(CodecError):  # a damaged model is no reason to refuse the files of another one
            if id_of_file(version_of(path)) == id:
                return path
    raise ModelNotFoundError(
        f"{what} made with model {id.hex()}, which is not installed; "
        "install the release of imgcodec that made it, or pass its weights with --model, by path or as hf://owner/name."
    )


@lru_cache(maxsize=64)
def id_of_file(version: Version) -> bytes:
    """The codebook id of a model file. Raises UnusableModelError for what is none."""
    if version.size > LARGEST_FILE:
        raise UnusableModelError(f"{version.path.name} is too large to be a model.")
    try:
        with safe_open(version.path, framework="numpy") as file:
            config = (file.metadata() or {}).get("config", "")
        tensors = [
            (name, f"torch.{STORED_TYPES.get(t['dtype'])}", tuple(t["shape"]), t["data"])
            for name, t in deserialize(version.path.read_bytes())
        ]
    except (SafetensorError, OSError) as error:
        raise UnusableModelError(f"{version.path.name} is not a safetensors file: {str(error).rstrip('.')}.") from error
    return digest_of_contents(config, tensors)[:CODEBOOK_ID_BYTES]


def digest_of_contents(config: str, tensors: Iterable[tuple[str, str, tuple[int, ...], Any]]) -> bytes:
    """The SHA-256 of the configuration and, by name, of every tensor's name, type, shape and little-endian bytes. Its
    first 8 bytes are the codebook id."""
    digest = hashlib.sha256(config.encode())
    for name, type_, shape, data in sorted(tensors, key=lambda tensor: tensor[0]):
        digest.update(f"\n{name} {type_} {shape}\n".encode())
        digest.update(data)
    return digest.digest()


def _folder() -> Path:
    return Path(models.__path__[0])
