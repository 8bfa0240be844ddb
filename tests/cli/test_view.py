"""`imgcodec view`: what it refuses, and that it serves a file until it is interrupted."""

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from in_process import invoke_silent

from imgcodec import viewing
from imgcodec.cli import view

GOLDEN = Path(__file__).parents[1] / "golden"
TINY = GOLDEN / "tiny.safetensors"
SERVING = """import sys
from pathlib import Path
from imgcodec import cli, viewing
folder = Path(sys.argv.pop(1))
viewing.page_folder = lambda: folder
cli.main()
"""


@pytest.mark.parametrize(
    ("name", "code", "word"),
    [
        ("nowhere.nic", 1, "nowhere.nic"),
        ("bsq-random.nic", 1, "of raster: imgcodec decompress"),
        ("divided-damaged.nic", 3, "damaged"),
        ("golden.json", 3, "golden.json: The file is not a .nic file"),
        ("../../examples/photo.png", 3, "photo.png is a picture, not a .nic file"),
        ("odd-size.nic", 4, "not installed"),
    ],
)
def test_what_cannot_be_shown_is_refused(name, code, word):
    found, told = invoke_silent("view", GOLDEN / name)
    assert (found, len(told.splitlines())) == (code, 1)
    assert word in told


def test_a_model_that_is_none_is_refused(tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("<!doctype html>")
    monkeypatch.setattr(viewing, "page_folder", lambda: tmp_path)
    found, told = invoke_silent("view", GOLDEN / "odd-size.nic", "--model", GOLDEN / "golden.json")
    assert found == 4
    assert "not a model file" in told


def test_a_file_is_served_until_an_interrupt(tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html>")
    command = [
        sys.executable,
        "-c",
        SERVING,
        tmp_path,
        "view",
        GOLDEN / "odd-size.nic",
        "--model",
        TINY,
        "--no-browser",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            address = urlsplit(process.stdout.readline().strip())
            assert (address.hostname, address.query) == ("127.0.0.1", "src=picture%2Fodd-size.nic")
            with urllib.request.urlopen(f"http://{address.netloc}/picture/odd-size.nic") as answer:
                assert answer.read() == (GOLDEN / "odd-size.nic").read_bytes()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
        assert process.stderr.read() == ""


def test_a_browser_is_opened_where_there_are_windows(monkeypatch):
    opened = []
    monkeypatch.setattr(view.webbrowser, "open", lambda address: bool(opened.append(address)) or True)
    monkeypatch.setattr(view.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not view.opened("http://127.0.0.1/")
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    assert view.opened("http://127.0.0.1/")
    assert opened == ["http://127.0.0.1/"]


def test_exact_files_are_shown_without_a_model():
    path = GOLDEN / "exact-alpha.nic"
    assert view.checked(str(path), None) == path.read_bytes()


def test_names():
    assert view.named("-") == "stdin.nic"
    assert view.named("/a/b.nic") == "b.nic"
