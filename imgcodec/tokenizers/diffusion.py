"""Noise that is added step by step, and taken away again: DDPM (Ho et al. 2020) and DDIM (Song et al. 2021).

With a[t] falling from nearly 1 to nearly 0, a picture x0 with the noise of step t is

    x[t] = sqrt(a[t]) x0 + sqrt(1 - a[t]) noise
"""

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

SCHEDULES = ("linear", "cosine")
LEAST_KEPT = 1e-3
"""Of a picture, along the cosine: with less, the smallest error in the noise is any picture at all."""


class NoiseScheduler:
    """The a[t] of `steps` steps.

    schedule: linear in the variances that are added at each step (Ho et al. 2020), or along a squared cosine in a
    (Nichol and Dhariwal 2021), which leaves small pictures visible for longer. Raises ValueError for others.
    """

    def __init__(self, steps: int = 1000, schedule: str = "cosine") -> None:
        if steps < 2 or schedule not in SCHEDULES:
            raise ValueError(f"a noise schedule has 2 steps or more and is linear or cosine, not {steps} {schedule!r}")
        self.steps, self.schedule = steps, schedule

    @cached_property
    def kept(self) -> Tensor:
        """a[0] to a[steps - 1], float32 on the CPU."""
        if self.schedule == "linear":
            ends = 1e-4 * 1000 / self.steps, min(0.999, 0.02 * 1000 / self.steps)
            return torch.linspace(*ends, self.steps, dtype=torch.float64, device="cpu").neg().add(1).cumprod(0).float()
        position = torch.arange(1, self.steps + 1, dtype=torch.float64, device="cpu") / self.steps
        wave = ((position + 0.008) / 1.008 * math.pi / 2).cos().square() / math.cos(0.008 / 1.008 * math.pi / 2) ** 2
        return wave.clamp(min=LEAST_KEPT, max=0.9999).float()

    def q_sample(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Pictures (B, C, H, W) with the noise of steps t (B,)."""
        kept = self.kept.to(x0.device)[t][:, None, None, None]
        return kept.sqrt() * x0 + (1 - kept).sqrt() * noise

    def predict_x0(self, noisy: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The pictures that are left when the noise is taken from noisy ones."""
        kept = self.kept.to(noisy.device)[t][:, None, None, None]
        return (noisy - (1 - kept).sqrt() * noise) / kept.sqrt()

    def times(self, count: int) -> list[int]:
        """`count` of the steps, evenly spaced, from the last one down. Raises ValueError for 0 and for too many."""
        if not 1 <= count <= self.steps:
            raise ValueError(f"there are 1 to {self.steps} steps, not {count}")
        return [math.ceil((i + 1) * self.steps / count) - 1 for i in reversed(range(count))]


def ddim(
    scheduler: NoiseScheduler,
    predict: Callable[[Tensor, Tensor], Tensor],
    limit: Callable[[Tensor], Tensor],
    start: Tensor,
    steps: int,
    eta: float,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Takes the noise away in `steps` steps; yields the picture that each of them sees through the noise.

    predict(x, t): the noise in x (B, C, H, W), t (B,). limit: keeps a picture within its range. start: noise. eta: 0
    adds no new noise, 1 as much as DDPM. generator: of that noise, on the CPU.
    """
    x = start
    for now, then in pairwise([*scheduler.times(steps), None]):
        assert now is not None
        t = torch.full((len(x),), now, device=x.device)
        noise = predict(x, t)
        x0 = limit(scheduler.predict_x0(x, t, noise))
        yield x0
        if then is None:
            return
        a, b = float(scheduler.kept[now]), float(scheduler.kept[then])
        noise = (x - a**0.5 * x0) / (1 - a) ** 0.5  # of the picture within its range
        fresh = eta * ((1 - b) / (1 - a) * (1 - a / b)) ** 0.5
        x = b**0.5 * x0 + max(0.0, 1 - b - fresh**2) ** 0.5 * noise
        if fresh:
            x = x + fresh * torch.randn(x.shape, generator=generator).to(x.device)
