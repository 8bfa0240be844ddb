"""Files at addresses like s3://bucket/photo.png, gs://... and https://..., through fsspec (the extra `remote`).

An object appears whole or not at all where the service has it so, as S3 and Google Cloud Storage do.
"""

import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO

from imgcodec.bitstream.errors import CodecError, InvalidFileError

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
CHUNK = 2**20  # bytes read at once
RANGE = 2**16  # bytes that are fetched at once where only parts are wanted


def is_remote(name: str) -> bool:
    """Whether a name is an address, not a path."""
    return _ADDRESS.match(name) is not None


def name_of(address: str) -> str:
    """The name of the file at an address: photo.png of https://host/photo.png?size=large."""
    if re.match("https?://", address, re.IGNORECASE):
        address = re.split("[?#]", address)[0]
    return posixpath.basename(address.rstrip("/"))


def read(address: str, limit: int) -> bytes:
    """All bytes. Raises CodecError where there is no such file, InvalidFileError for one of more than `limit` bytes or
    that cannot be read."""
    with _speaking(address, "read", InvalidFileError):
        system, path = _open_system(address)
        gathered = bytearray()
        with system.open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                gathered += chunk
                if len(gathered) > limit:
                    raise InvalidFileError(f"{address} has more than the limit of {limit} bytes.")
        return bytes(gathered)


@contextmanager
def opened(address: str) -> Iterator[BinaryIO]:
    """A file of which only parts are to be read, RANGE bytes at once. Raises CodecError where there is no such file."""
    with _speaking(address, "read", InvalidFileError):
        system, path = _open_system(address)
        file = system.open(path, "rb", block_size=RANGE)
    with file:
        yield file


def check_output(address: str, force: bool) -> None:
    """Raises CodecError where a file may not be written: it is there, or nothing can be written at such addresses."""
    if re.match("https?://", address, re.IGNORECASE):
        raise CodecError(f"{address} cannot be written: web servers are read only; name an output with -o.")
    with _speaking(address, "written", CodecError):
        system, path = _open_system(address)
        if not force and system.exists(path):
            raise CodecError(f"{address} exists already; -f replaces it.")


def write(address: str, data: bytes, force: bool) -> None:
    """Writes a file in one piece. Raises CodecError as `check_output`, and where that fails."""
    check_output(address, force)
    with _speaking(address, "written", CodecError):
        system, path = _open_system(address)
        system.makedirs(system._parent(path), exist_ok=True)
        system.pipe_file(path, data)


def is_folder(address: str) -> bool:
    """Whether there are files below an address."""
    if re.match("https?://", address, re.IGNORECASE):
        return address.endswith("/")
    with _speaking(address, "read", CodecError):
        system, path = _open_system(address)
        return bool(system.isdir(path))


def files_below(address: str) -> list[tuple[str, str]]:
    """Names relative to an address, with `/`, and addresses of all files below it, sorted; hidden ones are left out."""
    with _speaking(address, "read", CodecError):
        system, path = _open_system(address)
        root = path.rstrip("/") + "/"
        found = []
        for member in system.find(path):
            name = member.removeprefix(root)
            if member != name and not any(part.startswith(".") for part in name.split("/")):
                found.append((name, system.unstrip_protocol(member)))
        return sorted(found)


def modified(address: str) -> int | None:
    """When a file was changed, in nanoseconds; 0 where the service does not say, None where there is no such file."""
    info = _info(address)
    if info is None:
        return None
    for name in ("LastModified", "mtime", "updated", "created", "last_modified"):
        if (time := _time(info.get(name))) is not None:
            return int(time.timestamp() * 1e9)
    return 0


def size(address: str) -> int:
    """Bytes of a file; 0 where that is not known."""
    with suppress(CodecError):
        return int((_info(address) or {}).get("size") or 0)
    return 0


def head(address: str, count: int) -> bytes:
    """The first bytes of a file."""
    with _speaking(address, "read", CodecError):
        system, path = _open_system(address)
        return bytes(system.cat_file(path, start=0, end=count))


def _info(address: str) -> dict[str, Any] | None:
    with _speaking(address, "read", CodecError):
        system, path = _open_system(address)
        try:
            return dict(system.info(path))
        except FileNotFoundError:
            return None


def _time(value: object) -> datetime | None:
    """Services say it as a time, as seconds, or as text."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str):
        from email.utils import parsedate_to_datetime  # rooms of `email` that no other file needs

        try:
            return datetime.fromisoformat(value)
        except ValueError:
            try:
                return parsedate_to_datetime(value)
            except ValueError:
                return None
    return None


def _open_system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path there. Raises CodecError where a package is missing."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise CodecError(f"{address} needs an extra: pip install 'imgcodec[remote]'.") from None
    try:
        system, path = url_to_fs(address, use_listings_cache=False)
    except ImportError as error:
        raise CodecError(f"{address} needs an extra: pip install 'imgcodec[remote]' ({error}).") from None
    except ValueError as error:
        raise CodecError(f"{address} is no address of a kind that is known: {error}.") from None
    return system, str(path)


@contextmanager
def _speaking(address: str, what: str, kind: type[CodecError]) -> Iterator[None]:
    """Makes a sentence of whatever a service raises: each has errors of its own."""
    try:
        yield
    except (CodecError, MemoryError):
        raise
    except FileNotFoundError:
        raise CodecError(f"There is no file {address}.") from None
    except Exception as error:
        reason = " ".join((str(error) or type(error).__name__).split()).rstrip(".")
        raise kind(f"{address} cannot be {what}: {reason:.300}.") from None
