"""Input folders, and output folders that appear whole or not at all.

An output folder is filled as a temporary one beside it and renamed (`imgcodec.storage.temporary`).
"""

import os
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.storage import temporary
from imgcodec.storage.files import reason

Item = TypeVar("Item")


def files_below(folder: Path, complain: Callable[[str], None]) -> list[tuple[str, Path]]:
    """All files in a folder and its subfolders, sorted: their names relative to the folder, with `/`, and their paths.

    Hidden files and folders, pipes and devices are left out; links to files are included, links to folders are not
    followed. complain: called with a sentence about each subfolder that cannot be read. Raises CodecError where the
    folder itself cannot be read.
    """
    found: list[tuple[str, Path]] = []

    def failed(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise CodecError(f"{folder} cannot be read: {reason(error)}.")
        complain(f"Skipped {error.filename}: {reason(error)}.")

    require_folder(folder)
    for parent, folders, names in os.walk(folder, onerror=failed):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                found.append((path.relative_to(folder).as_posix(), path))
    return sorted(found)


def files_below_all(sources: Sequence[Path], complain: Callable[[str], None]) -> list[tuple[str, Path]]:
    """As `files_below`, of several folders: then names begin with that of the folder.

    Raises UsageError for a folder that is named twice, CodecError where they hold no files.
    """
    if len({folder.resolve() for folder in sources}) < len(sources):
        raise UsageError("A folder is named twice.")
    found = []
    for folder in sources:
        prefix = f"{folder.resolve().name}/" if len(sources) > 1 else ""
        found += [(prefix + name, path) for name, path in files_below(folder, complain)]
    if not found:
        raise CodecError(f"{', '.join(map(str, sources))} {'holds' if len(sources) == 1 else 'hold'} no files.")
    return found


def parse_split(text: str) -> dict[str, float]:
    """The shares by name of a list like `train=0.9,valid=0.1`. Raises UsageError unless they add up to 1."""
    shares: dict[str, float] = {}
    for item in text.split(","):
        match = re.fullmatch(r"\s*([a-z][a-z0-9_]{0,30})=(\d*\.?\d+)\s*", item)
        if not match or match[1] in shares or not float(match[2]) > 0:
            raise UsageError(f"--split takes a list like train=0.9,valid=0.1, not {text!r}.")
        shares[match[1]] = float(match[2])
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise UsageError(f"The shares of --split add up to {sum(shares.values()):g} instead of 1.")
    return shares


def split(items: Sequence[Item], shares: dict[str, float], seed: int) -> dict[str, list[Item]]:
    """The items, shuffled by the seed and divided by shares, to within one item."""
    shuffled = list(items)
    random.Random(seed).shuffle(shuffled)
    parts, reached, share = {}, 0, 0.0
    for name, part in shares.items():
        share += part
        end = round(share * len(shuffled))
        parts[name] = shuffled[reached:end]
        reached = end
    return parts


def require_folder(folder: Path) -> None:
    """Raises CodecError where there is no such folder."""
    if not folder.is_dir():
        raise CodecError(f"{folder} is not a folder." if folder.exists() else f"There is no folder {folder}.")


def make_folder(folder: Path) -> None:
    """Makes a folder and its parents, where there are none. Raises CodecError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CodecError(f"{folder} cannot be written: {reason(error)}.") from None


def check_empty(folder: Path, force: bool) -> list[str]:
    """The names in a folder; none where it does not exist. Raises CodecError where there are any without `force`."""
    try:
        names = os.listdir(folder) if folder.exists() else []
    except OSError as error:
        raise CodecError(f"{folder} cannot be written: {reason(error)}.") from None
    if names and not force:
        raise CodecError(f"{folder} is not empty; -f replaces what an earlier run left there.")
    return names


def check_folder(target: Path, force: bool, names: re.Pattern[str]) -> None:
    """Raises CodecError unless a folder may be replaced: not there, empty, or with `force` only files of these names.

    names: of the files that an earlier run wrote. So a wrong -o removes nobody's pictures.
    """
    try:
        is_working_folder = target.exists() and target.samefile(".")
    except OSError as error:
        raise CodecError(f"{target} cannot be written: {reason(error)}.") from None
    if is_working_folder:
        raise CodecError(f"{target} is the folder that the command runs in; name another one with -o.")
    others = [name for name in check_empty(target, force) if not names.fullmatch(name)]
    if others:
        raise CodecError(f"{target} cannot be replaced: it holds {others[0]}, which no earlier run wrote.")


def remove_files(folder: Path, names: re.Pattern[str]) -> None:
    """Removes the files of these names from a folder. Raises CodecError."""
    try:
        for name in os.listdir(folder):
            if names.fullmatch(name):
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise CodecError(f"{folder} cannot be written: {reason(error)}.") from None


@contextmanager
def whole_folder(target: Path, force: bool, names: re.Pattern[str]) -> Iterator[Path]:
    """A folder to fill, which is renamed to `target` at the end; after an exception nothing is left of it.

    Of several processes the first one wins, or with `force` the last. Raises CodecError as `check_folder`, and where
    something cannot be written. With `force` there are two renames, and a moment with neither the old nor the new one.
    """
    check_folder(target, force, names)
    made, descriptor = None, None
    try:
        parent = Path(os.path.realpath(target)).parent
        parent.mkdir(parents=True, exist_ok=True)
        temporary.remove_abandoned(parent, temporary.FOLDER, partial(shutil.rmtree, ignore_errors=True))
        while descriptor is None:
            made = temporary.new_path(parent, temporary.FOLDER)
            made.mkdir()  # not tempfile's: that is private, and this one has the mode that the user's umask gives
            descriptor = _locked(made)
        assert made is not None
        yield made
        _put(made, target, force, names)
    except OSError as error:
        raise CodecError(f"{target} cannot be written: {reason(error)}.") from None
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def _put(made: Path, target: Path, force: bool, names: re.Pattern[str]) -> None:
    path = Path(os.path.realpath(target))
    if not path.exists() or not os.listdir(path):
        try:
            if sys.platform == "win32" and path.exists():
                path.rmdir()  # elsewhere a rename replaces an empty folder
            made.rename(path)
            return
        except OSError:
            if not path.exists() or not os.listdir(path):
                raise
    check_folder(target, force, names)  # again: another process may have been faster
    old = temporary.new_path(made.parent, temporary.FOLDER)
    path.rename(old)
    try:
        made.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _locked(folder: Path) -> int | None:
    """A descriptor that locks a new folder; None where another process took it for abandoned before."""
    # Windows cannot open folders
    descriptor = os.open(os.devnull if sys.platform == "win32" else folder, os.O_RDONLY)
    if temporary.keep(descriptor, folder):
        return descriptor
    os.close(descriptor)
    return None
