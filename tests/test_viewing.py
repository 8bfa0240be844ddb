"""The server of the viewer's page: what it gives, and to whom."""

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from imgcodec import viewing
from imgcodec.bitstream.errors import CodecError, ModelNotFoundError
from imgcodec.model_file.find import shipped_ids

GOLDEN = Path(__file__).parent / "golden"
TINY = str(GOLDEN / "tiny.safetensors")
ID = json.loads((GOLDEN / "golden.json").read_text())["model"]["id"]


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A folder in place of the built page."""
    folder = tmp_path / "page"
    (folder / "runtime").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "worker.js").write_text("1")
    (folder / "runtime" / "a.wasm").write_bytes(b"\0asm")
    monkeypatch.setattr(viewing, "page_folder", lambda: folder)
    return folder


def get(address, path, method="GET", **headers):
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


def test_the_page_and_its_types(page):
    with viewing.served(None) as address:
        assert urlsplit(address).hostname == "127.0.0.1"
        types = {path: get(address, path)[2]["Content-Type"] for path in ("/", "/worker.js", "/runtime/a.wasm")}
        assert types == {"/": "text/html", "/worker.js": "text/javascript", "/runtime/a.wasm": "application/wasm"}
        status, body, headers = get(address, "/", "HEAD")
        assert (status, body, headers["Content-Length"]) == (200, b"", "15")
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_the_picture_has_its_name(page):
    with viewing.served(("a b&c/%.nic", b"bytes"), model=TINY) as address:
        assert urlsplit(address).query == "src=picture%2Fa%20b%26c%2F%25.nic"
        assert get(address, "/picture/a%20b%26c%2F%25.nic")[:2] == (200, b"bytes")
        assert get(address, "/picture/other.nic")[0] == 404


def test_graphs_are_made_when_they_are_asked_for(page):
    with viewing.served(None, model=TINY) as address:
        status, body, _ = get(address, f"/models/{ID}.nicm/model.json")
        assert (status, json.loads(body)["id"]) == (200, ID)
        tables = json.loads(body)["files"]["tables.bin"]
        assert len(get(address, f"/models/{ID}.nicm/{tables['file']}")[1]) == tables["compressed_bytes"]
        assert get(address, f"/models/{ID}.nicm/nothing")[0] == 404
        status, body, _ = get(address, "/models/0001020304050607.nicm/model.json")
        assert status == 404
        assert b"not installed" in body


@pytest.mark.parametrize(
    "path", ["/../secret", "/%2e%2e/secret", "//secret", "/runtime", "/models/x.nicm/a", "/secret"]
)
def test_nothing_else_is_given(page, path):
    (page.parent / "secret").write_text("secret")
    with viewing.served(None) as address:
        assert get(address, path)[0] == 404


def test_the_model_to_compress_with(page):
    with viewing.served(None, model=TINY) as address:
        assert json.loads(get(address, "/models/default.json")[1]) == {"id": ID}
    with viewing.served(None) as address:
        assert json.loads(get(address, "/models/default.json")[1]) == {"id": shipped_ids()["photo"].hex()}


@pytest.mark.parametrize("host", ["example.com", "example.com:80", ""])
def test_other_names_of_this_machine_get_nothing(page, host):
    with viewing.served(("a.nic", b"bytes"), model=TINY) as address:
        assert get(address, "/picture/a.nic", Host=host)[0] == 421
        assert get(address, "/picture/a.nic", Host="localhost:1")[0] == 200


def test_a_port_that_is_taken(page):
    with viewing.served(None) as address:
        port = urlsplit(address).port
        with pytest.raises(CodecError, match=f"Port {port} cannot be had"), viewing.served(None, port):
            pass


def test_a_model_that_is_not_there(page):
    with pytest.raises(ModelNotFoundError), viewing.served(None, model="nothing"):
        pass


def test_a_page_that_was_not_built(tmp_path, monkeypatch):
    monkeypatch.setattr(viewing.resources, "files", lambda _: tmp_path)
    with pytest.raises(CodecError, match="make viewer"):
        viewing.page_folder()
