"""Bytes from and to paths and addresses. `-` is standard input or output; output appears whole or not at all.

Every failure is a CodecError, whose message names the path and the reason in one sentence. A file is written as a
temporary one beside it and renamed (`imgcodec.storage.temporary`).
"""

import functools
import io
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TypeAlias

from imgcodec.bitstream.cursor import FileSlices, Slices
from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.storage import remote, temporary

STANDARD = "-"
CHUNK = 2**20  # bytes read at once

FileLike: TypeAlias = bytes | bytearray | memoryview | str | PathLike[str] | BinaryIO
"""Bytes, a path (`-` is standard input), or a binary file object."""


def contents(data: FileLike, limit: int) -> bytes:
    """The bytes of a file that is given by them, by its path or by a binary file object. Raises as `read`, and
    UsageError for anything else."""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if isinstance(data, str | PathLike) or hasattr(data, "read"):
        return read(data, limit)
    raise UsageError(
        f"A file is given as bytes, a path or a binary file object, not as something of the type {type(data).__name__}."
    )


def read(source: str | PathLike[str] | BinaryIO, limit: int = DEFAULT_LIMITS.file_bytes) -> bytes:
    """All bytes of the file at a path or address, of standard input for `-`, or left in a file object.

    Raises CodecError where there is no such file, UsageError for a file object that gives text, InvalidFileError for
    what cannot be read or has more than `limit` bytes: pipes and devices may never end.
    """
    name = name_of(source)
    with _reading(name):
        if not isinstance(source, str | PathLike):
            return _all(source, name, limit)
        if remote.is_remote(str(source)):
            return remote.read(str(source), limit)
        if str(source) == STANDARD:
            if sys.stdin is None:
                raise CodecError("Standard input is closed.")
            return _all(sys.stdin.buffer, name, limit)
        with open(source, "rb") as file:
            return _all(file, name, limit)


@contextmanager
def opened(data: FileLike, limit: int) -> Iterator[Slices]:
    """A file of which only parts are to be read. What cannot seek, as a pipe, is read as a whole. Raises as `contents`,
    also when parts are read."""
    if isinstance(data, bytes | bytearray | memoryview):
        yield bytes(data)
    elif not isinstance(data, str | PathLike) and hasattr(data, "read"):
        yield _slices(data, name_of(data), limit)
    elif not isinstance(data, str | PathLike) or str(data) == STANDARD:
        yield contents(data, limit)
    elif remote.is_remote(str(data)):
        with remote.opened(str(data)) as file:
            yield _slices(file, str(data), limit)
    else:
        with _reading(name_of(data)):
            file = open(data, "rb")  # noqa: SIM115 - what is done with it does not fail as reading does
        with file:
            yield _slices(file, name_of(data), limit)


class _NamedSlices(FileSlices):
    """Whose errors are those of `read`."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        super().__init__(file)
        self._name = name

    def _read(self, start: int, count: int) -> bytes:
        with _reading(self._name):
            return super()._read(start, count)


def _slices(file: BinaryIO, name: str, limit: int) -> Slices:
    with _reading(name):
        can_seek = getattr(file, "seekable", None)
        return _NamedSlices(file, name) if can_seek and can_seek() else _all(file, name, limit)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Makes CodecErrors of what goes wrong when files are read."""
    try:
        yield
    except FileNotFoundError:
        raise CodecError(f"There is no file {name}.") from None
    except IsADirectoryError:
        raise InvalidFileError(f"{name} is a folder, not a file.") from None
    except CodecError:
        raise
    except (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
        # ValueError: a name with a null character, a closed file; the last three: a file object that unpacks
        raise InvalidFileError(f"{name} cannot be read: {reason(error)}.") from None


def name_of(source: str | PathLike[str] | BinaryIO) -> str:
    """The name of a source in messages."""
    if not isinstance(source, str | PathLike):
        return "The input"
    return "Standard input" if str(source) == STANDARD else str(source) or "''"


def _all(file: BinaryIO, name: str, limit: int) -> bytes:
    gathered = io.BytesIO()
    while chunk := file.read(CHUNK):
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise UsageError("A file object must be opened in binary mode, as by open(path, 'rb').")
        if gathered.tell() + len(chunk) > limit:
            raise InvalidFileError(f"{name} has more than the limit of {limit} bytes.")
        gathered.write(chunk)
    return gathered.getvalue()


def is_same(source: str | Path, target: str | Path) -> bool:
    """Whether two names are of one existing file."""
    try:
        return STANDARD not in (str(source), str(target)) and Path(source).samefile(target)
    except OSError:
        return False


def check_output(path: str | Path, force: bool) -> None:
    """Raises the CodecError that `write` would raise, as far as that is known beforehand. Changes nothing."""
    if str(path) == STANDARD:
        if sys.stdout is None:
            raise CodecError("Standard output is closed.")
        if sys.stdout.isatty():
            raise CodecError("Standard output is a terminal, which cannot show the bytes; name a file with -o.")
        return
    if remote.is_remote(str(path)):
        remote.check_output(str(path), force)
        return
    target, mode = _target(path)
    if str(path).endswith(os.sep) and (mode is None or stat.S_ISREG(mode)):
        raise CodecError(f"{path} cannot be written: there is no such folder.")
    if mode is None or stat.S_ISREG(mode):
        if mode is not None and not force:
            raise CodecError(f"{path} exists already; -f replaces it.")
        folder = target.parent
        if not folder.is_dir():
            raise CodecError(f"{path} cannot be written: there is no folder {folder}.")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise CodecError(f"{path} cannot be written: the folder {folder} is not writable.")
    elif stat.S_ISDIR(mode):
        raise CodecError(f"{path} cannot be written: it is a folder.")


def write(path: str | Path, data: bytes, force: bool = False, time: int | None = None) -> None:
    """Writes `data` to a temporary file beside `path` and renames it, so that it is there whole or not at all.

    An existing file is replaced only with `force`, and keeps its mode. Of several processes or threads that write to
    one path, the last one wins, or without `force` the first. A symbolic link stays, its target is replaced. Devices
    and pipes are written to directly. time: of modification, in nanoseconds; None for now. Raises CodecError, and
    leaves nothing behind, where that fails.
    """
    if remote.is_remote(str(path)):
        remote.write(str(path), data, force)
        return
    check_output(path, force)
    try:
        if str(path) == STANDARD:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        target, mode = _target(path)
        if mode is not None and not stat.S_ISREG(mode):
            target.write_bytes(data)
            return
        _put(target, data, mode, force, time)
    except BrokenPipeError:  # nobody reads the rest, which is not a failure to report
        raise
    except FileExistsError:
        raise CodecError(f"{path} exists already; -f replaces it.") from None
    except OSError as error:
        raise CodecError(f"{path} cannot be written: {reason(error)}.") from None


def _put(target: Path, data: bytes, mode: int | None, force: bool, time: int | None) -> None:
    _remove_abandoned(target.parent)
    descriptor, path = _temporary(target.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if mode is not None:
                path.chmod(stat.S_IMODE(mode))
            if time is not None:
                os.utime(path, ns=(time, time))
            if sys.platform == "win32":
                file.close()  # Windows moves no open files; elsewhere it stays locked until it is moved
            if force or not _linked(path, target):
                path.replace(target)
    except BaseException:  # an interrupt, too, may not leave a temporary file
        path.unlink(missing_ok=True)
        raise


def _linked(path: Path, target: Path) -> bool:
    """Moves a file to where there must be none, or returns False where the file system has no links.

    A rename would replace what another process may have put there since it was looked at. Raises FileExistsError.
    """
    try:
        os.link(path, target)
    except FileExistsError:
        raise
    except OSError:
        return False
    path.unlink()
    return True


def _temporary(folder: Path) -> tuple[int, Path]:
    """A new file in the folder, open for writing and locked; and its path."""
    while True:
        path = temporary.new_path(folder, temporary.FILE)
        # Not tempfile: its files are private, and a new file here has the mode that the user's umask gives.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        if temporary.keep(descriptor, path):
            return descriptor, path
        os.close(descriptor)


@functools.cache
def _remove_abandoned(folder: Path) -> None:
    """Runs once per folder, because the search takes a while in a large one."""
    temporary.remove_abandoned(folder, temporary.FILE, Path.unlink)


def _target(path: str | Path) -> tuple[Path, int | None]:
    """The path to write to, and the mode of what is there, None for nothing. Raises CodecError.

    Symbolic links are followed to files only: `/dev/stdout` may lead to a pipe, which has no path of its own.
    """
    if not str(path):
        raise UsageError("An empty name is the name of no file.")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = None
    except (OSError, ValueError) as error:
        raise CodecError(f"{path} cannot be written: {reason(error)}.") from None
    if mode is None or stat.S_ISREG(mode):
        return Path(os.path.realpath(path)), mode
    return Path(path), mode


def reason(error: Exception) -> str:
    """The message of an error, as the end of a sentence: `no space left on device`."""
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    text = text or type(error).__name__
    return (text[:1].lower() + text[1:]).rstrip(".")
