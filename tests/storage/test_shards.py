"""Shards: as full as the limit allows, numbered, and never larger than it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.bitstream.errors import UsageError
from imgcodec.storage.shards import ShardWriter, output_names, shard_names


class Texts(ShardWriter[str]):
    """Shards that are texts in memory."""

    def __init__(self, limit: int) -> None:
        super().__init__(Path(), "train", "txt", limit)
        self.text, self.written = "", {}

    def size_with(self, name: str, item: str) -> float:
        return len(self.text) + len(item)

    def append(self, name: str, item: str) -> None:
        self.text += item

    def end(self) -> int:
        text, self.text = self.text, ""
        self.written[self.shard] = text
        return len(text)


@given(st.lists(st.text("ab", max_size=10)), st.integers(10, 30))
def test_items_fill_one_shard_after_the_other(items: list[str], limit: int) -> None:
    writer = Texts(limit)
    names = [writer.add("item", item) for item in items]
    writer.finish()
    writer.finish()  # nothing is left
    assert "".join(writer.written.values()) == "".join(items)
    assert writer.count == len(items)
    assert list(writer.written) == list(dict.fromkeys(names)) == [f"train-{i:06d}.txt" for i in range(len(set(names)))]
    assert writer.sizes == {name: len(text) for name, text in writer.written.items()}
    texts = list(writer.written.values())
    assert all(len(text) <= limit for text in texts)
    firsts = [items[names.index(name)] for name in writer.written]
    assert all(len(text) + len(first) > limit for text, first in zip(texts, firsts[1:], strict=False))


def test_an_item_that_no_shard_can_hold_is_refused() -> None:
    writer = Texts(10)
    writer.add("small", "abc")
    with pytest.raises(UsageError, match=r"^large takes 11 bytes, too many for shards of 10 bytes\.$"):
        writer.add("large", "a" * 11)


def test_names_of_shards_and_of_all_output() -> None:
    assert shard_names("tar").fullmatch("train-000012.tar")
    for name in ("train-12.tar", "Train-000012.tar", "train-000012.tar.gz", "manifest.jsonl", "../a-000012.tar"):
        assert not shard_names("tar").fullmatch(name)
    assert output_names("tar").fullmatch("manifest.jsonl")
    assert not output_names("tar").fullmatch("manifestxjsonl")
