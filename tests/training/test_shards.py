"""Tar shards of pictures: whole, as full as the limit allows, and the same bytes every time."""

import hashlib
import io
import json
import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgcodec import CodecError, UsageError
from imgcodec.training.data import load_photographs
from imgcodec.training.shards import Packed, pack_pictures

FORMATS = {"jpg": ".jpg", "png": ".png", "webp": ".webp", "tif": ".tif", "ppm": ".ppm", "bmp": ".png", "gif": ".png"}
"""Suffixes of files, and of the members that they become."""


@pytest.fixture
def sources(tmp_path: Path) -> list[tuple[str, Path]]:
    """Fourteen pictures of seven formats, all of them named otherwise."""
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    found = []
    for index, suffix in enumerate(2 * list(FORMATS)):
        path = tmp_path / "in" / f"{index}.{suffix}"
        Image.fromarray(rng.integers(0, 256, (20 + index, 30, 3), dtype=np.uint8)).save(path)
        found.append((path.name, path.rename(path.with_suffix(".data"))))
    return found


def pack(sources: list[tuple[str, Path]], folder: Path, limit: int = 2**20, seed: int = 1, **more: object) -> Packed:
    options = {"shares": None, "force": False, "complain": print} | more
    return pack_pictures(sources, folder, limit, seed=seed, **options)


def members(folder: Path) -> dict[str, dict[str, bytes]]:
    """The files in each shard, in their order."""
    shards = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            shards[path.name] = {member.name: tar.extractfile(member).read() for member in tar}
    return shards


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_members_are_the_files_under_the_names_of_their_formats(sources, tmp_path) -> None:
    done = pack(sources, tmp_path / "out")
    (shard,) = members(tmp_path / "out").values()
    assert (done.pictures, done.skipped) == ({"pictures": 14}, 0)
    assert done.shards == {"pictures-000000.tar": (tmp_path / "out" / "pictures-000000.tar").stat().st_size}
    files = dict(sources)
    for index, line in enumerate(lines(tmp_path / "out")):
        suffix = FORMATS[line["source"].split(".")[1]]
        assert line["name"] == f"{index:09d}{suffix}"
        data, original = shard[line["name"]], files[line["source"]].read_bytes()
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
        stored, picture = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(original))
        assert stored.size == picture.size == (line["width"], line["height"])
        if suffix != ".png" or line["source"].endswith("png"):
            assert data == original
        else:  # a format that training does not take
            assert np.array_equal(np.asarray(stored.convert("RGB")), np.asarray(picture.convert("RGB")))
    assert len(load_photographs([tmp_path / "out" / "pictures-000000.tar"], 8)) == 14


def test_a_shard_ends_where_the_next_member_would_be_too_much(sources, tmp_path) -> None:
    limit = 20480
    done = pack(sources, tmp_path / "out", limit)
    shards = list(members(tmp_path / "out").values())
    assert len(shards) > 2
    assert max(done.shards.values()) <= limit
    for shard, following in pairwise(shards):
        first = next(iter(following.values()))
        blocks = sum(512 + -(-len(data) // 512) * 512 for data in (*shard.values(), first))
        assert -(-(blocks + 1024) // 10240) * 10240 > limit


def test_the_same_seed_gives_the_same_bytes(sources, tmp_path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        pack(sources, tmp_path / name, 20480, seed)
    a, b, c = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b", "c"))
    assert a == b
    assert a != c
    assert {line["source"] for line in lines(tmp_path / "c")} == set(dict(sources))


def test_every_share_has_shards_of_its_own(sources, tmp_path) -> None:
    done = pack(sources, tmp_path / "out", shares={"train": 0.5, "valid": 0.5})
    assert done.pictures == {"train": 7, "valid": 7}
    assert {name: len(shard) for name, shard in members(tmp_path / "out").items()} == {
        "train-000000.tar": 7,
        "valid-000000.tar": 7,
    }


def test_what_is_no_picture_is_skipped_and_named(sources, tmp_path) -> None:
    (tmp_path / "note").write_bytes(b"no picture")
    (tmp_path / "half").write_bytes(sources[0][1].read_bytes()[:300])
    told: list[str] = []
    advanced: list[None] = []
    more = [("note", tmp_path / "note"), ("half", tmp_path / "half")]
    done = pack([*more, *sources], tmp_path / "out", complain=told.append, advance=lambda: advanced.append(None))
    assert (done.pictures, done.skipped, len(advanced)) == ({"pictures": 14}, 2, 16)
    assert sorted(line.split(": ")[0] for line in told) == ["Skipped half", "Skipped note"]
    with pytest.raises(CodecError, match="There is no picture among the 2 files"):
        pack(more, tmp_path / "none")
    with pytest.raises(CodecError, match="There are no files"):
        pack([], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_picture_that_no_shard_can_hold_is_refused_and_nothing_is_left(sources, tmp_path) -> None:
    with pytest.raises(UsageError, match="too many for shards of 5000 bytes"):
        pack(sources, tmp_path / "out", 5000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
