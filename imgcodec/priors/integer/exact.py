"""Integer arithmetic that gives the same result on every machine, at the speed of floating point.

Integers travel in float32 tensors. Three facts make that exact (`docs/numerics.md` has them in full):

1. Sums. float32 holds every integer up to 2**24. Where the sum of the absolute values of all terms stays below that,
   every partial sum is such an integer, so a convolution or matrix product gives the exact result in any order of
   summation, with fused multiply-adds or without. Operands have at most 8 bits, so they are exact in bfloat16 and
   TF32 too, should a library round its inputs.
2. Shifts. Multiplying by a power of two is exact, and rounding to the nearest integer (ties to even) is one IEEE 754
   operation with one right answer. Every requantization is of this kind; there is no other scale factor.
3. Quotients. Attention divides integers in float64, numerators below 2**40 by denominators below 2**17, to quotients
   below 2**24: one that is not an integer is at least 2**-17 away from one, and float64 errs by less than 2**-28, so
   the floor is right.

Between layers, numbers are in units of 2**-FRACTION. Every tensor there is a sum of outputs of different layers, each
at most once, so if the bounds of all layers of a prior together stay below 2**24, all of it is exact: `check_bounds`.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.priors.integer import constants
from imgcodec.priors.integer.bounds import (
    check_attention,
    check_fractions,
    check_total,
    product_bound,
    rows_bound,
    score_shift,
)
from imgcodec.priors.integer.constants import (
    FRACTION,
    LEVEL_UNITS,
    MASKED,
    MAX_OPERAND,
    MAX_POSITIVE_OPERAND,
    TUNE_UNITS,
)
from imgcodec.priors.photo.config import relative_offsets
from imgcodec.priors.photo.windows import from_windows, to_windows


def constant(numbers: Sequence[float]) -> Tensor:
    """Numbers as float32 on the CPU, whatever the program around has made PyTorch's default dtype and device."""
    return torch.tensor(numbers, dtype=torch.float32, device="cpu")


def operand(x: Tensor, fraction: int, positive: bool) -> Tensor:
    """Numbers in units of 2**-FRACTION, |x| < 2**24 -> integers in units of 2**-fraction, clamped to -127..127, or to
    0..255 where `positive` (then this is the ReLU, too)."""
    low, high = (0, MAX_POSITIVE_OPERAND) if positive else (-MAX_OPERAND, MAX_OPERAND)
    return torch.mul(x, 2.0 ** (fraction - FRACTION)).round_().clamp_(low, high)


class ExactLinear(nn.Module):
    """1x1 convolution of integers: round((weight @ operand + bias) * 2**-shift), with one shift per output.

    weight (outputs, inputs, 1, 1) within -127..127, bias and shift (outputs,). fraction: of the operand; None where the
    input is an operand already. Bound: sum |weight| * largest operand + |bias| < 2**24 for every output.
    """

    def __init__(self, weight: Tensor, bias: Tensor, shift: Tensor, fraction: int | None, positive: bool) -> None:
        super().__init__()
        self.fraction, self.positive = fraction, positive
        self.weight: Tensor
        self.bias: Tensor
        self.shift: Tensor
        self.factor: Tensor
        self.register_buffer("weight", weight.float())
        self.register_buffer("bias", bias.float())
        self.register_buffer("shift", shift.float())
        self.register_buffer("factor", torch.exp2(-shift.float())[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.fraction is not None:
            x = operand(x, self.fraction, self.positive)
        return F.conv2d(x, self.weight, self.bias).mul_(self.factor).round_()

    def output_bound(self) -> float:
        """The largest |output| for any input. Raises BoundError where a sum could be inexact."""
        if self.fraction is not None:
            check_fractions(self.fraction)
        largest = MAX_POSITIVE_OPERAND if self.positive else MAX_OPERAND
        return product_bound(_numpy(self.weight), _numpy(self.bias), _numpy(self.shift), largest)


class ExactDepthwise(nn.Module):
    """Depthwise convolution of integers, zero padding. weight (C, 1, k, k) within -127..127; the rest as ExactLinear.

    It never goes through a Winograd transform: those exist for dense convolutions only.
    """

    def __init__(self, weight: Tensor, bias: Tensor, shift: Tensor, fraction: int) -> None:
        super().__init__()
        self.fraction = fraction
        self.weight: Tensor
        self.bias: Tensor
        self.shift: Tensor
        self.factor: Tensor
        self.register_buffer("weight", weight.float())
        self.register_buffer("bias", bias.float())
        self.register_buffer("shift", shift.float())
        self.register_buffer("factor", torch.exp2(-shift.float())[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x, padding = operand(x, self.fraction, positive=False), self.weight.shape[-1] // 2
        x = F.conv2d(x, self.weight, self.bias, padding=padding, groups=len(self.weight))
        return x.mul_(self.factor).round_()

    def output_bound(self) -> float:
        """As ExactLinear.output_bound."""
        check_fractions(self.fraction)
        return product_bound(_numpy(self.weight), _numpy(self.bias), _numpy(self.shift), MAX_OPERAND)


def _numpy(x: Tensor) -> NDArray[np.generic]:
    return x.detach().cpu().numpy()


EXPONENTIALS, CURVE = constant(constants.EXPONENTIALS), constant(constants.CURVE)


class ExactAttention(nn.Module):
    """Integer softmax attention inside windows, with a relative position bias.

        score = round(query . key * 2**-shift) + position - mask         in sixteenths
        mixed = floor(sum(e * value) * 2**(FRACTION - fraction of value) / sum(e)),  e = EXPONENTIALS[largest - score]

    position: score bias (heads, (2 * window - 1)**2). fractions: of query, key and value.
    Bounds: |query . key| <= c * 127**2 < 2**24 for heads of c <= 1040 channels, and so with shift, position and mask;
    sum(e * value) <= window**2 * 255 * 127 < 2**24 for windows up to 22. The mixed value is a mean of operands, at most
    127 * 2**(2 * FRACTION).
    """

    offset: Tensor
    position: Tensor

    def __init__(
        self, project: ExactLinear, merge: ExactLinear, position: Tensor, fractions: tuple[int, int, int], window: int
    ) -> None:
        super().__init__()
        self.project, self.merge, self.fractions, self.window = project, merge, fractions, window
        self.register_buffer("position", position.float())
        self.register_buffer("offset", torch.from_numpy(relative_offsets(window)), persistent=False)

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        """x (B, C, h, w), h and w multiples of the window; inside (h, w): 1, or 0 for positions that are masked."""
        return self.merge(self.attend(self.project(x), inside))

    def attend(self, x: Tensor, inside: Tensor) -> Tensor:
        """Queries, keys and values (B, 3 * C, h, w) -> mixed values (B, C, h, w)."""
        parts = to_windows(x, self.window, 3, len(self.position)).unbind(2)
        query, key, value = (operand(p, f, positive=False) for p, f in zip(parts, self.fractions, strict=True))
        scores = (query.mul_(2.0**-self.shift) @ key.transpose(-1, -2)).round_()  # a power of two changes no digit
        mask = to_windows(inside[None, None], self.window, 1, 1)[:, 0, 0, :, 0].repeat(len(x), 1)
        scores.add_(self.position[:, self.offset]).add_((mask[:, None, None, :] - 1) * MASKED)
        below_max = scores.amax(-1, keepdim=True).sub(scores).clamp_(max=len(EXPONENTIALS) - 1)
        weights = EXPONENTIALS.to(x.device).take(below_max.long())
        numerator, denominator = (weights @ value).double(), weights.sum(-1, keepdim=True).double()
        mixed = (numerator * 2.0 ** (FRACTION - self.fractions[2]) / denominator).floor_().float()
        return from_windows(mixed, self.window, x.shape)

    @property
    def shift(self) -> int:
        """From query . key to a score: a score is the product times 2**-shift."""
        return score_shift(self.fractions)

    def output_bound(self) -> float:
        """As ExactLinear.output_bound; checks the projection, too."""
        self.project.output_bound()
        channels = self.project.weight.shape[0] // 3 // len(self.position)
        check_attention(channels, self.window, _numpy(self.position), self.fractions)
        return self.merge.output_bound()


class ExactLevelTable(nn.Module):
    """An integer row for each level of each tune, (tunes * levels, width); interpolated at a quality, 0..25600 plus
    TUNE_UNITS times the tune, and rounded half up: (1, width, 1, 1)."""

    rows: Tensor

    def __init__(self, rows: Tensor, tunes: int = 1) -> None:
        super().__init__()
        self.tunes = tunes
        self.register_buffer("rows", rows.float())

    def forward(self, quality: int) -> Tensor:
        tune, quality = divmod(quality, TUNE_UNITS)
        levels = len(self.rows) // self.tunes
        level = quality * (levels - 1)  # in 1/LEVEL_UNITS
        low = min(level // LEVEL_UNITS, levels - 2)
        part = level - low * LEVEL_UNITS
        table = self.rows[tune * levels : (tune + 1) * levels].to("cpu", torch.int64)
        mixed = table[low] * (LEVEL_UNITS - part) + table[low + 1] * part
        mixed = torch.div(2 * mixed + LEVEL_UNITS, 2 * LEVEL_UNITS, rounding_mode="floor")
        return mixed.to(self.rows.device, torch.float32)[None, :, None, None]

    def output_bound(self) -> float:
        """The largest entry. Raises BoundError where one is no integer below 2**24."""
        return rows_bound(_numpy(self.rows))


class ExactTokenCurve(nn.Module):
    """Centred tokens (B, groups, h, w) -> operands (B, planes * groups, h, w): CURVE[|t|] with the sign of t and, where
    `planes` is 2, t itself up to +-127."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.planes = planes

    def forward(self, tokens: Tensor) -> Tensor:
        curve = CURVE.to(tokens.device).take(tokens.abs().clamp(max=len(CURVE) - 1).long()) * tokens.sign()
        return curve if self.planes == 1 else torch.cat([curve, tokens.clamp(-127, 127)], 1)


def operand_fractions(module: nn.Module) -> dict[str, Any]:
    """For a model file, the units of operands: by the name of the layer one fraction, for attention three."""
    named = ((name, getattr(m, "fraction", getattr(m, "fractions", None))) for name, m in module.named_modules())
    return {name: fraction for name, fraction in named if fraction is not None}


def check_bounds(module: nn.Module) -> float:
    """A bound on all numbers between layers of `module`. Raises BoundError unless all of its arithmetic is exact."""
    bounds = (getattr(m, "output_bound", None) for m in module.modules())
    total = float(sum(bound() for bound in bounds if bound is not None))
    check_total(total)
    return total


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Inside, there are no gradients, and the reduced-precision modes of PyTorch are off; restored afterwards.

    These modes belong to the process, not to a thread: the first thread that enters turns them off, and the last one
    that leaves restores them.
    """
    cpu, cuda = torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False)
    with _strict_settings(), torch.inference_mode(), cpu, cuda:
        yield


_settings_lock = threading.Lock()
_settings_users = 0
_settings_before: list[object] = []  # empty where nothing is changed


@contextmanager
def _strict_settings() -> Iterator[None]:
    global _settings_users, _settings_before
    settings = _precision_settings()
    with _settings_lock:
        if not _settings_users:
            _settings_before = [getattr(owner, name) for owner, name, _ in settings]
            for owner, name, strict in settings:
                setattr(owner, name, strict)
        _settings_users += 1
    try:
        yield
    finally:
        with _settings_lock:
            _settings_users -= 1
            if not _settings_users:
                _restore_settings()


def _restore_settings() -> None:
    global _settings_before
    for (owner, name, _), value in zip(_precision_settings(), _settings_before, strict=False):
        setattr(owner, name, value)
    _settings_before = []


def _forget_other_threads() -> None:
    """In a forked child, which has none of the threads that were inside and would leave."""
    global _settings_lock, _settings_users
    _settings_lock, _settings_users = threading.Lock(), 0
    _restore_settings()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)


def _precision_settings() -> list[tuple[object, str, object]]:
    """(object, attribute, value): the settings that let PyTorch compute float32 products in lower precision, and the
    values that forbid it. Since 2.9 there are two interfaces; the older one raises an error where a program has used
    the newer one."""
    cuda: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    mkldnn: Any = torch.backends.mkldnn
    if hasattr(cuda, "fp32_precision"):
        owners = (cuda, cudnn.conv, mkldnn.matmul, mkldnn.conv)
        return [(owner, "fp32_precision", "ieee") for owner in owners]
    return [(cuda, "allow_tf32", False), (cudnn, "allow_tf32", False)]
