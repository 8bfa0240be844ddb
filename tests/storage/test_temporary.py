"""Temporary paths: each is its process's as long as it lives, and the next process's to remove after that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imgcodec.storage.temporary import FILE, FOLDER, keep, new_path, remove_abandoned

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="abandoned files are told by their locks")


def made(path: Path, kind: str) -> int:
    """Makes a file or folder, and opens it."""
    path.mkdir() if kind == FOLDER else path.touch()
    return os.open(path, os.O_RDONLY if kind == FOLDER else os.O_WRONLY)


def left_after_removal(folder: Path, kind: str) -> list[Path]:
    remove_abandoned(folder, kind, Path.rmdir if kind == FOLDER else Path.unlink)
    return sorted(folder.iterdir())


def test_new_paths_are_beside_each_other_and_never_the_same(tmp_path: Path) -> None:
    paths = {new_path(tmp_path, FILE) for _ in range(100)}
    assert len(paths) == 100
    for path in paths:
        assert path.parent == tmp_path
        assert path.match(".imgcodec-*.tmp")
        assert not path.exists()
    assert new_path(tmp_path, FOLDER).match(".imgcodec-*.dir")


@pytest.mark.parametrize("kind", [FILE, FOLDER])
def test_what_is_kept_stays_until_it_is_closed(tmp_path: Path, kind: str) -> None:
    path = new_path(tmp_path, kind)
    descriptor = made(path, kind)
    assert keep(descriptor, path)
    assert left_after_removal(tmp_path, kind) == [path]
    os.close(descriptor)
    assert left_after_removal(tmp_path, kind) == []


@pytest.mark.parametrize("kind", [FILE, FOLDER])
def test_what_was_removed_before_it_was_locked_is_not_kept(tmp_path: Path, kind: str) -> None:
    path = new_path(tmp_path, kind)
    descriptor = made(path, kind)
    assert left_after_removal(tmp_path, kind) == []
    assert not keep(descriptor, path)
    os.close(descriptor)


def test_only_paths_of_the_kind_are_removed(tmp_path: Path) -> None:
    (tmp_path / "mine.tmp").touch()
    (tmp_path / ".imgcodec-x.tmp").touch()
    (tmp_path / ".imgcodec-y.dir").mkdir()
    assert left_after_removal(tmp_path, FILE) == [tmp_path / ".imgcodec-y.dir", tmp_path / "mine.tmp"]


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    (tmp_path / ".imgcodec-x.tmp").symlink_to("mine")
    assert left_after_removal(tmp_path, FILE) == [tmp_path / ".imgcodec-x.tmp", tmp_path / "mine"]


def test_the_lock_of_a_killed_process_is_gone(tmp_path: Path) -> None:
    path = new_path(tmp_path, FILE)
    code = """
import os, signal, sys
from pathlib import Path
from imgcodec.storage.temporary import keep
path = Path(sys.argv[1])
assert keep(os.open(path, os.O_CREAT | os.O_WRONLY), path)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, path], check=False)
    assert done.returncode == -9
    assert path.exists()
    assert left_after_removal(tmp_path, FILE) == []
