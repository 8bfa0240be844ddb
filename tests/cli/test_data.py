"""`imgcodec data`: downloads from a server that misbehaves, and shards of folders with all sorts of files."""

import hashlib
import io
import json
import os
import re
import resource
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

import imgcodec
from imgcodec import UsageError, folders
from imgcodec.cli import app
from imgcodec.training import picsum
from imgcodec.training.data import load_photographs

SIZE = 16
PICTURES = 130  # more than one page


def invoke(*arguments: object) -> tuple[int, str]:
    """Exit code and stderr, in this process."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.stdout == ""
    return result.exit_code, result.stderr


def jpeg(id: int, size: int = SIZE) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), (id, 100, 255 - id)).save(buffer, "JPEG")
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """As picsum.photos answers; `fault(path, how_often_it_was_asked_for)` may answer first, and returns whether so."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Counter[str] = Counter()
        self.fault: Callable[[Handler, str, int], bool] = lambda *_: False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients go away, and this is where the server would complain."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.server.asked[path] += 1
        if self.server.fault(self, path, self.server.asked[path]):
            return
        if path == "/v2/list":
            query = parse_qs(urlsplit(self.path).query)
            page, limit = (int(query[name][0]) for name in ("page", "limit"))
            ids = range((page - 1) * limit, min(page * limit, PICTURES))
            self.answer(json.dumps([self.entry(id) for id in ids]).encode())
        elif path.startswith("/id/"):
            self.redirect(f"/picture{path}?hmac=x")
        else:
            _, _, _, id, width, _ = path.split("/")
            self.answer(jpeg(int(id), int(width)))

    @staticmethod
    def entry(id: int) -> dict[str, object]:
        return {"id": str(id), "author": f"Author\n{id}", "width": 9, "height": 9, "url": f"https://u.example/{id}"}

    def redirect(self, target: str) -> bool:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def answer(self, data: bytes, code: int = 200, length: int | None = None, **headers: str) -> bool:
        self.send_response(code)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)
        return True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(picsum, "PAUSE", 0.001)
    monkeypatch.setattr(picsum, "TIMEOUT", 0.2)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def picsum_into(folder: Path, server: Server, count: int = 5, *more: object) -> tuple[int, str]:
    return invoke("data", "picsum", "--count", count, "--size", SIZE, "--url", server.url, "-o", folder, *more)


def downloaded(folder: Path) -> dict[str, dict[str, object]]:
    """The lines of the manifest by name; each has its picture, as it was sent, and there is nothing else."""
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    assert sorted(os.listdir(folder)) == sorted(["manifest.jsonl", *(line["name"] for line in lines)])
    for line in lines:
        data = (folder / line["name"]).read_bytes()
        assert data == jpeg(int(line["id"]))
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
        assert line["author"] == f"Author\n{line['id']}"
        assert line["url"] == f"https://u.example/{line['id']}"
        assert "Unsplash" in line["licence"]
    return {line["name"]: line for line in lines}


def test_pictures_with_their_authors(run, server, tmp_path) -> None:
    made = run("data", "picsum", "--count", "5", "--size", "16", "--url", server.url, "-o", "data", NO_PROXY="*")
    assert (made.returncode, made.stdout, made.stderr) == (0, b"", b"data: 5 pictures, 5 of them fetched now\n")
    first = downloaded(tmp_path / "data")
    assert len(first) == 5
    assert picsum_into(tmp_path / "again", server) == (0, f"{tmp_path}/again: 5 pictures, 5 of them fetched now\n")
    assert downloaded(tmp_path / "again") == first
    assert picsum_into(tmp_path / "other", server, 5, "--seed", 1)[0] == 0
    assert downloaded(tmp_path / "other").keys() != first.keys()


def test_what_is_there_is_not_fetched_again(server, tmp_path) -> None:
    assert picsum_into(tmp_path, server)[0] == 0
    before = downloaded(tmp_path)
    cut, strange = sorted(before)[:2]
    (tmp_path / cut).write_bytes((tmp_path / cut).read_bytes()[:300])
    (tmp_path / strange).write_bytes(jpeg(1, 17))
    server.asked.clear()
    code, told = picsum_into(tmp_path, server)
    assert code == 0
    assert told.endswith(": 5 pictures, 2 of them fetched now\n")
    assert told.count("It is fetched anew.") == 2
    assert downloaded(tmp_path) == before
    assert sum(asked for path, asked in server.asked.items() if path.startswith("/id/")) == 2
    assert picsum_into(tmp_path, server, 8)[0] == 0
    assert downloaded(tmp_path).items() > before.items()


FAULTS: dict[str, Callable[[Handler], object]] = {
    "503": lambda h: h.answer(b"busy", 503, Retry_After="0"),
    "429": lambda h: h.answer(b"slower", 429),
    "garbage": lambda h: h.answer(b"<html>Welcome to the hotel's network</html>"),
    "empty": lambda h: h.answer(b""),
    "another size": lambda h: h.answer(jpeg(3, 17)),
    "cut": lambda h: h.answer(jpeg(3)[:200], length=len(jpeg(3))),
    "cut without a length": lambda h: h.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + jpeg(3)[:200]),
    "no HTTP": lambda h: h.wfile.write(b"\xff\xfe nonsense\r\n"),
    "wrong length": lambda h: h.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: many\r\n\r\n" + jpeg(3)),
    "hangs up": lambda h: h.connection.close(),
    "stalls": lambda h: time.sleep(0.3),
    "stalls in the middle": lambda h: (h.answer(jpeg(3)[:100], length=700), time.sleep(0.3)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_fails_once_is_tried_again(server, tmp_path, fault) -> None:
    def fail_once(handler: Handler, path: str, times: int) -> bool:
        if times == 1 and (path == "/v2/list" or path.startswith("/picture/")):
            FAULTS[fault](handler)
            return True
        return False

    server.fault = fail_once
    code, told = picsum_into(tmp_path, server, 2)
    assert (code, told) == (0, f"{tmp_path}: 2 pictures, 2 of them fetched now\n")
    assert len(downloaded(tmp_path)) == 2


@pytest.mark.parametrize("fault", ["503", "garbage", "cut", "no HTTP"])
def test_what_always_fails_says_what_there_is_and_goes_on_later(server, tmp_path, fault) -> None:
    def fail_from_the_third(handler: Handler, path: str, times: int) -> bool:
        if path.startswith("/picture/") and sum(p.startswith("/picture/") for p in server.asked) > 2:
            FAULTS[fault](handler)
            return True
        return False

    server.fault = fail_from_the_third
    code, told = picsum_into(tmp_path, server)
    assert code == 1
    assert told.startswith("imgcodec: 127.0.0.1")
    assert "failed 6 times: " in told
    assert told.endswith(f" 2 of 5 pictures are in {tmp_path}; the same command goes on from there.\n")
    assert told.count("\n") == 1
    assert max(server.asked.values()) == 6
    assert len(downloaded(tmp_path)) == 2
    server.fault = lambda *_: False
    assert picsum_into(tmp_path, server)[1] == f"{tmp_path}: 5 pictures, 3 of them fetched now\n"


def test_pictures_that_are_gone_are_replaced_by_others(server, tmp_path) -> None:
    gone = []

    def lose_two(handler: Handler, path: str, times: int) -> bool:
        if path.startswith("/picture/") and len(gone) < 2:
            gone.append(path)
            return handler.answer(b"", 404)
        return False

    server.fault = lose_two
    code, told = picsum_into(tmp_path, server)
    assert code == 0
    assert told.count("Skipped picture ") == 2
    assert len(downloaded(tmp_path)) == 5


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda h: h.redirect("file:///etc/passwd"), "file:///etc/passwd"),
        (lambda h: h.redirect("ftp://127.0.0.1/x"), "is not followed"),
        (lambda h: h.redirect(h.path), "HTTP 302"),
        (lambda h: h.answer(b"", 403), "HTTP 403"),
        (lambda h: h.answer(b"x" * 2**21), "over the limit of"),
        (lambda h: h.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 2**21), "more than the limit of"),
        (lambda h: h.answer(b"[" * 10**5), "it is not a list of pictures"),
        (lambda h: h.answer(b'[{"id": "../../etc/x", "author": "", "url": ""}]'), "it is not a list of pictures"),
        (lambda h: h.answer(b"[]"), "no more than 0 pictures"),
    ],
)
def test_servers_that_are_not_trusted(server, tmp_path, answer, words) -> None:
    server.fault = lambda handler, path, times: answer(handler) is not False
    code, told = picsum_into(tmp_path, server)
    assert code == 1
    assert words in told
    assert "0 of 5 pictures are in" in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_ends(server, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(picsum, "DEADLINE", 0.2)
    monkeypatch.setattr(picsum, "TRIES", 2)

    def drip(handler: Handler, path: str, times: int) -> bool:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        for _ in range(10):
            handler.wfile.write(b" ")
            time.sleep(0.05)
        return True

    server.fault = drip
    code, told = picsum_into(tmp_path, server)
    assert code == 1
    assert "it took more than 0.2 s" in told


def test_nobody_there_and_no_address(server, tmp_path) -> None:
    server.shutdown()
    server.server_close()
    code, told = picsum_into(tmp_path, server)
    assert code == 1
    assert "connection refused" in told
    for url in ("file:///etc", "picsum.photos", "http://", "http://a b"):
        assert invoke("data", "picsum", "-o", tmp_path / "new", "--url", url)[0] == 2
        assert not (tmp_path / "new").exists()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twelve good pictures of several formats, in folders; and what is none."""
    folder = tmp_path / "pictures"
    (folder / "in" / "deep").mkdir(parents=True)
    rng = np.random.default_rng(0)
    suffixes = ("png", "jpg", "webp", "tif", "ppm", "bmp")
    for index in range(12):
        place = folder / ("in/deep" if index % 3 else ".") / f"{index}.{suffixes[index % 6]}"
        Image.fromarray(rng.integers(0, 256, (20 + index, 30, 3), dtype=np.uint8)).save(place)
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:500])
    (folder / "text.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes((folder / "0.png").read_bytes())
    os.mkfifo(folder / "pipe.png")
    return folder


def manifest(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_shards(pictures, tmp_path) -> None:
    code, told = invoke("data", "pack", pictures, "-o", tmp_path / "a", "--shard-size", "20KiB", "--seed", 3)
    assert code == 0
    *skipped, summary = told.splitlines()
    assert sorted(line.split(": ")[0] for line in skipped) == ["Skipped cut.png", "Skipped text.txt"]
    shards = sorted((tmp_path / "a").glob("*.tar"))
    total = sum(shard.stat().st_size for shard in shards)
    assert summary == f"{tmp_path}/a: 12 pictures in {len(shards)} shards of {total} bytes, 2 files skipped"
    assert len(shards) > 1
    assert max(shard.stat().st_size for shard in shards) <= 20 * 1024
    lines = manifest(tmp_path / "a")
    assert sorted({line["shard"] for line in lines}) == [shard.name for shard in shards]
    members = {}
    for shard in shards:
        with tarfile.open(shard) as tar:
            members |= {(shard.name, m.name): tar.extractfile(m).read() for m in tar}
    assert list(members) == [(line["shard"], line["name"]) for line in lines]
    for line, data in zip(lines, members.values(), strict=True):
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
        original = Image.open(pictures / line["source"])
        stored = Image.open(io.BytesIO(data))
        assert stored.size == original.size == (line["width"], line["height"])
        assert np.array_equal(np.asarray(stored), np.asarray(original))
    assert len(load_photographs(shards, 8)) == 12


def test_shards_are_the_same_for_the_same_seed(pictures, tmp_path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert invoke("data", "pack", pictures, "-o", tmp_path / name, "--seed", seed)[0] == 0
    a, b, c = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b", "c"))
    assert a == b
    assert a.keys() == c.keys()
    assert a != c


def test_splits(pictures, tmp_path) -> None:
    (tmp_path / "more" / "x").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(tmp_path / "more" / "x" / "one.png")
    folders = (pictures, tmp_path / "more" / "x")
    shares = "train=0.6,valid=0.2,test=0.2"
    assert invoke("data", "pack", *folders, "-o", tmp_path / "a", "--split", shares)[0] == 0
    sources = {}
    for line in manifest(tmp_path / "a"):
        sources.setdefault(line["shard"].split("-")[0], []).append(line["source"])
    assert set(sources) == {"train", "valid", "test"}
    assert sum(map(len, sources.values())) == len(set().union(*sources.values())) == 13
    assert all(s.startswith(("pictures/", "x/")) for part in sources.values() for s in part)
    assert 7 <= len(sources["train"]) <= 9


@given(st.integers(0, 300), st.lists(st.integers(1, 100), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_a_split_divides_everything_fairly(count, weights, seed) -> None:
    shares = {f"part{index}": weight / sum(weights) for index, weight in enumerate(weights)}
    parts = folders.split(range(count), shares, seed)
    assert sorted(item for part in parts.values() for item in part) == list(range(count))
    for name, share in shares.items():
        assert abs(len(parts[name]) - share * count) <= 1 + 1e-6
    assert parts == folders.split(range(count), shares, seed)


@pytest.mark.parametrize(
    "text", ["", "train", "train=0.9", "train=1.1", "a=0.5,a=0.5", "a=-1,b=2", "../x=1", "a=nan", "A=1"]
)
def test_splits_that_make_no_sense(text) -> None:
    with pytest.raises(UsageError):
        folders.parse_split(text)


def test_packing_is_whole_or_not_at_all(pictures, tmp_path) -> None:
    before = sorted(tmp_path.iterdir())
    for arguments, code, words in (
        ((pictures, "--shard-size", "1KB"), 2, "too many for shards of 1000"),
        ((pictures, "--shard-size", "much"), 2, "--shard-size takes"),
        ((pictures, pictures), 2, "twice"),
        ((tmp_path / "nowhere",), 1, "There is no folder"),
        ((pictures / "0.png",), 1, "is not a folder"),
    ):
        got, told = invoke("data", "pack", *arguments, "-o", tmp_path / "out")
        assert (got, words in told) == (code, True), told
        assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "empty").mkdir()
    assert invoke("data", "pack", tmp_path / "empty", "-o", tmp_path / "out")[0] == 1
    assert not (tmp_path / "out").exists()


def test_packing_replaces_only_its_own(pictures, tmp_path) -> None:
    out = tmp_path / "out"
    assert invoke("data", "pack", pictures, "-o", out, "--split", "old=1")[0] == 0
    code, told = invoke("data", "pack", pictures, "-o", out)
    assert code == 1
    assert "-f replaces" in told
    assert (out / "old-000000.tar").exists()
    assert invoke("data", "pack", pictures, "-o", out, "-f")[0] == 0
    assert sorted(os.listdir(out)) == ["manifest.jsonl", "pictures-000000.tar"]
    (out / "mine.png").write_bytes(b"mine")
    assert invoke("data", "pack", pictures, "-o", out, "-f")[0] == 1
    assert invoke("data", "pack", pictures, "-o", pictures, "-f")[0] == 1
    assert (out / "mine.png").read_bytes() == b"mine"
    assert not list(tmp_path.glob(".imgcodec-*"))


def test_what_a_killed_run_left_is_removed_and_what_a_running_one_has_is_not(pictures, tmp_path) -> None:
    left = tmp_path / ".imgcodec-0123.dir"
    left.mkdir()
    (left / "pictures-000000.tar").write_bytes(b"half")
    with folders.whole_folder(tmp_path / "other", False, re.compile("x")) as running:
        assert not left.exists()
        assert invoke("data", "pack", pictures, "-o", tmp_path / "out")[0] == 0
        (running / "x").write_bytes(b"x")
    assert os.listdir(tmp_path / "other") == ["x"]
    assert not list(tmp_path.glob(".imgcodec-*"))


def test_the_first_of_two_runs_wins(pictures, tmp_path) -> None:
    late = folders.whole_folder(tmp_path / "out", False, re.compile("x"))
    (late.__enter__() / "x").write_bytes(b"x")
    assert invoke("data", "pack", pictures, "-o", tmp_path / "out")[0] == 0
    with pytest.raises(imgcodec.CodecError, match="-f replaces"):
        late.__exit__(None, None, None)
    assert sorted(os.listdir(tmp_path / "out")) == ["manifest.jsonl", "pictures-000000.tar"]
    assert not list(tmp_path.glob(".imgcodec-*"))


def test_a_full_disk_leaves_nothing(pictures, tmp_path) -> None:
    before = sorted(tmp_path.iterdir())
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (3000, 12_000):  # in the first shard; in its end
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
        try:
            code, told = invoke("data", "pack", pictures, "-o", tmp_path / "out")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert code == 1
        assert told.splitlines()[-1] == f"imgcodec: {tmp_path}/out cannot be written: file too large."
        assert sorted(tmp_path.iterdir()) == before


def test_folders_and_files_that_cannot_be_read(pictures, tmp_path) -> None:
    assert invoke("data", "pack", pictures, "-o", tmp_path / "warm")[0] == 0  # all is imported
    (pictures / "0.png").chmod(0)
    (pictures / "in").chmod(0)
    user = os.geteuid()
    for place in (tmp_path, *tmp_path.parents):
        if place.owner() == pictures.owner() and place.name.startswith(("pytest", "test_")):
            place.chmod(0o777)
    try:
        if user == 0:
            os.seteuid(65534)
        code, told = invoke("data", "pack", pictures, "-o", tmp_path / "out")
        locked, said = invoke("data", "pack", pictures / "in", "-o", tmp_path / "none")
    finally:
        if user == 0:
            os.seteuid(0)
        (pictures / "in").chmod(0o755)
    assert code == 0
    assert f"Skipped {pictures}/in: permission denied.\n" in told
    assert f"Skipped 0.png: {pictures}/0.png cannot be read: permission denied.\n" in told
    assert (locked, said) == (1, f"imgcodec: {pictures}/in cannot be read: permission denied.\n")
    assert not (tmp_path / "none").exists()
