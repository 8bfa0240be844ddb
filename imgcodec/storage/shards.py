"""Shards: files of bounded size in a folder, `PART-000000.SUFFIX` and so on, and a manifest beside them."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Generic, TypeVar

from imgcodec.bitstream.errors import UsageError
from imgcodec.storage import files

MANIFEST = "manifest.jsonl"

Item = TypeVar("Item")


def shard_names(suffix: str) -> re.Pattern[str]:
    """The names of shards of a kind."""
    return re.compile(rf"[a-z][a-z0-9_]*-\d{{6}}\.{suffix}")


def output_names(suffix: str) -> re.Pattern[str]:
    """The names of all files in a folder of shards of a kind."""
    return re.compile(f"{shard_names(suffix).pattern}|{re.escape(MANIFEST)}")


def write_manifest(folder: Path, lines: Iterable[str]) -> None:
    """Writes the manifest, a line of JSON per picture. Raises CodecError."""
    files.write(folder / MANIFEST, "".join(f"{line}\n" for line in lines).encode())


class ShardWriter(ABC, Generic[Item]):
    """Writes the shards of one part, each as full as its limit in bytes allows.

    sizes: bytes of the shards that are finished, by name. count: items in all shards.
    """

    def __init__(self, folder: Path, part: str, suffix: str, limit: float) -> None:
        self.folder, self.part, self.suffix, self.limit = folder, part, suffix, limit
        self.sizes: dict[str, int] = {}
        self.count = self.finished = 0

    @property
    def shard(self) -> str:
        """The name of the shard that is being filled."""
        return f"{self.part}-{len(self.sizes):06d}.{self.suffix}"

    def add(self, name: str, item: Item) -> str:
        """Puts an item into a shard, and returns the shard's name. Raises UsageError if it is too large for any,
        CodecError or OSError where a shard cannot be written."""
        if self.size_with(name, item) > self.limit:
            self.finish()
        size = self.size_with(name, item)
        if size > self.limit:
            raise UsageError(f"{name} takes {size:.0f} bytes, too many for shards of {self.limit:.0f} bytes.")
        self.append(name, item)
        self.count += 1
        return self.shard

    def finish(self) -> None:
        """Ends the shard that is being filled, if there is anything in it. Raises as `add`."""
        if self.count > self.finished:
            self.sizes[self.shard] = self.end()
            self.finished = self.count

    @abstractmethod
    def size_with(self, name: str, item: Item) -> float:
        """Bytes of the shard that is being filled, if the item is added to it."""

    @abstractmethod
    def append(self, name: str, item: Item) -> None:
        """Puts an item into the shard that is being filled."""

    @abstractmethod
    def end(self) -> int:
        """Has the shard on the disk, and returns its bytes. What is appended next goes to another one."""
