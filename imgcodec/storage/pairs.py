"""Many files at once: what users name becomes pairs of an input and its output.

a.png  photos/ ──► inputs ──► pairs ──► collisions are refused ──► what is done already is left out
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.storage import files, folders, remote

Answer = TypeVar("Answer")

ASKED_AT_ONCE = 32
"""Files at addresses of which time or size is asked at once."""

PICTURES = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".dib", ".ppm", ".pgm",
    ".pbm", ".pnm", ".avif", ".avifs", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".qoi",
})  # fmt: skip
"""Suffixes of pictures that can be read."""

MOST_NAMED = 5  # collisions, in a message


@dataclass(frozen=True)
class Input:
    """A file to work on. source: its path or address. name: what it is called below a folder of outputs, with `/`."""

    source: str
    name: str


@dataclass(frozen=True)
class Pair:
    """A file to work on, and what it becomes. replace: whether the output may be there already. time: when the
    input was changed, in nanoseconds, which the output gets; 0 where that is not known; None for one file alone, whose
    output is new."""

    source: str
    output: str
    replace: bool = False
    time: int | None = None


@dataclass(frozen=True)
class Plan:
    """What is to do. todo: pairs to work on. done: those whose output is there, and not older than its input. blocked:
    those whose output is something that no earlier run made."""

    todo: list[Pair]
    done: list[Pair]
    blocked: list[Pair]


def nic_beside(source: str) -> str:
    """The name of the .nic file of a picture, next to it: only the suffix of a picture is replaced. Raises UsageError
    for what is no file's name."""
    return _beside(source, lambda name: str(Path(name).with_suffix(".nic")) if is_picture(name) else f"{name}.nic")


def picture_beside(source: str) -> str:
    """The name of the picture of a .nic file, next to it and next to the original: photo.nic.png of photo.nic. Raises
    UsageError for what is no file's name."""
    return _beside(source, lambda name: f"{name}.png")


def is_picture(name: str) -> bool:
    """Whether a file is called like a picture that can be read."""
    return Path(name).suffix.lower() in PICTURES


def is_nic(name: str) -> bool:
    """Whether a file is called like a .nic file."""
    return Path(name).suffix.lower() == ".nic"


def _beside(source: str, rename: Callable[[str], str]) -> str:
    if remote.is_remote(source):
        folder, _, name = source.rpartition("/")
        return f"{folder}/{rename(name)}"
    path = Path(source)
    if path.name in ("", ".."):  # of an empty name and of a folder like `.`
        raise UsageError(f"{source!r} is not the name of a file.")
    return str(path.with_name(rename(path.name)))


def is_folder_name(name: str) -> bool:
    """Whether a name ends as only that of a folder does."""
    return name.endswith(("/", os.sep))


def inputs(
    sources: Sequence[str], recursive: bool, is_wanted: Callable[[str], bool], complain: Callable[[str], None]
) -> list[Input]:
    """The files that are named; with `recursive` also those in folders that are named, and in folders in these.

    is_wanted: which files of a folder are taken, by their names; of the others `complain` is told how many there are,
    and of each folder that cannot be read. Raises CodecError for a folder that holds nothing of that kind, UsageError
    for standard input, which is for one file alone.
    """
    found: list[Input] = []
    for source in sources:
        if source == files.STANDARD:
            raise UsageError("Standard input is for one file alone.")
        if not recursive or not _is_folder(source):
            found.append(Input(source, remote.name_of(source) if remote.is_remote(source) else Path(source).name))
            continue
        below = _files_below(source, complain)
        wanted = [item for item in below if is_wanted(item.name)]
        if not wanted:
            raise CodecError(f"{source} holds nothing of the kind among its {len(below)} files.")
        if others := len(below) - len(wanted):
            kinds = "files of other kinds are" if others > 1 else "file of another kind is"
            complain(f"{source}: {others} {kinds} left alone.")
        found += wanted
    return found


def _is_folder(source: str) -> bool:
    return remote.is_folder(source) if remote.is_remote(source) else Path(source).is_dir()


def _files_below(source: str, complain: Callable[[str], None]) -> list[Input]:
    if remote.is_remote(source):
        return [Input(address, name) for name, address in remote.files_below(source)]
    return [Input(str(path), name) for name, path in folders.files_below(Path(source), complain)]


def pair(given: Iterable[Input], folder: str | None, beside: Callable[[str], str]) -> list[Pair]:
    """Inputs and their outputs: beside them, or in a folder, in which there are folders as they are in the inputs'.

    beside: a file's name -> its output's. Raises UsageError, before anything is written, where two inputs would have
    one output, or an output is an input; it names them.
    """
    pairs = []
    for item in given:
        if folder is None:
            pairs.append(Pair(item.source, beside(item.source)))
        else:
            name = beside(item.name)
            pairs.append(Pair(item.source, _join(folder, PurePosixPath(Path(name).as_posix()))))
    _check_collisions(pairs)
    return pairs


def _join(folder: str, name: PurePosixPath) -> str:
    return f"{folder.rstrip('/')}/{name}" if remote.is_remote(folder) else str(Path(folder, name))


def _check_collisions(pairs: list[Pair]) -> None:
    by_output = defaultdict[str, list[Pair]](list)
    for item in pairs:
        by_output[_identity(item.output)].append(item)
    told = [
        f"{' and '.join(item.source for item in several)} would both become {several[0].output}"
        for several in by_output.values()
        if len(several) > 1
    ]
    sources = {_identity(item.source): item.source for item in pairs}
    told += [
        f"{item.source} would become {item.output}, which is itself an input"
        for item in pairs
        if _identity(item.output) in sources
    ]
    if told:
        more = f"; and {len(told) - MOST_NAMED} more like these" if len(told) > MOST_NAMED else ""
        raise UsageError(f"{'; '.join(told[:MOST_NAMED])}{more}.")


def _identity(name: str) -> str:
    """One name for each file, however it is named."""
    return name if remote.is_remote(name) else os.path.normcase(os.path.realpath(name))


def plan(pairs: Iterable[Pair], force: bool, kind: bytes) -> Plan:
    """What is left to do of pairs. An output that is not older than its input is done, unless all is to be made again
    with `force`. An older one is made again, if it begins with `kind`, as what this program writes does: everything
    else is left alone. Outputs get the times of their inputs, so an input that was changed is newer.
    """
    pairs = list(pairs)
    outputs = _asked(_modified_if_known, [item.output for item in pairs])
    sources = _asked(_modified_if_known, [item.source for item in pairs])
    found = Plan([], [], [])
    for item, made, given in zip(pairs, outputs, sources, strict=True):
        if force or made is None or given is None:  # an input that is not there fails when it is its turn
            found.todo.append(Pair(item.source, item.output, force, given or 0))
        elif made >= given:
            found.done.append(item)
        elif begins_with(item.output, kind):
            found.todo.append(Pair(item.source, item.output, True, given))
        else:
            found.blocked.append(item)
    return found


def _modified_if_known(name: str) -> int | None:
    """As `_modified`; None, too, where a service refuses to say: it will refuse more when it is this file's turn."""
    with suppress(CodecError):
        return _modified(name)
    return None


def is_done(item: Pair, kind: bytes) -> bool:
    """Whether the output is there, not older than its input, and begins with `kind`."""
    made, given = _modified(item.output), _modified(item.source)
    return made is not None and given is not None and made >= given and begins_with(item.output, kind)


def _asked(ask: Callable[[str], Answer], names: Sequence[str]) -> list[Answer]:
    """The answers to all names. Services take a while for each, so several are asked at once."""
    if not any(map(remote.is_remote, names)):
        return [ask(name) for name in names]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return list(pool.map(ask, names))


def _modified(name: str) -> int | None:
    """Nanoseconds; None where there is no such file."""
    if remote.is_remote(name):
        return remote.modified(name)
    try:
        return os.stat(name).st_mtime_ns
    except (OSError, ValueError):
        return None


def begins_with(name: str, kind: bytes) -> bool:
    if remote.is_remote(name):
        return remote.head(name, len(kind)) == kind
    try:
        with open(name, "rb") as file:
            return file.read(len(kind)) == kind
    except (OSError, ValueError):
        return False


def sizes_of(names: Sequence[str]) -> list[int]:
    """Bytes of each file; 0 where that is not known."""
    return _asked(size_of, names)


def size_of(name: str) -> int:
    """Bytes of a file; 0 where that is not known."""
    if remote.is_remote(name):
        return remote.size(name)
    try:
        return os.stat(name).st_size
    except (OSError, ValueError):
        return 0


def write(item: Pair, data: bytes) -> None:
    """Writes the output of a pair, and the folders that it is in. Raises CodecError."""
    if item.time is not None and not remote.is_remote(item.output):
        folders.make_folder(Path(item.output).parent)
    files.write(item.output, data, item.replace, item.time or None)
