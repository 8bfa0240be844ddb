"""Temporary files and folders, beside the path that they are renamed to: `.imgcodec-*.tmp` and `.imgcodec-*.dir`.

Each is locked while its process lives. One that is not locked was abandoned by a process that was killed, and the next
process that writes into the folder removes it. Windows has no such locks: there abandoned ones stay, under random
names.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

if sys.platform != "win32":
    import fcntl

FILE, FOLDER = ".imgcodec-{}.tmp", ".imgcodec-{}.dir"


def new_path(folder: Path, kind: str) -> Path:
    """A path in the folder at which there is nothing yet. kind: FILE or FOLDER."""
    return folder / kind.format(os.urandom(6).hex())


def keep(descriptor: int, path: Path) -> bool:
    """Locks what was just made at a path until the descriptor is closed, so at the latest when the process ends. False
    if another process took it for abandoned before it was locked, and removed it."""
    _lock(descriptor, wait=True)
    return path.exists()


def remove_abandoned(folder: Path, kind: str, remove: Callable[[Path], object]) -> None:
    """Calls `remove` with each temporary path in the folder whose process is gone."""
    for path in folder.glob(kind.format("*")):
        access = os.O_RDONLY if kind == FOLDER else os.O_WRONLY  # network file systems lock what can be written
        try:
            descriptor = os.open(path, access | getattr(os, "O_NOFOLLOW", 0))
        except OSError:  # gone already, or another user's
            continue
        try:
            if _lock(descriptor, wait=False):
                remove(path)
        except OSError:
            pass
        finally:
            os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> bool:
    """Whether the lock was obtained."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # another process has it; or the file system knows no locks
        return False
    return True
