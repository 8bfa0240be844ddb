"""Files at addresses: in fsspec's memory, and on a web server of this machine."""

import functools
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.storage import files, remote

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def bucket():
    """An address of an empty folder."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    return "memory://bucket"


@pytest.fixture
def server(tmp_path: Path):
    """The address of a web server that has the file photo.png."""
    pytest.importorskip("aiohttp")
    (tmp_path / "photo.png").write_bytes(b"picture")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


def test_what_is_written_is_read_back_and_not_replaced_without_force(bucket: str) -> None:
    address = f"{bucket}/in/a.nic"
    assert remote.modified(address) is None
    files.write(address, b"data")
    assert files.read(address) == b"data"
    with pytest.raises(CodecError, match=r"memory://bucket/in/a\.nic exists already; -f replaces it\."):
        files.write(address, b"other")
    files.write(address, b"other", force=True)
    assert (files.read(address), remote.size(address), remote.head(address, 2)) == (b"other", 5, b"ot")
    assert remote.modified(address) > 10**18
    with pytest.raises(InvalidFileError, match="more than the limit of 3 bytes"):
        files.read(address, 3)
    with pytest.raises(CodecError, match=r"There is no file memory://bucket/none\."):
        files.read(f"{bucket}/none")


def test_folders_are_walked(bucket: str) -> None:
    for name in ("b.png", "in/a.png", ".hidden/c.png"):
        files.write(f"{bucket}/{name}", b"x")
    found = remote.files_below(bucket)
    assert [name for name, _ in found] == ["b.png", "in/a.png"]
    assert [files.read(address) for _, address in found] == [b"x", b"x"]
    assert remote.is_folder(bucket)
    assert not remote.is_folder(f"{bucket}/b.png")


def test_web_servers_are_read(server: str) -> None:
    assert files.read(f"{server}/photo.png?size=large") == b"picture"
    assert remote.name_of(f"{server}/photo.png?size=a/b#top") == "photo.png"
    with pytest.raises(CodecError, match=r"There is no file http://.*/none\.png\."):
        files.read(f"{server}/none.png")
    with pytest.raises(CodecError, match="web servers are read only"):
        files.write(f"{server}/a.nic", b"")
    assert not remote.is_folder(f"{server}/photo.png")


def test_what_is_not_known_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CodecError, match=r"is no address of a kind that is known: .*\.$"):
        files.read("gopher://host/a.png")
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(CodecError, match=r"pip install 'imgcodec\[remote\]'\."):
        files.read("s3://bucket/a.png")


@pytest.mark.parametrize(
    ("name", "is_address"), [("s3://b/a", True), ("HTTPS://h/a", True), ("a.png", False), ("c:/a", False), ("", False)]
)
def test_addresses_are_told_from_paths(name: str, is_address: bool) -> None:
    assert remote.is_remote(name) == is_address
