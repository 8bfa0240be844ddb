"""Output appears whole or not at all, also where processes are killed or meet."""

import errno
import os
import resource
import stat
import sys
import threading
from itertools import count
from pathlib import Path

import pytest
from killed import killed_at

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.storage import files, temporary


def test_a_written_file_is_read_back(tmp_path: Path) -> None:
    files.write(tmp_path / "a", b"data")
    assert files.read(tmp_path / "a") == b"data"
    assert os.listdir(tmp_path) == ["a"]


def test_the_mode_is_that_of_the_umask_or_of_the_replaced_file(tmp_path: Path) -> None:
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


FAILURES = [OSError(code, os.strerror(code)) for code in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT)]


@pytest.mark.parametrize("error", [*FAILURES, KeyboardInterrupt()])
@pytest.mark.parametrize("moment", ["open", "fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, moment: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(Path if moment == "replace" else os, moment, fail)
    expected = CodecError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match=error.strerror[1:] if isinstance(error, OSError) else None) as caught:
        files.write(tmp_path / "a", b"new", force=True)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_symbolic_link_stays_one_when_it_is_written_through(tmp_path: Path) -> None:
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


def test_invalid_names_are_refused(tmp_path: Path) -> None:
    for name in ("a" * 300, "a\0b"):
        with pytest.raises(CodecError, match="cannot be written"):
            files.write(tmp_path / name, b"")
        with pytest.raises(InvalidFileError, match="cannot be read"):
            files.read(tmp_path / name)


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(CodecError):
        files.write(tmp_path / "a", b"")
    with pytest.raises(InvalidFileError):
        files.read(tmp_path / "a")


def test_a_limit_of_the_system_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """A real failure in the middle of the writing: the largest file that the process may make is smaller."""
    (tmp_path / "a").write_bytes(b"old")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9999, limit[1]))
    try:
        with pytest.raises(CodecError, match="file too large"):
            files.write(tmp_path / "a", bytes(10**6), force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_folder_that_may_not_be_written_to_is_refused() -> None:
    """Nobody may write to /sys, not even the superuser, whom the modes of files do not stop."""
    with pytest.raises(CodecError, match=r"/sys/a\.png cannot be written: "):
        files.write("/sys/a.png", b"data")


@pytest.mark.skipif(sys.platform == "win32", reason="abandoned files are told by their locks")
def test_files_of_killed_processes_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    import fcntl

    abandoned, living = (tmp_path / temporary.FILE.format(name) for name in ("abandoned", "living"))
    abandoned.write_bytes(b"half")
    (tmp_path / "mine.tmp").write_bytes(b"not ours")
    with open(living, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        files.write(tmp_path / "a", b"data")
        assert sorted(os.listdir(tmp_path)) == sorted([living.name, "a", "mine.tmp"])


@pytest.mark.parametrize("old", [b"old", None])
def test_a_process_killed_at_any_line_leaves_the_old_file_or_the_new_one(tmp_path: Path, old: bytes | None) -> None:
    target, new = tmp_path / "a", b"new" * 10**5
    for line in count(1):
        target.unlink(missing_ok=True)
        if old is not None:
            target.write_bytes(old)
        died = killed_at(files, line, files.write, target, new, old is not None)
        content = target.read_bytes() if target.exists() else None
        assert content in (old, new)
        if not died:
            break
    assert content == new
    assert line > 30  # so many lines there are from here to there
    assert os.listdir(tmp_path) == ["a"]  # and nothing of what the others left


@pytest.mark.parametrize("force", [True, False])
def test_of_many_threads_that_write_one_file_one_wins(tmp_path: Path, force: bool) -> None:
    target, refused = tmp_path / "a", []
    start = threading.Barrier(8)

    def write(index: int) -> None:
        start.wait()
        try:
            files.write(target, bytes([index]) * 10**5, force)
        except CodecError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=write, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = target.read_bytes()
    assert content == content[:1] * 10**5
    assert refused == ([] if force else [f"{target} exists already; -f replaces it."] * 7)
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_is_written_where_the_file_system_has_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)
    files.write(tmp_path / "a", b"data")
    assert (tmp_path / "a").read_bytes() == b"data"
    assert os.listdir(tmp_path) == ["a"]


def test_what_is_opened_is_read_in_slices(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    reader, writer = os.pipe()
    os.write(writer, b"0123456789")
    os.close(writer)
    with open(tmp_path / "a", "rb") as file, open(reader, "rb") as pipe:
        for source in (tmp_path / "a", str(tmp_path / "a"), b"0123456789", bytearray(b"0123456789"), file, pipe):
            with files.opened(source, 10) as slices:
                assert (len(slices), slices[2:5], slices[8:99]) == (10, b"234", b"89")
    with files.opened(tmp_path / "a", 1) as slices:  # the limit is for what is read as a whole
        assert len(slices) == 10
    for wrong, error, said in (
        (tmp_path / "none", CodecError, "There is no file"),
        (tmp_path, InvalidFileError, "is a folder"),
        (tmp_path / "a\0", InvalidFileError, "cannot be read"),
        (3, UsageError, "not as something of the type int"),
    ):
        with pytest.raises(error, match=said), files.opened(wrong, 10):
            pass


def test_a_file_that_fails_while_it_is_read_and_errors_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    with open(tmp_path / "a", "rb") as file, files.opened(file, 10) as slices:
        file.close()
        with pytest.raises(InvalidFileError, match="cannot be read"):
            slices[0:3]
    with pytest.raises(FileNotFoundError, match="another"), files.opened(tmp_path / "a", 10):
        raise FileNotFoundError("another")
