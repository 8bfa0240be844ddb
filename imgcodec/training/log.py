"""What a training says: its start, a bar at a terminal, figures on stderr, and all of them in files; only in the first
process."""

import json
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from torch import Tensor

from imgcodec.training import distributed

if TYPE_CHECKING:
    from imgcodec.training.loop import Phase, Report

console = Console(stderr=True)

SHOW_EVERY = 1.0
"""Seconds between two changes of the figures of the bar."""

KEEP = 0.8
"""Of the figures of the bar at each change: they are running means."""


def announce(message: str) -> None:
    """A line on stderr."""
    if distributed.rank() == 0:
        console.print(message, markup=False, highlight=False, soft_wrap=True)


class Log:
    """Writes figures and pictures of a phase to `folder` and stderr. Where TensorBoard is not installed, figures go to
    a file, a line of JSON for each step that is logged, and pictures nowhere."""

    def __init__(self, phase: "Phase", folder: Path, place: str, step: int, progress: float) -> None:
        """place: where it is trained, for people. step, progress: where the phase goes on, 0 at its beginning."""
        self.phase, self.writer, self.lines = phase, None, None
        self.shown: dict[str, float] = {}
        self.next_show = 0.0
        self.bar = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(),
            TextColumn("{task.fields[figures]}", markup=False), TextColumn("left"), TimeRemainingColumn(),
            console=console, transient=True, disable=not console.is_terminal or distributed.rank() != 0,
        )  # fmt: skip
        self.task = self.bar.add_task(phase.name, total=1.0, figures="")
        self.bar.update(self.task, completed=progress)
        if distributed.rank() != 0:
            return
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(folder / "log" / phase.name))
        else:
            (folder / "log").mkdir(exist_ok=True)
            self.lines = open(folder / "log" / f"{phase.name}.jsonl", "a", encoding="utf-8")  # noqa: SIM115
        ends = f"{phase.steps} steps" + (f" or {phase.minutes:g} minutes" if phase.minutes < float("inf") else "")
        announce(f"{phase.name}: {ends} on {place}" + (f", from step {step} on" if step else ""))
        self.bar.start()

    def step(self, progress: float, step: int, figures: Mapping[str, Tensor]) -> None:
        """Shows how far the phase is, and its figures."""
        if self.bar.disable:
            return
        now = time.monotonic()
        if now >= self.next_show:  # to read figures of a GPU waits for it
            self.next_show = now + SHOW_EVERY
            found = {name: float(value) for name, value in figures.items() if value.numel() == 1}
            self.shown = {n: KEEP * self.shown.get(n, v) + (1 - KEEP) * v for n, v in found.items()}
        text = "  ".join(f"{name} {value:.4g}" for name, value in self.shown.items())
        self.bar.update(self.task, completed=progress, figures=f"{step}  {text}")

    def figures(self, step: int, figures: Mapping[str, float], *words: str, prefix: str = "") -> None:
        """Figures of many steps, or of a validation. words: the first stands before them, the others behind."""
        if self.writer is None and self.lines is None:
            return
        if self.writer is not None:
            for key, value in figures.items():
                self.writer.add_scalar(prefix + key, value, step)
        if self.lines is not None:
            line: dict[str, Any] = {"step": step, **{prefix + key: value for key, value in figures.items()}}
            self.lines.write(json.dumps(line) + "\n")
            self.lines.flush()
        values = (f"{k} {v:.4g}" for k, v in figures.items())
        console.print("  ".join([f"{self.phase.name} {step}", *words[:1], *values, *words[1:]]), soft_wrap=True)

    def report(self, step: int, report: "Report") -> None:
        """The result of a validation."""
        self.figures(step, report.figures, "validation", prefix="validation/")
        for name, picture in report.pictures.items():
            if self.writer is not None:
                self.writer.add_image(name, picture.detach().float().clamp(0, 1).cpu().numpy(), step)

    def close(self) -> None:
        self.bar.stop()
        if self.writer is not None:
            self.writer.close()
        if self.lines is not None:
            self.lines.close()
