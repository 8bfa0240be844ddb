"""What goes wrong: one sentence on stderr, the right exit code, no traceback, and nothing left behind."""

import io
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from in_process import call, invoke_silent
from PIL import Image

from imgcodec.bitstream import container
from imgcodec.bitstream.header import checksum, write_header
from imgcodec.model_file import find
from imgcodec.model_file.model import save_model
from imgcodec.pictures import io as image

SCRIPT = Path(sys.executable).with_name("imgcodec")


def refused(result: subprocess.CompletedProcess[bytes], exit_code: int, words: str) -> None:
    """One line, no traceback, nothing on stdout."""
    message = result.stderr.decode()
    assert result.returncode == exit_code, message
    assert words in message
    assert message.startswith("imgcodec: ")
    assert message.count("\n") == 1
    assert result.stdout == b""


@pytest.fixture
def folder(tmp_path: Path, nic: bytes) -> Path:
    """A folder with a picture, a .nic file, and things that are neither."""
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"not a picture\n")
    (tmp_path / "directory").mkdir()
    (tmp_path / "given.nic").write_bytes(nic)
    (tmp_path / "cut.nic").write_bytes(nic[:-1])
    Image.new("RGB", (60, 40), "teal").save(tmp_path / "good.bmp")
    (tmp_path / "cut.bmp").write_bytes((tmp_path / "good.bmp").read_bytes()[:1000])
    return tmp_path


@pytest.mark.parametrize("command", ["compress", "decompress", "info"])
@pytest.mark.parametrize(
    ("name", "exit_code", "words"),
    [
        ("none", 1, "There is no file none."),
        ("empty", 3, "empty"),
        ("text", 3, "not a"),
        ("directory", 3, "directory is a folder, not a file."),
        ("cut.nic", 3, ""),
    ],
)
def test_bad_input(run, folder, command, name, exit_code, words) -> None:
    before = sorted(folder.iterdir())
    arguments = {"compress": ["-o", "out.nic"], "decompress": ["-o", "out.png"], "info": []}[command]
    if (command, name) == ("compress", "directory"):  # which would become a store
        exit_code, words = 1, "directory holds no files."
    refused(run(command, name, *arguments), exit_code, words)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("none/out.nic", "there is no folder"),
        ("text/out.nic", "not a directory"),
        ("directory", "it is a folder"),
        ("none/", "there is no such folder"),
        ("given.nic", "exists already; -f replaces it."),
    ],
)
def test_bad_output(run, folder, output, words) -> None:
    before = sorted(folder.iterdir())
    refused(run("compress", "good.bmp", "-o", output), 1, words)
    assert sorted(folder.iterdir()) == before


def test_damaged_picture(run, folder) -> None:
    before = sorted(folder.iterdir())
    refused(run("compress", "cut.bmp", "-o", "out.nic"), 3, "cut.bmp cannot be decoded: ")
    assert sorted(folder.iterdir()) == before


def test_model_that_is_not_there(run, folder, nic) -> None:
    refused(run("compress", "good.bmp", "--model", "none"), 4, "none")
    file = container.read(nic)
    stranger = container.write(replace(file.header, codebook_id=b"stranger"), file.sections)
    refused(run("decompress", "-", "-o", "out.png", input=stranger), 4, b"stranger".hex())
    refused(run("info", "-", "--tokens", input=stranger), 4, b"stranger".hex())
    assert not (folder / "out.png").exists()


def test_a_damaged_model_writes_nothing(run, folder, nic, contents) -> None:
    path = folder / "own.safetensors"
    save_model(path, *contents)
    whole = path.read_bytes()
    (folder / "in.nic").write_bytes(nic)
    before = sorted(folder.iterdir())
    for place in (len(whole) // 3, len(whole) // 2, len(whole) - 70, 300):
        path.write_bytes(whole[:place] + bytes(byte ^ 0x55 for byte in whole[place : place + 64]) + whole[place + 64 :])
        for command in (["compress", "good.bmp", "-o", "out.nic"], ["decompress", "in.nic", "-o", "out.png"]):
            refused(run(*command, "--model", "own.safetensors"), 4, "own")
    assert sorted(folder.iterdir()) == before


def test_a_damaged_installed_model_asks_to_be_installed_again(run, folder, nic, tiny, monkeypatch) -> None:
    """Whoever has a good file, too: its model is there, and no other release has it."""
    monkeypatch.setattr(find, "_folder", lambda: folder)
    data = bytearray(Path(tiny).read_bytes())
    data[-1000:-936] = bytes(byte ^ 0x55 for byte in data[-1000:-936])
    (folder / "photo.safetensors").write_bytes(data)
    (folder / "in.nic").write_bytes(nic)
    (folder / find.TABLE).write_text(json.dumps({"photo": container.read(nic).header.codebook_id.hex()}))
    words = "The installed model photo is damaged, its numbers are not those of this release: install imgcodec again."
    refused(run("compress", "good.bmp", "-o", "out.nic"), 4, words)
    refused(run("decompress", "in.nic", "-o", "out.png"), 4, words)
    assert not list(folder.glob("out.*"))


def test_device_that_is_not_there(run, folder, tiny) -> None:
    refused(run("compress", "good.bmp", "--device", "abacus", "--model", tiny), 2, "abacus")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["squeeze"],
        ["compress"],
        ["compress", "good.bmp", "--quality", "101"],
        ["compress", "good.bmp", "--quality", "much"],
        ["compress", "good.bmp", "--quality", "nan"],
        ["compress", "good.bmp", "--quick"],
        ["compress", "good.bmp", "--json", "-o", "-"],
        ["decompress", "given.nic", "-o", "out.xyz"],
        ["decompress", "given.nic", "-o", "out"],
    ],
)
def test_usage(run, folder, arguments) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr or not arguments  # without arguments, the help goes to stdout
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "asked", "code", "words"),
    [
        ([], {"_IMGCODEC_COMPLETE": "complete_bash", "COMP_WORDS": "imgcodec comp", "COMP_CWORD": "1"}, 0, b"compress"),
        ([], {"_IMGCODEC_COMPLETE": "source_bash"}, 0, b"complete -o default"),
        ([], {"_IMGCODEC_COMPLETE": "source_nushell"}, 1, b"not supported"),
    ],
)
def test_what_a_shell_asks_for_is_a_success_where_there_is_an_answer(arguments, asked, code, words) -> None:
    result = subprocess.run([SCRIPT, *arguments], env=os.environ | asked, capture_output=True, check=False)
    assert result.returncode == code
    assert words in result.stdout + result.stderr


@pytest.mark.parametrize("arguments", [["info", "given.nic"], ["--help"], ["compress", "--help"]])
def test_reader_that_goes_away(nic, folder, arguments) -> None:
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run([SCRIPT, *arguments], cwd=folder, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["info", "given.nic"], 0),
        (["info", "none"], 1),
        (["squeeze"], 2),
        (["info", "cut.nic"], 3),
        (["info", "given.nic", "--tokens", "--model", "none"], 4),
    ],
)
def test_exit_codes_of_processes(script, folder, arguments, exit_code) -> None:
    assert script(*arguments).returncode == exit_code


def test_exit_code_of_an_interrupted_process() -> None:
    streams = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([SCRIPT, "info", "-"], **streams) as process:
        process.stdin.write(bytes(2**20))  # more than a pipe takes: when it is gone, the command is reading
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"imgcodec: Interrupted.\n"
    assert process.returncode == 130


def decompress(data: bytes, output: Path) -> tuple[int, str]:
    """Exit code and message of `imgcodec decompress - -o OUTPUT`."""
    done = call("decompress", "-", "-o", output, input=data)
    return done.returncode, done.stderr.decode()


def test_one_flipped_bit_anywhere(tmp_path) -> None:
    """In every byte; the reader alone is given every bit, in tests/bitstream/test_container.py."""
    data = (Path(__file__).parents[1] / "golden" / "one-pixel.nic").read_bytes()
    for bit in range(0, 8 * len(data), 7):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        exit_code, message = decompress(bytes(changed), tmp_path / "out.png")
        assert exit_code == 3, (bit, message)
        assert message.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_cut_anywhere(tmp_path, nic) -> None:
    for length in range(0, len(nic), 7):
        assert decompress(nic[:length], tmp_path / "out.png")[0] == 3
    assert not list(tmp_path.iterdir())


def test_version_of_the_future(tmp_path, nic) -> None:
    header_size = container.read(nic).header_size
    body = bytearray(nic[: header_size - 4])
    body[8] = 3
    exit_code, message = decompress(bytes(body) + checksum(bytes(body)) + nic[header_size:], tmp_path / "out.png")
    assert exit_code == 3
    assert "version 3" in message


def test_enormous_picture_is_refused_before_anything_is_allocated(tmp_path, nic) -> None:
    file = container.read(nic)
    header = replace(file.header, width=2**31, height=2**31, tile_size=0)
    data = write_header(header) + nic[file.header_size :]
    tracemalloc.start()
    try:
        exit_code, message = decompress(data, tmp_path / "out.png")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert exit_code == 3
    assert "2147483648 x 2147483648" in message
    assert peak < 2**23


def test_interrupt(monkeypatch, folder) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(image, "load", interrupted)
    arguments = ["compress", folder / "good.bmp", "-o", folder / "out.nic"]
    assert invoke_silent(*arguments) == (130, "imgcodec: Interrupted.\n")
    assert not (folder / "out.nic").exists()


def test_what_nobody_thought_of(monkeypatch, folder) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr(image, "load", broken)
    monkeypatch.delenv("IMGCODEC_DEBUG", raising=False)
    arguments = ["compress", folder / "good.bmp", "-o", folder / "out.nic"]
    told = "imgcodec: Unexpected ZeroDivisionError: two lines (set IMGCODEC_DEBUG=1 to see where).\n"
    assert invoke_silent(*arguments) == (1, told)
    monkeypatch.setenv("IMGCODEC_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        call(*arguments)


def test_picture_through_stdin_has_a_name_in_messages(run) -> None:
    refused(run("compress", "-", input=b"\x89PNG\r\n\x1a\n"), 3, "Standard input is not an image")
    buffer = io.BytesIO()
    Image.new("RGB", (50, 50)).save(buffer, "PNG")
    refused(run("compress", "-", input=buffer.getvalue()[:60]), 3, "Standard input cannot be decoded")


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "-q", "101", "x.png"],
        ["compress"],
        ["nonsense"],
        ["info", "--nope", "x.nic"],
        ["compress", "-q", "x", "y"],
    ],
)
def test_usage_errors_are_one_sentence(run, arguments):
    refused = run(*arguments)
    assert refused.returncode == 2
    assert refused.stdout == b""
    assert refused.stderr.startswith(b"imgcodec: ")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a device that is always full")
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["compress", "-h"]])
def test_help_into_a_full_disk_is_one_sentence(arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([SCRIPT, *arguments], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"imgcodec: No space left on device.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's way to limit a file")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_stops_short_is_a_failure(run, tiny, tmp_path, unbuffered):
    noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    assert run("compress", "a.png", "--model", tiny, "-q", "100").returncode == 0
    line = f"ulimit -f 4; exec {SCRIPT} decompress a.nic --model {tiny} -o - > b.png"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"imgcodec: - cannot be written: file too large.\n")


@pytest.mark.parametrize(("command", "source"), [("compress", ""), ("decompress", ""), ("decompress", ".")])
def test_what_is_no_file_name_has_no_output_beside_it(run, command, source) -> None:
    refused(run(command, source), 2, "is not the name of a file.")
