"""Output appears whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from imgcodec import files
from imgcodec.bitstream.errors import CodecError, InvalidFileError


def test_writes_and_reads(tmp_path: Path) -> None:
    files.write(tmp_path / "a", b"data")
    assert files.read(tmp_path / "a") == b"data"
    assert os.listdir(tmp_path) == ["a"]


def test_mode_is_that_of_the_umask_or_of_the_file_replaced(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write(tmp_path / "a", b"new")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
        (tmp_path / "a").chmod(0o604)
        files.write(tmp_path / "a", b"newer", force=True)
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o604
    finally:
        os.umask(before)


def test_an_existing_file_stays_without_force(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(CodecError, match="exists already"):
        files.write(tmp_path / "a", b"yours")
    assert (tmp_path / "a").read_bytes() == b"mine"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, moment: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os if moment == "fsync" else Path, moment, fail)
    expected = CodecError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match="no space left on device" if expected is CodecError else None):
        files.write(tmp_path / "a", b"new", force=True)
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    files.write(tmp_path / "link", b"new", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_dangling_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    files.write(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_device_is_written_to_and_not_replaced() -> None:
    files.write(os.devnull, b"data", force=True)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    read, write = os.pipe()
    with open(read, "rb") as reader, open(write, "wb"):
        files.write(f"/dev/fd/{write}", b"data")
        assert reader.read(4) == b"data"


def test_a_name_that_the_system_does_not_take(tmp_path: Path) -> None:
    for name in ("a" * 300, "a\0b"):
        with pytest.raises(CodecError, match="cannot be written"):
            files.write(tmp_path / name, b"")
        with pytest.raises(InvalidFileError, match="cannot be read"):
            files.read(tmp_path / name)


def test_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(CodecError):
        files.write(tmp_path / "a", b"")
    with pytest.raises(InvalidFileError):
        files.read(tmp_path / "a")
