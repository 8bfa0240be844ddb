"""`imgcodec data picsum`: downloads from a server that misbehaves."""

import hashlib
import io
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from in_process import invoke_silent
from PIL import Image

from imgcodec.training import picsum

SIZE = 16
PICTURES = 130  # more than one page


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
    for name, patience in (("TIMEOUT", 600.0), ("DEADLINE", 3600.0)):  # on a busy machine, a sound answer may take long
        monkeypatch.setattr(picsum, name, patience)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def picsum_into(folder: Path, server: Server, count: int = 5, *more: object) -> tuple[int, str]:
    return invoke_silent("data", "picsum", "--count", count, "--size", SIZE, "--url", server.url, "-o", folder, *more)


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


def test_pictures_with_their_authors(server, tmp_path) -> None:
    assert picsum_into(tmp_path / "data", server) == (0, f"{tmp_path}/data: 5 pictures, 5 of them fetched now\n")
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
}


def wait_for_the_end(handler: Handler) -> None:
    """Until the client has had enough."""
    handler.connection.recv(1)


STALLS: dict[str, Callable[[Handler], object]] = {
    "stalls": wait_for_the_end,
    "stalls in the middle": lambda h: (h.answer(jpeg(3)[:100], length=700), wait_for_the_end(h)),
}


@pytest.mark.parametrize("fault", [*FAULTS, *STALLS])
def test_what_fails_once_is_tried_again(server, tmp_path, monkeypatch, fault) -> None:
    if fault in STALLS:
        monkeypatch.setattr(picsum, "TIMEOUT", 0.2)
        monkeypatch.setattr(picsum, "TRIES", 1000)  # a busy machine may seem to stall again and again

    def fail_once(handler: Handler, path: str, times: int) -> bool:
        if times == 1 and (path == "/v2/list" or path.startswith("/picture/")):
            (FAULTS | STALLS)[fault](handler)
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
    monkeypatch.setattr(picsum, "DEADLINE", 0.1)
    monkeypatch.setattr(picsum, "TRIES", 2)

    def drip(handler: Handler, path: str, times: int) -> bool:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:  # until the client has had enough, which the server takes for an error
            handler.wfile.write(b" ")
            time.sleep(0.001)  # or the limit of bytes comes first

    server.fault = drip
    code, told = picsum_into(tmp_path, server)
    assert code == 1
    assert "it took more than 0.1 s" in told


def test_nobody_there_and_no_address(server, tmp_path) -> None:
    server.shutdown()
    server.server_close()
    code, told = picsum_into(tmp_path, server)
    assert code == 1
    assert "connection refused" in told
    for url in ("file:///etc", "picsum.photos", "http://", "http://a b"):
        assert invoke_silent("data", "picsum", "-o", tmp_path / "new", "--url", url)[0] == 2
        assert not (tmp_path / "new").exists()
