"""Stores: a folder with a .nic file for each picture of another folder, and a manifest. Filling one goes on where it
was stopped."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Any

from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.bitstream.header import SIGNATURE
from imgcodec.pictures import io
from imgcodec.rate_control import OutOfReachError
from imgcodec.storage import files, folders
from imgcodec.storage.pairs import begins_with
from imgcodec.tasks.compress import Compressor, CompressSettings, open_compressor
from imgcodec.workers import working_through

MANIFEST = "manifest.json"
FORMAT = "imgcodec-store-1"
SUFFIX = ".nic"
LARGEST_MANIFEST = 2**30  # bytes
SAVE_EVERY = 200  # pictures


@dataclass(frozen=True)
class Made:
    """A .nic file that was made of a picture. features: SHA-256 of its vector's integers, None where it has none.
    notes: what was lost of the picture, each a clause about "it"."""

    data: bytes
    width: int
    height: int
    features: str | None
    notes: tuple[str, ...] = ()


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


@dataclass(frozen=True)
class _Wish:
    """A picture that a store is to have. entry: what the store has of its name, which is in `file`."""

    name: str
    path: Path
    entry: Entry | None
    file: Path | None


def fill_store(
    source: Path,
    output: Path,
    empty: Store,
    open_maker: Callable[[], Callable[[Path, bytes], Made]],
    force: bool,
    complain: Callable[[str], None],
    counting: Callable[[int], Any],
    workers: int = 1,
) -> tuple[Store, int, list[str]]:
    """Makes a file of each picture below `source` that the store does not have yet.

    empty: what a new store is like. open_maker: gives what makes a file of a picture's path and bytes, and raises
    CodecError for what is none; see `working_through`. force: makes all of them again. counting: a context manager for
    the number of files, which gives what is called after each. Returns the store, how many files were made, and the
    names of files that are no pictures or do not reach the target, of which `complain` is told, as of what is lost of
    pictures. Raises CodecError where something cannot be written, and for a store of another model or other settings.
    """
    found = [(name, path) for name, path in folders.files_below(source, complain) if not _is_below(path, output)]
    if not found:
        raise CodecError(f"{source} holds no files.")
    store = _open_or_new(output, empty, force)
    folders.make_folder(output)
    made, broken = 0, []
    taken = {entry.file.lower() for entry in store.pictures.values()}
    entries = [store.pictures.get(name) for name, _ in found]
    wishes = [
        _Wish(name, path, entry, output / entry.file if entry else None)
        for (name, path), entry in zip(found, entries, strict=True)
    ]
    with (
        _saving(store, output) as save,
        counting(len(found)) as advance,
        working_through(partial(_open_granter, open_maker), wishes, workers) as outcomes,
    ):
        for outcome in outcomes:
            name, entry, path = outcome.item.name, outcome.item.entry, outcome.item.path
            if isinstance(outcome.error, InvalidFileError | OutOfReachError):
                complain(f"Skipped {name}: {outcome.error}")
                broken.append(name)
            elif outcome.error is not None:
                raise outcome.error
            elif outcome.result is not None:
                digest, result = outcome.result
                for note in result.notes:
                    complain(f"{path}: {note}.")
                target = entry.file if entry else _file_name(name, taken)
                folders.make_folder((output / target).parent)
                # one that no entry has is of a run that was killed before it could write the manifest
                replace = entry is not None or force or begins_with(str(output / target), SIGNATURE)
                files.write(output / target, result.data, force=replace)
                store.pictures[name] = Entry(
                    name, target, result.width, result.height, len(result.data),
                    hashlib.sha256(result.data).hexdigest(), digest, result.features,
                )  # fmt: skip
                taken.add(target.lower())
                made += 1
                if made % SAVE_EVERY == 0:
                    save()
            advance()
    return store, made, broken


def _open_granter(
    open_maker: Callable[[], Callable[[Path, bytes], Made]],
) -> Callable[[_Wish], tuple[str, Made] | None]:
    return partial(_granted, open_maker())


def _granted(make: Callable[[Path, bytes], Made], wish: _Wish) -> tuple[str, Made] | None:
    """The digest of a picture's file, and the file that was made of it; None where the store has that already."""
    data = files.read(wish.path)  # once, so that the digest is of what is compressed
    digest = hashlib.sha256(data).hexdigest()
    known = wish.entry
    if known is not None and wish.file is not None and known.source_sha256 == digest and _is_whole(wish.file, known):
        return None
    return digest, make(wish.path, data)


@dataclass(frozen=True)
class StoreMaker:
    """Makes the files of a store."""

    compressor: Compressor

    def __call__(self, path: Path, data: bytes) -> Made:
        """Raises as `io.load` and `encode_picture`."""
        picture = io.from_bytes(data, str(path), self.compressor.settings.max_pixels)
        made, digest = self.compressor.encode(picture).data, None
        if (searcher := self.compressor.searcher) is not None:
            levels = searcher.read_features(container.read(made))
            digest = hashlib.sha256(levels.astype("<i2").tobytes()).hexdigest()
        return Made(made, picture.width, picture.height, digest, tuple(picture.notes))


def open_maker(settings: CompressSettings) -> StoreMaker:
    """Raises as `open_compressor`."""
    return StoreMaker(open_compressor(settings))


def new_store(compressor: Compressor) -> Store:
    """An empty store of files that are made so."""
    how, codec, searcher = compressor.settings, compressor.codec, compressor.searcher
    settings = {
        "quality": how.quality,
        "target": how.target and [how.target.metric, how.target.value],
        "tune": how.tune,
        "effort": how.effort,
        "strip": how.strip,
    }
    return Store(codec.name, codec.id.hex(), None if searcher is None else searcher.id.hex(), settings)


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

    save()  # at once, so that a run that is killed leaves a store behind
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
