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

    if not folder.is_dir():
        raise CodecError(f"{folder} is not a folder." if folder.exists() else f"There is no folder {folder}.")
    for parent, folders, names in os.walk(folder, onerror=failed):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                found.append((path.relative_to(folder).as_posix(), path))
    return sorted(found)


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


def check_folder(target: Path, force: bool, is_ours: re.Pattern[str]) -> None:
    """Raises CodecError unless a folder may be written: not there, empty, or with `force` of nothing but ours.

    is_ours: the names of files that may be removed. Nobody's pictures are lost to a wrong -o.
    """
    try:
        if target.exists() and target.samefile("."):
            raise CodecError(f"{target} is the folder that the command runs in; name another one with -o.")
        names = os.listdir(target) if target.exists() else []
        strange = [name for name in names if not is_ours.fullmatch(name)]
    except OSError as error:
        raise CodecError(f"{target} cannot be written: {reason(error)}.") from None
    if names and not force:
        raise CodecError(f"{target} is not empty; -f replaces what an earlier run left there.")
    if strange:
        raise CodecError(f"{target} cannot be replaced: it holds {strange[0]}, which is of another making.")


@contextmanager
def whole_folder(target: Path, force: bool, is_ours: re.Pattern[str]) -> Iterator[Path]:
    """A folder to fill, which is renamed to `target` at the end; after an exception nothing is left of it.

    Of several processes the first one wins, or with `force` the last. Raises CodecError as `check_folder`, and where
    something cannot be written. With `force` there are two renames, and a moment with neither the old nor the new one.
    """
    check_folder(target, force, is_ours)
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
        _put(made, target, force, is_ours)
    except OSError as error:
        raise CodecError(f"{target} cannot be written: {reason(error)}.") from None
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def _put(made: Path, target: Path, force: bool, is_ours: re.Pattern[str]) -> None:
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
    check_folder(target, force, is_ours)  # again: another process may have been faster
    old = temporary.new_path(made.parent, temporary.FOLDER)
    path.rename(old)
    made.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _locked(folder: Path) -> int | None:
    """A descriptor that locks a new folder; None where another process took it for abandoned before."""
    # Windows cannot open folders
    descriptor = os.open(os.devnull if sys.platform == "win32" else folder, os.O_RDONLY)
    if temporary.keep(descriptor, folder):
        return descriptor
    os.close(descriptor)
    return None
