"""One training loop for every phase of every recipe: schedule, averaging, validation, checkpoints that resume."""

import json
import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from imgcodec import files
from imgcodec.bitstream.errors import CodecError

console = Console(stderr=True)


@dataclass(frozen=True)
class Phase:
    """How long and how fast. The phase ends after `steps` or after `minutes` of running time, whichever is first.

    rate: learning rate of the networks. slow, fast: factors on it for the groups of parameters that a recipe names
    slow (linear paths) and fast (the prior). The rate warms up for `warmup` steps, stays, and from `decay_from` (a
    fraction of the phase) falls linearly to `final` times what it was.
    """

    name: str
    steps: int
    minutes: float = math.inf
    rate: float = 6e-4
    slow: float = 0.1
    fast: float = 2.0
    warmup: int = 200
    decay_from: float = 0.6
    final: float = 0.02
    average: float = 0.999
    validate_every: int = 2000
    save_every_minutes: float = 3.0

    def rate_at(self, step: int, minutes: float) -> float:
        left = (1 - self.progress(step, minutes)) / max(1e-9, 1 - self.decay_from)
        return self.rate * min(1.0, (step + 1) / self.warmup) * (self.final + (1 - self.final) * min(1.0, left))

    def progress(self, step: int, minutes: float) -> float:
        return min(1.0, max(step / self.steps, minutes / self.minutes))


class Run:
    """A phase under way: parameters, optimizer, the moving average of weights, and where they are saved."""

    def __init__(self, phase: Phase, model: nn.Module, speed: Callable[[str], str], folder: Path) -> None:
        """speed: gives 'slow', 'normal' or 'fast' for a parameter's name."""
        self.phase, self.model, self.folder = phase, model, folder
        self.named = {n: p for n, p in model.named_parameters() if p.requires_grad}
        groups: dict[str, list[Tensor]] = {"slow": [], "normal": [], "fast": []}
        for name, parameter in self.named.items():
            groups[speed(name)].append(parameter)
        self.factors = {"slow": phase.slow, "normal": 1.0, "fast": phase.fast}
        self.optimizer = torch.optim.AdamW(
            [{"params": p, "name": n} for n, p in groups.items() if p], betas=(0.9, 0.98), weight_decay=0, fused=True
        )
        self.averaged = {n: p.detach().clone() for n, p in self.named.items()}
        self.step, self.minutes = 0, 0.0
        self.usual_norm = math.inf
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.phase.name}.safetensors"

    def resume(self) -> bool:
        """Goes on from the checkpoint, if there is one: the next step is the one that would have come next."""
        if not self.checkpoint.exists():
            return False
        with safe_open(self.checkpoint, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            self.step, self.minutes = state["step"], state["minutes"]
            torch.set_rng_state(file.get_tensor("rng"))
            with torch.no_grad():
                for name, parameter in self.named.items():
                    parameter.copy_(file.get_tensor(f"model.{name}"))
                    self.averaged[name].copy_(file.get_tensor(f"average.{name}"))
                    # the fused optimizer takes for granted that a moment lies in memory as its parameter does
                    moments = {"exp_avg": f"first.{name}", "exp_avg_sq": f"second.{name}"}
                    self.optimizer.state[parameter] = {
                        "step": torch.tensor(float(self.step)),
                        **{k: torch.empty_like(parameter).copy_(file.get_tensor(n)) for k, n in moments.items()},
                    }
        return True

    def save(self) -> None:
        """Writes the checkpoint whole or not at all."""
        tensors = {"rng": torch.get_rng_state()}
        for name, parameter in self.named.items():
            zeros = {"exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
            state = self.optimizer.state.get(parameter) or zeros  # a layer may not have been used yet
            tensors |= {f"model.{name}": parameter.detach(), f"average.{name}": self.averaged[name]}
            tensors |= {f"first.{name}": state["exp_avg"], f"second.{name}": state["exp_avg_sq"]}
        state = {"step": self.step, "minutes": self.minutes}
        data = save({n: t.contiguous() for n, t in tensors.items()}, {"state": json.dumps(state)})
        files.write(self.checkpoint, data, force=True)

    def update(self, loss: Tensor) -> bool:
        """One optimizer step, unless the gradient is not finite or ten times the usual. Returns whether it was taken.

        One step in thousands has such a gradient, and with Adam's short memory it can undo an hour.
        """
        rate = self.phase.rate_at(self.step, self.minutes)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * self.factors[group["name"]]
        self.optimizer.zero_grad()
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self.named.values(), 1.0))
        taken = math.isfinite(norm) and norm < 10 * self.usual_norm
        if taken:
            self.optimizer.step()
        if math.isfinite(norm):
            calm = min(norm, 2 * self.usual_norm)
            self.usual_norm = calm if self.usual_norm == math.inf else 0.98 * self.usual_norm + 0.02 * calm
        keep = min(self.phase.average, (self.step + 1) / (self.step + 10))
        averages, parameters = list(self.averaged.values()), [p.detach() for p in self.named.values()]
        torch._foreach_lerp_(averages, parameters, 1 - keep)
        return taken

    def swap_average(self) -> None:
        """Exchanges the weights with their moving average (call it twice to be back)."""
        with torch.no_grad():
            for name, parameter in self.named.items():
                current = parameter.detach().clone()
                parameter.copy_(self.averaged[name])
                self.averaged[name].copy_(current)


def run_phase(
    run: Run,
    loss_of_step: Callable[[int, float], tuple[Tensor, dict[str, float]]],
    validate: Callable[[], dict[str, Any]],
) -> None:
    """Trains to the end of the phase and leaves the averaged weights in the model.

    loss_of_step(step, progress) -> loss and figures to log, "loss" among them; validate() -> figures.
    SIGINT and SIGTERM save and leave.
    """
    from torch.utils.tensorboard import SummaryWriter

    phase, stop = run.phase, False

    def ask_to_stop(*_: object) -> None:
        nonlocal stop
        stop = True

    handlers = {s: signal.signal(s, ask_to_stop) for s in (signal.SIGINT, signal.SIGTERM)}
    writer = SummaryWriter(str(run.folder / "log" / phase.name))
    saved, skipped, recent = run.minutes, 0, []
    usual_loss = math.inf
    try:
        while phase.progress(run.step, run.minutes) < 1 and not stop:
            began = time.monotonic()
            loss, figures = loss_of_step(run.step, phase.progress(run.step, run.minutes))
            skipped += not run.update(loss)
            run.step += 1
            run.minutes += (time.monotonic() - began) / 60
            recent.append(figures)
            if run.step % 100 == 0:
                mean = {k: sum(f[k] for f in recent) / len(recent) for k in figures}
                for key, value in mean.items():
                    writer.add_scalar(key, value, run.step)
                if mean["loss"] > usual_loss + 2 * abs(usual_loss):
                    raise CodecError("The training has diverged: resume from the checkpoint with a lower rate.")
                usual_loss = mean["loss"]
                words = "  ".join(f"{k} {v:.4g}" for k, v in mean.items())
                console.print(f"{phase.name} {run.step}  {run.minutes:.1f} min  {words}  skipped {skipped}")
                recent = []
            if run.step % phase.validate_every == 0:
                run.swap_average()
                results = validate()
                run.swap_average()
                for key, value in results.items():
                    writer.add_scalar(f"validation/{key}", value, run.step)
                console.print(
                    f"{phase.name} {run.step}  validation  " + "  ".join(f"{k} {v:.4g}" for k, v in results.items())
                )
            if run.minutes - saved > phase.save_every_minutes and run.step % 100 == 0:  # the loss was just looked at
                run.save()
                saved = run.minutes
        run.save()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        writer.close()
    if stop:
        raise KeyboardInterrupt
    run.swap_average()
