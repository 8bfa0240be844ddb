"""What several commands share: progress, messages, exit codes and the model that a file asks for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from PIL import Image

from imgcodec.bitstream.errors import CodecError, InvalidFileError, ModelNotFoundError
from imgcodec.cli.options import counting, leave, on_terminal, printable, say, working

SCRIPT = Path(sys.executable).with_name("imgcodec")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a device that is always full")
def test_a_full_stderr_does_not_stop_good_work(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "in" / "a.png")
    line = f"{SCRIPT} data pack in -o out 2>/dev/full"  # which would say what it did
    assert subprocess.run(line, shell=True, cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's way to close a stream")
def test_closed_stderr_does_not_stop_good_work(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "in" / "a.png")
    line = f"{SCRIPT} data pack in -o out 2>&-"
    assert subprocess.run(line, shell=True, cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "out").exists()


def test_control_characters_are_replaced():
    assert printable("a\x1b[31m\nb\u202ec\x9b") == "a?[31m?b?c?"
    assert printable("größe 図.png") == "größe 図.png"


def test_what_is_said_is_one_line_on_stderr(capsys):
    say("two\nlines")
    assert capsys.readouterr() == ("", "two?lines\n")


@pytest.mark.parametrize(
    ("failures", "exit_code"),
    [
        ([CodecError("x")], 1),
        ([ModelNotFoundError("x"), CodecError("x")], 4),
        ([CodecError("x"), InvalidFileError("x"), ModelNotFoundError("x")], 3),
    ],
)
def test_the_worst_failure_decides_how_a_command_exits(failures, exit_code):
    leave([])
    with pytest.raises(typer.Exit) as left:
        leave(failures)
    assert left.value.exit_code == exit_code


def test_without_a_terminal_nothing_moves(monkeypatch, capsys):
    with working("Working"), counting("Counting", 3) as advance:
        for _ in range(3):
            advance()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", None)
    assert not on_terminal()
