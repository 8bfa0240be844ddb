"""Folders appear whole or not at all."""

import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.storage import temporary
from imgcodec.storage.folders import check_empty, make_folder, parse_split, remove_files, split, whole_folder

OURS = re.compile(r"part-\d\.tar")


def test_a_folder_appears_when_it_is_filled(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with whole_folder(target, False, OURS) as folder:
        (folder / "part-0.tar").write_bytes(b"a")
        assert not target.exists()
    assert (target / "part-0.tar").read_bytes() == b"a"
    with whole_folder(target, True, OURS) as folder:
        (folder / "part-1.tar").write_bytes(b"b")
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(target) == ["part-1.tar"]


def test_an_exception_leaves_no_folder(tmp_path: Path) -> None:
    def fill_until_it_fails() -> None:
        with whole_folder(tmp_path / "out", False, OURS) as folder:
            (folder / "part-0.tar").write_bytes(b"a")
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        fill_until_it_fails()
    assert os.listdir(tmp_path) == []


def test_the_old_folder_stays_where_the_new_one_cannot_take_its_place(tmp_path: Path, monkeypatch) -> None:
    target = tmp_path / "out"
    with whole_folder(target, False, OURS) as folder:
        (folder / "part-0.tar").write_bytes(b"a")
    rename = Path.rename

    def failing(path: Path, to: Path) -> Path:
        if to == target and (path / "part-1.tar").exists():
            raise OSError(5, "Input/output error")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(CodecError, match="cannot be written"), whole_folder(target, True, OURS) as folder:
        (folder / "part-1.tar").write_bytes(b"b")
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(target) == ["part-0.tar"]


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(CodecError, match=r"it holds holiday\.jpg"), whole_folder(tmp_path, True, OURS):
        pass
    assert os.listdir(tmp_path) == ["holiday.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="abandoned folders are told by their locks")
def test_folders_of_killed_processes_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    abandoned = tmp_path / temporary.FOLDER.format("abandoned")
    abandoned.mkdir()
    (abandoned / "part-0.tar").write_bytes(b"half")
    with whole_folder(tmp_path / "first", False, OURS) as living:
        assert not abandoned.exists()
        with whole_folder(tmp_path / "second", False, OURS):
            assert living.exists()
    assert sorted(os.listdir(tmp_path)) == ["first", "second"]


def test_a_folder_with_files_needs_force(tmp_path: Path) -> None:
    assert check_empty(tmp_path / "nowhere", False) == []
    (tmp_path / "mine").write_bytes(b"")
    assert check_empty(tmp_path, True) == ["mine"]
    with pytest.raises(CodecError, match=r"is not empty; -f replaces"):
        check_empty(tmp_path, False)
    with pytest.raises(CodecError, match="cannot be written"):
        check_empty(tmp_path / "mine", False)


def test_files_are_removed_by_their_names(tmp_path: Path) -> None:
    for name in ("part-0.tar", "part-1.tar", "part-0.tar.gz"):
        (tmp_path / name).write_bytes(b"")
    remove_files(tmp_path, OURS)
    assert os.listdir(tmp_path) == ["part-0.tar.gz"]
    with pytest.raises(CodecError, match="cannot be written"):
        remove_files(tmp_path / "nowhere", OURS)


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CodecError, match=r"cannot be written: .*\.$"):
        make_folder(tmp_path / "file" / "c")


@given(st.integers(0, 300), st.lists(st.integers(1, 100), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_a_split_divides_everything_fairly(count, weights, seed) -> None:
    shares = {f"part{index}": weight / sum(weights) for index, weight in enumerate(weights)}
    parts = split(range(count), shares, seed)
    assert sorted(item for part in parts.values() for item in part) == list(range(count))
    for name, share in shares.items():
        assert abs(len(parts[name]) - share * count) <= 1 + 1e-6
    assert parts == split(range(count), shares, seed)


@pytest.mark.parametrize(
    "text", ["", "train", "train=0.9", "train=1.1", "a=0.5,a=0.5", "a=-1,b=2", "../x=1", "a=nan", "A=1"]
)
def test_splits_that_make_no_sense(text) -> None:
    with pytest.raises(UsageError):
        parse_split(text)
