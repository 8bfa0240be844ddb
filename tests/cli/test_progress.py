"""What a terminal sees of work that takes long, and a pipe does not."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image
from rich.console import Console

from imgcodec.cli.progress import Tally, sharing, tallying

SCRIPT = Path(sys.executable).with_name("imgcodec")


def seen_by_terminal(*arguments: object, **environment: str) -> tuple[int, str, str]:
    """Exit code and stdout of a command, and what it shows on a terminal that its stderr is."""
    master, slave = pty.openpty()
    variables = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "140", **environment}
    with subprocess.Popen(
        [SCRIPT, *map(str, arguments)], stderr=slave, stdout=subprocess.PIPE, env=variables
    ) as process:
        os.close(slave)
        seen = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
        told = process.stdout.read().decode()
    os.close(master)
    return process.returncode, told, seen.decode()


def test_a_terminal_sees_progress(tiny, photo) -> None:
    code, _, seen = seen_by_terminal("compress", photo, "--model", tiny)
    assert code == 0
    assert "Compressing photo.jpeg" in seen
    assert seen.rstrip().endswith("bpp")


def test_many_files_have_one_bar_and_json_stays_on_stdout(tiny, tmp_path) -> None:
    for name in ("a", "b", "c"):
        Image.effect_noise((256, 128), 60).convert("RGB").save(tmp_path / f"{name}.png")
    code, told, seen = seen_by_terminal("compress", tmp_path, "-r", "--json", "--model", tiny)
    assert code == 0
    assert told.count("\n") == told.count('"input"') == 3
    for words in ("Compressing", "3/3", "MP/s", ":1", "left"):
        assert words in seen


def test_one_picture_has_percent_and_time_left(monkeypatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr("imgcodec.cli.progress.on_terminal", lambda: True)
    terminal = Console(file=text, force_terminal=True, width=100, color_system=None)
    monkeypatch.setattr("rich.console.Console", lambda stderr: terminal)
    with sharing("Compressing [a].png") as advance:
        for _ in range(3):
            advance(0.25)
    for words in ("Compressing [a].png", "75%", "left"):
        assert words in text.getvalue()


def test_quiet_commands_show_nothing_and_colours_are_left_out_where_nobody_wants_them(nic, tmp_path) -> None:
    (tmp_path / "a.nic").write_bytes(nic)
    line, colour = ("verify", tmp_path / "a.nic"), re.compile(r"\x1b\[[0-9;]*(3[0-7]|38;)[0-9;]*m")
    code, told, seen = seen_by_terminal(*line)
    assert (code, told) == (0, f"{tmp_path / 'a.nic'}: sound\n")
    assert "Verifying" in seen
    assert colour.search(seen)
    assert not colour.search(seen_by_terminal(*line, NO_COLOR="1")[2])
    assert seen_by_terminal(*line, "--quiet") == (0, told, "")


def test_a_tally_adds_up_and_nothing_moves_in_a_pipe(capsys) -> None:
    with tallying("Working", 3, 100) as tally, sharing("One") as advance:
        assert advance is None
        tally.add(50, 1000, 50, 10)
        tally.add(30)
        tally.add(20, 1000, 20, 4)
    assert (tally.files, tally.pixels, tally.ratio) == (3, 2000, "5.0:1")
    assert Tally(None, "x", 1, 1).ratio == ""
    assert capsys.readouterr() == ("", "")
