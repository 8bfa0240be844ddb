"""What a training says, to people, at a terminal and in a pipe, and to files."""

import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

from imgcodec.training import log
from imgcodec.training.log import Log
from imgcodec.training.loop import Phase, Report

PHASE = Phase("base", steps=10, minutes=5)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal is given."""
    text = io.StringIO()
    monkeypatch.setattr(log, "console", Console(file=text, force_terminal=True, width=120, color_system=None))
    return text


def test_a_terminal_sees_the_figures_of_each_step(seen: io.StringIO, tmp_path: Path) -> None:
    made = Log(PHASE, tmp_path, "cpu", 4, 0.4)
    for step in (5, 6):
        figures = {"loss": torch.tensor(2.0), "bpp": torch.tensor(0.5), "psnr": torch.tensor(31.25)}
        made.step(step / 10, step, figures)
    made.bar.refresh()
    made.close()
    text = seen.getvalue()
    assert "base: 10 steps or 5 minutes on cpu, from step 4 on" in text
    for words in ("60%", "6  loss 2  bpp 0.5  psnr 31.25", "left"):
        assert words in text


def test_a_pipe_sees_lines_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = io.StringIO()
    monkeypatch.setattr(log, "console", Console(file=text, width=120))
    made = Log(PHASE, tmp_path, "cpu", 0, 0.0)
    made.step(0.5, 5, {"loss": torch.tensor(2.0)})
    made.figures(5, {"loss": 2.0}, "1.0 min", "skipped 0")
    made.close()
    assert text.getvalue() == "base: 10 steps or 5 minutes on cpu\nbase 5  1.0 min  loss 2  skipped 0\n"


def test_without_tensorboard_figures_are_lines_of_json(monkeypatch: pytest.MonkeyPatch, seen, tmp_path: Path) -> None:
    monkeypatch.setattr(log, "find_spec", lambda name: None)
    for steps in ((1, 2), (3,)):  # a resumed run adds to them
        made = Log(PHASE, tmp_path, "cpu", 0, 0.0)
        for step in steps:
            made.figures(step, {"loss": 0.5 * step})
        made.report(9, Report({"psnr": 30.0}, {"picture": torch.zeros(3, 2, 2)}))
        made.close()
    lines = [json.loads(line) for line in (tmp_path / "log" / "base.jsonl").read_text().splitlines()]
    last = {"step": 9, "validation/psnr": 30.0}
    assert lines == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 1.0}, last, {"step": 3, "loss": 1.5}, last]


def test_other_processes_say_nothing(monkeypatch: pytest.MonkeyPatch, seen: io.StringIO, tmp_path: Path) -> None:
    monkeypatch.setattr(log.distributed, "rank", lambda: 1)
    log.announce("Reading")
    made = Log(PHASE, tmp_path, "cpu", 0, 0.0)
    made.step(0.5, 5, {"loss": torch.tensor(2.0)})
    made.figures(5, {"loss": 2.0})
    made.close()
    assert seen.getvalue() == ""
    assert not list(tmp_path.iterdir())
