"""One training loop for every phase of every recipe: schedule, averaging, validation, checkpoints that resume."""

import json
import math
import re
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.storage import files
from imgcodec.training import distributed
from imgcodec.training.cuda_graph import Recorded
from imgcodec.training.log import Log
from imgcodec.training.optimizer import load_optimizer, optimizer_state, optimizers, rounded_products
from imgcodec.training.soap import SOAP

LOG_EVERY = 100
"""Steps."""


@dataclass(frozen=True)
class Phase:
    """How long and how fast to train. A phase ends after `steps` or `minutes` of running time, whichever is first.

    rate: learning rate of AdamW. slow, fast: factors on it for the parameter groups of these names (linear paths are
    slow, the prior is fast). matrix_rate: if not 0, SOAP (Vyas et al. 2024) trains the parameter group "matrix" at this
    rate, and AdamW the others. Rates warm up for `warmup` steps, stay, and from `decay_from` (a fraction of the phase)
    fall to `final` times their value: along a line, or along half a cosine. average: decay of the moving average of the
    weights. validate_every: steps.
    """

    name: str
    steps: int
    minutes: float = math.inf
    rate: float = 6e-4
    matrix_rate: float = 0.0
    slow: float = 0.1
    fast: float = 2.0
    warmup: int = 200
    schedule: Literal["linear", "cosine"] = "linear"
    decay_from: float = 0.6
    final: float = 0.02
    average: float = 0.999
    validate_every: int = 2000
    save_every_minutes: float = 3.0

    def __post_init__(self) -> None:
        for name in ("steps", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be a whole number above 0")
        if not self.minutes > 0:
            raise ValueError("minutes must be a number above 0")
        for name in ("rate", "matrix_rate", "slow", "fast", "warmup", "decay_from", "final", "average"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be a number, 0 or more")
        if self.decay_from > 1 or self.average >= 1:
            raise ValueError("decay_from must be at most 1, and average less")
        if not re.fullmatch(r"[\w-]+", self.name):  # it becomes the name of a file
            raise ValueError(f"a phase is called {self.name!r}, which takes letters, digits, - and _")

    def schedule_at(self, step: int, minutes: float) -> float:
        """The factor on all learning rates."""
        left = min(1.0, (1 - self.progress(step, minutes)) / max(1e-9, 1 - self.decay_from))
        if self.schedule == "cosine":
            left = (1 - math.cos(math.pi * left)) / 2
        return min(1.0, (step + 1) / max(1, self.warmup)) * (self.final + (1 - self.final) * left)

    def progress(self, step: int, minutes: float) -> float:
        """The finished fraction of the phase, 0..1."""
        return min(1.0, max(step / self.steps, minutes / self.minutes))


@dataclass(frozen=True)
class Report:
    """The result of a validation: figures, and pictures (3, H, W) in 0..1, by name."""

    figures: dict[str, float] = field(default_factory=dict)
    pictures: dict[str, Tensor] = field(default_factory=dict)


class TrainingInterrupted(KeyboardInterrupt):
    """Somebody asked the training to stop, and it has saved what it had. checkpoint: the file. step: of the phase."""

    def __init__(self, checkpoint: Path, phase: str, step: int) -> None:
        super().__init__()
        self.checkpoint, self.phase, self.step = checkpoint, phase, step


class Run:
    """The state of a phase: parameters, optimizers, the moving average of the weights, and its checkpoint."""

    def __init__(
        self, phase: Phase, model: nn.Module, group: Callable[[str], str], folder: Path, before: int = 0
    ) -> None:
        """group: maps a parameter's name to 'slow', 'normal', 'fast' or 'matrix'. before: steps of another run whose
        averaged weights the model has, so that the average is not thrown away for the first weights of this run."""
        self.phase, self.model, self.folder = phase, model, folder
        self.named = {n: p for n, p in model.named_parameters() if p.requires_grad}
        # what training changes without a gradient, like the counts of used codes
        persistent = model.state_dict(keep_vars=True)
        self.buffers = {n: b for n, b in model.named_buffers() if n in persistent}
        self.device = next(iter(self.named.values())).device
        self.optimizers = optimizers(phase, {n: group(n) for n in self.named}, self.named)
        self.averaged = {n: p.detach().clone() for n, p in self.named.items()}
        self.step, self.minutes, self.before = 0, 0.0, before
        self.usual_norm = math.inf
        self.settings = getattr(model, "settings", {})
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.phase.name}.safetensors"

    def resume(self) -> bool:
        """Loads the checkpoint, if there is one, so that training continues with the very next step."""
        if not self.checkpoint.exists():
            return False
        with safe_open(self.checkpoint, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            self.step, self.minutes, self.usual_norm = state["step"], state["minutes"], state["usual_norm"]
            self.before = state["before"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
        self._check_names(tensors)
        if state.get("settings", self.settings) != self.settings:
            raise UsageError(f"The checkpoint {self.checkpoint} was made with {state['settings']} in the recipe.")
        torch.set_rng_state(tensors["rng"])
        with torch.no_grad():
            for name, buffer in self.buffers.items():
                buffer.copy_(tensors[f"buffer.{name}"])
            for name, parameter in self.named.items():
                parameter.copy_(tensors[f"model.{name}"])
                self.averaged[name].copy_(tensors[f"average.{name}"])
        for index, optimizer in enumerate(self.optimizers):
            load_optimizer(optimizer, state["optimizers"][index], tensors, f"optimizer{index}.")
        return True

    def _check_names(self, tensors: dict[str, Tensor]) -> None:
        """Raises UsageError for a checkpoint of other weights than this phase trains."""
        wanted = {f"model.{name}": p.shape for name, p in self.named.items()}
        if wanted != {name: t.shape for name, t in tensors.items() if name.startswith("model.")}:
            raise UsageError(
                f"The checkpoint {self.checkpoint} has other weights than the recipe trains in the phase "
                f"{self.phase.name}: it was made with another recipe."
            )

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all; only in the first process."""
        if distributed.rank():
            return
        tensors = {"rng": torch.get_rng_state()} | {f"buffer.{n}": b for n, b in self.buffers.items()}
        for name, parameter in self.named.items():
            tensors |= {f"model.{name}": parameter.detach(), f"average.{name}": self.averaged[name]}
        numbers = []
        for index, optimizer in enumerate(self.optimizers):
            parts, others = optimizer_state(optimizer, f"optimizer{index}.")
            tensors |= parts
            numbers.append(others)
        state = {
            "step": self.step, "minutes": self.minutes, "before": self.before, "usual_norm": self.usual_norm,
            "optimizers": numbers, "settings": self.settings,
        }  # fmt: skip
        data = save({n: t.cpu().contiguous() for n, t in tensors.items()}, {"state": json.dumps(state)})
        files.write(self.checkpoint, data, force=True)

    def gradient(
        self, objective: nn.Module, progress: float, inputs: Sequence[Any]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Leaves gradients, clipped to a norm of 1, and returns the norm that they had, and the objective's figures."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss, figures = objective(progress, *inputs)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.named.values(), 1.0)
        return norm, {name: value.detach() for name, value in figures.items()}

    def update(self, norm: float) -> bool:
        """An optimizer step, unless the gradient is not finite or has ten times the usual norm. Returns whether it was
        taken. One step in thousands has such a gradient, and it can undo an hour of training."""
        schedule = self.phase.schedule_at(self.step, self.minutes)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = schedule * group["full_rate"]
        taken = math.isfinite(norm) and norm < 10 * self.usual_norm
        if taken:
            with rounded_products():
                for optimizer in self.optimizers:
                    optimizer.step()
        if math.isfinite(norm):
            calm = min(norm, 2 * self.usual_norm)
            self.usual_norm = calm if self.usual_norm == math.inf else 0.98 * self.usual_norm + 0.02 * calm
        behind = self.before + self.step
        keep = min(self.phase.average, (behind + 1) / (behind + 10))
        averages, parameters = list(self.averaged.values()), [p.detach() for p in self.named.values()]
        torch._foreach_lerp_(averages, parameters, 1 - keep)
        return taken

    def recorded_gradient(self, objective: nn.Module, inputs: Sequence[Tensor]) -> Callable[..., Any]:
        """As `gradient` of an objective that does not look at the progress, with kernels recorded on a GPU."""
        names: list[str] = []

        def function(*tensors: Tensor) -> list[Tensor]:
            norm, figures = self.gradient(objective, 0.0, tensors)
            names[:] = figures
            return [norm, *figures.values()]

        recorded = Recorded(function, inputs)
        for optimizer in self.optimizers:
            if isinstance(optimizer, SOAP):
                optimizer.records = True  # gradients stay where they are now

        def gradient(
            objective: nn.Module, progress: float, inputs: Sequence[Tensor]
        ) -> tuple[Tensor, dict[str, Tensor]]:
            norm, *figures = recorded(*inputs)
            return norm, {name: value.clone() for name, value in zip(names, figures, strict=True)}

        return gradient

    def swap_average(self) -> None:
        """Exchanges the weights with their moving average; a second call undoes it."""
        with torch.no_grad():
            for name, parameter in self.named.items():
                current = parameter.detach().clone()
                parameter.copy_(self.averaged[name])
                self.averaged[name].copy_(current)


def run_phase(
    run: Run,
    objective: nn.Module,
    batch: Callable[[int], tuple[Any, ...]],
    validate: Callable[[], Report],
    after_step: Callable[[int], object] = lambda step: None,
    records: bool = False,
) -> None:
    """Trains to the end of the phase and leaves the averaged weights in the model.

    objective(progress, *batch(step)) -> loss and scalars to log, "loss" among them; progress is 0..1. Its parameters
    are those of `run`. Each process has batches of its own, and gradients are averaged. after_step(step): may change
    weights, in the same way in every process. records: whether steps are recorded for a GPU
    (`imgcodec.training.cuda_graph`); then the objective may not look at the progress. SIGINT and SIGTERM save and raise
    TrainingInterrupted.
    """
    phase, stop, asked = run.phase, False, False

    def ask_to_stop(*_: object) -> None:
        nonlocal asked
        asked = True

    distributed.broadcast_tensors([*run.named.values(), *run.averaged.values(), *run.buffers.values()])
    log = Log(phase, run.folder, str(run.device), run.step, phase.progress(run.step, run.minutes))
    objective.train()
    averaging = distributed.data_parallel(objective, run.device)
    gradient, began_at = run.gradient, run.step
    saved, skipped, recent = run.minutes, 0, []
    usual_loss = math.inf
    handlers = {s: signal.signal(s, ask_to_stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        while phase.progress(run.step, run.minutes) < 1 and not stop:
            began = time.monotonic()
            inputs = batch(run.step)
            if records and run.step == began_at + 1:  # the first step finds SOAP's bases
                gradient = run.recorded_gradient(averaging, inputs)
            progress = 0.0 if records else phase.progress(run.step, run.minutes)
            norm, figures = gradient(averaging, progress, inputs)
            skipped += not run.update(float(norm))
            after_step(run.step)
            run.step += 1
            run.minutes, stop = distributed.synchronize(
                run.minutes + (time.monotonic() - began) / 60, asked, run.device
            )
            recent.append(figures)
            log.step(phase.progress(run.step, run.minutes), run.step, recent[-1])
            if run.step % LOG_EVERY == 0:
                # a step whose loss is not finite was skipped; if all are such, so is the mean
                mean = {k: _mean_of_finite(torch.stack([f[k].float() for f in recent])) for k in figures}
                log.figures(run.step, mean, f"{run.minutes:.1f} min", f"skipped {skipped}")
                # all processes look at the loss of the first one, or only some would stop
                loss_of_first = distributed.from_first(mean["loss"], run.device)
                if not loss_of_first <= usual_loss + 2 * abs(usual_loss):
                    raise CodecError("The training has diverged: resume from the checkpoint with a lower rate.")
                usual_loss, recent = loss_of_first, []
            if run.step % phase.validate_every == 0 and distributed.rank() == 0:
                log.report(run.step, _validate_average(run, objective, validate))
            if run.minutes - saved > phase.save_every_minutes and run.step % LOG_EVERY == 0:  # loss just looked at
                run.save()
                saved = run.minutes
        run.save()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        log.close()
    if stop:
        raise TrainingInterrupted(run.checkpoint, phase.name, run.step)
    run.swap_average()
    objective.eval()


def _mean_of_finite(values: Tensor) -> float:
    return float(values[values.isfinite()].mean())


def _validate_average(run: Run, objective: nn.Module, validate: Callable[[], Report]) -> Report:
    run.swap_average()
    objective.eval()
    report = validate()
    objective.train()
    run.swap_average()
    return report


AnyPhase = TypeVar("AnyPhase", bound=Phase)


def run_phases(
    phases: Sequence[AnyPhase], model: nn.Module, folder: Path, resume: bool, train: Callable[[AnyPhase], None]
) -> None:
    """Trains phase after phase, each from the averaged weights of the one before; with `resume`, the weights of
    finished phases are read instead."""
    for phase in phases:
        finished = folder / f"{phase.name}-weights.safetensors"
        if resume and finished.exists():
            model.load_state_dict(load_file(finished))
            continue
        train(phase)
        if distributed.rank() == 0:
            state = {n: t.cpu().contiguous() for n, t in model.state_dict().items()}
            files.write(finished, save(state), force=True)
        distributed.wait_for_all(next(model.parameters()).device)


def export_model(path: Path, device: torch.device, export: Callable[[Path], dict[str, Any]]) -> Path:
    """The end of a training: `export` writes the model file and returns what goes to export.json beside it; in the
    first process only, for which the others wait. Returns the path."""
    if distributed.rank() == 0:
        report = export(path)
        files.write(path.parent / "export.json", (json.dumps(report, indent=1) + "\n").encode(), force=True)
    distributed.wait_for_all(device)
    return path
