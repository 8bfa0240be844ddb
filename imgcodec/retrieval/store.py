"""Stores: a folder with a .nic file for each picture of another folder, and a manifest. Filling one goes on where it
was stopped."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Any

from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.storage import files, folders

MANIFEST = "manifest.json"
FORMAT = "imgcodec-store-1"
SUFFIX = ".nic"
LARGEST_MANIFEST = 2**30  # bytes
SAVE_EVERY = 200  # pictures


@dataclass(frozen=True)
class Made:
    """A .nic file that was made of a picture. features: SHA-256 of its vector's integers, None where it has none."""

    data: bytes
    width: int
    height: int
    features: str | None


@dataclass(frozen=True)
class Entry:
    """A picture of a store. name: relative to the folder that it came from. file: relative to the store. sha256: of the
    file; source_sha256: of the picture's file."""

    name: str
    file: str
    width: int
    height: int
    bytes: int
    sha256: str
    source_sha256: str
    features: str | None


@dataclass
class Store:
    """The manifest of a store. model, model_id: of its files; features_id: of its vectors, None where there are none;
    both ids 16 hexadecimal digits. settings: what else its files were made with."""

    model: str
    model_id: str
    features_id: str | None
    settings: dict[str, Any]
    pictures: dict[str, Entry] = field(default_factory=dict)

    def to_json(self) -> bytes:
        content = {
            "format": FORMAT,
            **asdict(self),
            "pictures": [asdict(self.pictures[n]) for n in sorted(self.pictures)],
        }
        return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def read_store(folder: Path) -> Store | None:
    """The manifest of a folder; None where it has none. Raises InvalidFileError for one that is not sound."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    data = files.read(path, LARGEST_MANIFEST)
    try:
        content = json.loads(data)
        if content.pop("format") != FORMAT:
            raise ValueError("it has another format")
        pictures = [Entry(**entry) for entry in content.pop("pictures")]
        store = Store(**content, pictures={entry.name: entry for entry in pictures})
        for entry in pictures:
            _check_name(entry.file)
        bytes.fromhex(store.model_id + (store.features_id or ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidFileError(f"{path} is not the manifest of a store: {files.reason(error)}.") from None
    return store


def _check_name(name: object) -> None:
    """Raises ValueError for a path that leads out of its folder."""
    parts = name.split("/") if isinstance(name, str) else [""]
    if any(part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts):
        raise ValueError(f"the name {name!r:.100} leads elsewhere")


def fill_store(
    source: Path,
    output: Path,
    empty: Store,
    make: Callable[[Path], Made],
    force: bool,
    complain: Callable[[str], None],
    counting: Callable[[int], Any],
) -> tuple[Store, int, list[str]]:
    """Makes a file of each picture below `source` that the store does not have yet.

    empty: what a new store is like. make: a picture's path -> its file; raises CodecError for what is none. force:
    makes all of them again. counting: a context manager for the number of files, which gives what is called after each.
    Returns the store, how many files were made, and the names of files that are no pictures, of which `complain` is
    told. Raises CodecError where something cannot be written, and for a store of another model or other settings.
    """
    found = [(name, path) for name, path in folders.files_below(source, complain) if not _is_below(path, output)]
    if not found:
        raise CodecError(f"{source} holds no files.")
    store = _open_or_new(output, empty, force)
    folders.make_folder(output)
    made, broken = 0, []
    taken = {entry.file.lower() for entry in store.pictures.values()}
    with _saving(store, output) as save, counting(len(found)) as advance:
        for name, path in found:
            try:
                digest = hashlib.sha256(files.read(path)).hexdigest()
                entry = store.pictures.get(name)
                if entry is None or entry.source_sha256 != digest or not _is_whole(output / entry.file, entry):
                    result = make(path)
                    target = entry.file if entry else _file_name(name, taken)
                    folders.make_folder((output / target).parent)
                    files.write(output / target, result.data, force=entry is not None or force)
                    store.pictures[name] = Entry(
                        name, target, result.width, result.height, len(result.data),
                        hashlib.sha256(result.data).hexdigest(), digest, result.features,
                    )  # fmt: skip
                    taken.add(target.lower())
                    made += 1
                    if made % SAVE_EVERY == 0:
                        save()
            except InvalidFileError as error:
                complain(f"Skipped {name}: {error}")
                broken.append(name)
            advance()
    return store, made, broken


def _open_or_new(output: Path, empty: Store, force: bool) -> Store:
    """The store that is to be filled. Raises CodecError where a folder is something else."""
    store = read_store(output) if output.is_dir() else None
    if store is None:
        folders.check_empty(output, force)
        return empty
    if force:
        return Store(empty.model, empty.model_id, empty.features_id, empty.settings)
    if store.model_id != empty.model_id:
        raise CodecError(f"{output} is a store of model {store.model} {store.model_id}, not of {empty.model}.")
    if (store.features_id, store.settings) != (empty.features_id, empty.settings):
        raise CodecError(f"{output} is a store of other settings: give the same ones, or -f to make it anew.")
    return store


@contextmanager
def _saving(store: Store, output: Path) -> Iterator[Callable[[], None]]:
    """Gives what writes the manifest; it is written at the end, too, however that comes."""

    def save() -> None:
        files.write(output / MANIFEST, store.to_json(), force=True)

    try:
        yield save
    finally:
        save()


def _is_whole(path: Path, entry: Entry) -> bool:
    try:
        return hashlib.sha256(files.read(path)).hexdigest() == entry.sha256
    except CodecError:
        return False


def _is_below(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.resolve().parents


def _file_name(name: str, taken: set[str]) -> str:
    """`a/b.nic` for `a/b.jpg`; `a/b.jpg.nic` if the first is taken, then `a/b.jpg-2.nic`."""
    stem = str(PurePosixPath(name).with_suffix(""))
    candidates = chain([stem, name], (f"{name}-{number}" for number in count(2)))
    # on some systems capitals are the same
    return next(f"{candidate}{SUFFIX}" for candidate in candidates if f"{candidate}{SUFFIX}".lower() not in taken)
