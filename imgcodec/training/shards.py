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
from typing import BinaryIO, NamedTuple

from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.pictures import io as image
from imgcodec.storage import files, folders
from imgcodec.storage.shards import ShardWriter, output_names, write_manifest

SUFFIX = "tar"
OUTPUT = output_names(SUFFIX)
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
    with folders.whole_folder(target, force, OUTPUT) as folder:
        done = Packed()
        lines: list[str] = []
        for part, members in parts.items():
            with closing(_TarWriter(folder, part, shard_bytes)) as writer:
                for source, path in members:
                    try:
                        data, width, height, suffix = _picture(path)
                    except CodecError as error:
                        complain(f"Skipped {source}: {error}")
                        done.skipped += 1
                    else:
                        name = f"{len(lines):09d}{suffix}"
                        shard = writer.add(source, _Member(name, data))
                        line = {"name": name, "shard": shard, "sha256": hashlib.sha256(data).hexdigest()}
                        lines.append(json.dumps({**line, "width": width, "height": height, "source": source}))
                    advance()
                writer.finish()
            done.shards |= writer.sizes
            done.pictures[part] = writer.count
        if not lines:
            raise CodecError(
                f"There is no picture among the {len(sources)} files." if sources else "There are no files."
            )
        write_manifest(folder, lines)
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


class _Member(NamedTuple):
    """A file in a shard, by its name there."""

    name: str
    data: bytes


class _TarWriter(ShardWriter[_Member]):
    """Tar files, written as their members come."""

    def __init__(self, folder: Path, part: str, limit: int) -> None:
        super().__init__(folder, part, SUFFIX, limit)
        self.file: BinaryIO | None = None
        self.tar: tarfile.TarFile | None = None

    def size_with(self, name: str, item: _Member) -> float:
        """Exact: tar pads each member, and the file."""
        filled = 0 if self.tar is None else self.tar.offset
        return _rounded(filled + BLOCK + _rounded(len(item.data), BLOCK) + END, RECORD)

    def append(self, name: str, item: _Member) -> None:
        if self.tar is None:
            self.file = (self.folder / self.shard).open("xb")
            self.tar = tarfile.TarFile(fileobj=self.file, mode="w", format=tarfile.USTAR_FORMAT)
        member = tarfile.TarInfo(item.name)  # no owner and no time: they would differ from run to run
        member.size = len(item.data)
        self.tar.addfile(member, io.BytesIO(item.data))

    def end(self) -> int:
        assert self.tar is not None
        assert self.file is not None
        self.tar.close()
        self.file.flush()
        os.fsync(self.file.fileno())
        size = self.file.tell()
        self.close()
        return size

    def close(self) -> None:
        """Closes the file of a shard that is not finished."""
        if self.file is not None:
            self.file.close()
            self.file = self.tar = None


def _rounded(size: int, unit: int) -> int:
    return -(-size // unit) * unit
