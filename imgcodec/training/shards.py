"""Tar shards of folders of pictures, as webdataset has them: members are named by number, one sample per picture.

The same files, seed and sizes give the same bytes on every machine.
"""

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.pictures import io as image
from imgcodec.storage import files, folders

MANIFEST = "manifest.jsonl"
OURS = re.compile(r"[a-z][a-z0-9_]*-\d{6}\.tar|manifest\.jsonl")
WITHOUT_SPLIT = "pictures"  # the name of the shards then
RECORD = tarfile.RECORDSIZE
BLOCK = tarfile.BLOCKSIZE
END = 2 * BLOCK
SIGNATURES = (
    (rb"\xff\xd8\xff", ".jpg"),
    (rb"\x89PNG\r\n\x1a\n", ".png"),
    (rb"RIFF....WEBP", ".webp"),
    (rb"II\*\0|MM\0\*", ".tif"),
    (rb"P[1-6]\s", ".ppm"),
)


@dataclass
class Packed:
    """shards: bytes of each. pictures: number in each part of the split. skipped: number of files."""

    shards: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, int] = field(default_factory=dict)
    skipped: int = 0


def pack_pictures(
    sources: list[tuple[str, Path]],
    target: Path,
    shard_bytes: int,
    shares: dict[str, float] | None,
    seed: int,
    force: bool,
    complain: Callable[[str], None],
    advance: Callable[[], None] = lambda: None,
) -> Packed:
    """Writes shards `NAME-000000.tar` and `manifest.jsonl`, whole or not at all.

    sources: names and paths, as of `folders.files_below`. shares: of the pictures, by name; None for all in one.
    complain: called with a sentence for each file that is not a whole picture, which is skipped. A picture in a format
    that `load_photographs` does not take is stored as PNG. Raises CodecError where there is no picture or nothing can
    be written, UsageError for a picture larger than a shard.
    """
    parts = folders.split(sources, shares or {WITHOUT_SPLIT: 1.0}, seed)
    with folders.whole_folder(target, force, OURS) as folder:
        done = Packed()
        lines: list[str] = []
        for part, members in parts.items():
            with closing(_Shards(folder, part, shard_bytes)) as writer:
                for source, path in members:
                    try:
                        data, width, height, suffix = _picture(path)
                    except CodecError as error:
                        complain(f"Skipped {source}: {error}")
                        done.skipped += 1
                    else:
                        name = f"{len(lines):09d}{suffix}"
                        if not writer.add(name, data):
                            raise UsageError(f"{source} has {len(data)} bytes, too many for shards of {shard_bytes}.")
                        line = {"name": name, "shard": writer.name, "sha256": hashlib.sha256(data).hexdigest()}
                        lines.append(json.dumps({**line, "width": width, "height": height, "source": source}))
                    advance()
                writer.finish()
            done.shards |= writer.sizes
            done.pictures[part] = writer.members
        if not lines:
            raise CodecError(
                f"There is no picture among the {len(sources)} files." if sources else "There are no files."
            )
        files.write(folder / MANIFEST, "".join(f"{line}\n" for line in lines).encode())
    return done


def _picture(path: Path) -> tuple[bytes, int, int, str]:
    """A file's bytes, or those of a PNG of it, its size and the suffix of its format. Raises CodecError."""
    data = files.read(path)
    try:
        picture = image.load(data)
    except InvalidFileError as error:
        raise InvalidFileError(str(error).replace("The input", "it", 1)) from None
    for signature, suffix in SIGNATURES:
        if re.match(signature, data[:16], re.DOTALL):
            return data, picture.width, picture.height, suffix
    return image.encode(picture, "PNG")[0], picture.width, picture.height, ".png"


class _Shards:
    """Tar files of bounded size, one after the other."""

    def __init__(self, folder: Path, part: str, limit: int) -> None:
        self.folder, self.part, self.limit = folder, part, limit
        self.sizes: dict[str, int] = {}
        self.members = 0
        self.file: BinaryIO | None = None
        self.tar: tarfile.TarFile | None = None

    @property
    def name(self) -> str:
        return f"{self.part}-{len(self.sizes) - 1:06d}.tar"

    def add(self, name: str, data: bytes) -> bool:
        """Writes a member to the current shard or a new one; returns False if it is too large for any."""
        needed = BLOCK + _rounded(len(data), BLOCK)
        if _rounded(needed + END, RECORD) > self.limit:
            return False
        if self.tar is None or _rounded(self.tar.offset + needed + END, RECORD) > self.limit:
            self.finish()
            self.sizes[f"{self.part}-{len(self.sizes):06d}.tar"] = 0
            self.file = (self.folder / self.name).open("xb")
            self.tar = tarfile.TarFile(fileobj=self.file, mode="w", format=tarfile.USTAR_FORMAT)
        member = tarfile.TarInfo(name)  # no owner and no time: they would differ from run to run
        member.size = len(data)
        self.tar.addfile(member, io.BytesIO(data))
        self.members += 1
        return True

    def finish(self) -> None:
        """Completes the shard that is being written, and flushes it to the disk."""
        if self.tar is not None and self.file is not None:
            self.tar.close()
            self.file.flush()
            os.fsync(self.file.fileno())
            self.sizes[self.name] = self.file.tell()
            self.close()

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = self.tar = None


def _rounded(size: int, unit: int) -> int:
    return -(-size // unit) * unit
