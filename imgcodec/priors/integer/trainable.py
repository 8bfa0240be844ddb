"""Layers of a prior in training: first in float, then with fake quantization. `export` makes the integer layers.

Fake quantization (Jacob et al. 2018) rounds operands and weights just as `imgcodec.priors.integer.exact` will, to
powers of two that `calibrate` chooses, and lets gradients through; so what is trained is what runs.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.priors.integer import constants, exact
from imgcodec.priors.photo.config import relative_offsets
from imgcodec.priors.photo.windows import from_windows, to_windows

AnyPrior = TypeVar("AnyPrior", bound=nn.Module)

FLOAT = -128
"""`fraction` of an operand that is not quantized (yet)."""

FLOAT_RANGE = 64.0
"""Operands are clamped in float training, too: no normalisation keeps them small, and 8 bits would be coarse for a
wider range."""


class Operand(nn.Module):
    """The 8-bit input of a product. positive: it is the output of a ReLU (which happens here)."""

    def __init__(self, positive: bool = False) -> None:
        super().__init__()
        self.positive = positive
        self.low, self.high = (0, constants.MAX_POSITIVE_OPERAND) if positive else (-127, constants.MAX_OPERAND)
        self.fraction = FLOAT  # a number of Python's: to read a tensor's at every call would wait for a GPU
        self.observe: Callable[[Tensor], None] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.observe is not None:
            self.observe(x.detach())
        if self.fraction == FLOAT:
            return F.hardtanh(x, 0 if self.positive else -FLOAT_RANGE, FLOAT_RANGE)
        return torch.fake_quantize_per_tensor_affine(x.float(), 2.0**-self.fraction, 0, self.low, self.high)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        destination[f"{prefix}fraction"] = torch.tensor(self.fraction, dtype=torch.int8)

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        *_: Any,  # PyTorch's other arguments
    ) -> None:
        self.fraction = int(state_dict[f"{prefix}fraction"])


class Linear(nn.Module):
    """1x1 convolution. tokens: the input comes from a TokenCurve, so it has operands already. fraction: of the
    output."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        positive: bool = False,
        tokens: bool = False,
        fraction: int = constants.FRACTION,
    ) -> None:
        super().__init__()
        self.output_fraction = fraction
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 1, 1))
        nn.init.uniform_(self.weight, -((3 / inputs) ** 0.5), (3 / inputs) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.operand = None if tokens else Operand(positive)
        self.quantized = False

    def forward(self, x: Tensor) -> Tensor:
        if self.operand is not None:
            x = self.operand(x)
        return F.conv2d(x, fake_weight(self.weight) if self.quantized else self.weight, self.bias)

    def export(self) -> exact.ExactLinear:
        """The same layer in integers."""
        return exact.ExactLinear(*integer_product(self))


class Depthwise(nn.Module):
    """Depthwise convolution, zero padding."""

    output_fraction = constants.FRACTION

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, 1, kernel, kernel))
        nn.init.uniform_(self.weight, -0.03, 0.03)
        self.bias = nn.Parameter(torch.zeros(width))
        self.operand = Operand()
        self.quantized = False

    def forward(self, x: Tensor) -> Tensor:
        weight = fake_weight(self.weight) if self.quantized else self.weight
        padding = weight.shape[-1] // 2
        with torch.autocast(x.device.type, enabled=False):  # its gradient takes twice as long in bfloat16
            return F.conv2d(self.operand(x.float()), weight, self.bias, padding=padding, groups=len(weight))

    def export(self) -> exact.ExactDepthwise:
        """The same layer in integers."""
        fraction = self.operand.fraction
        parts = _integers(self.weight, self.bias, fraction, constants.FRACTION, constants.MAX_OPERAND)
        return exact.ExactDepthwise(*parts, fraction)


class Attention(nn.Module):
    """Multi-head self-attention inside windows, with a relative position bias (Swin, Liu et al. 2021)."""

    offset: Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.project = Linear(width, 3 * width)
        self.merge = Linear(width, width)
        nn.init.zeros_(self.merge.weight)
        self.position = nn.Parameter(torch.zeros(heads, (2 * window - 1) ** 2))
        self.query, self.key, self.value = Operand(), Operand(), Operand()
        self.register_buffer("offset", torch.from_numpy(relative_offsets(window)), persistent=False)

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        """x (B, C, h, w), h and w multiples of the window; inside (h, w): 1, or 0 for positions that are masked."""
        query, key, value = to_windows(self.project(x), self.window, 3, self.heads).unbind(2)
        scores = self.query(query) @ self.key(key).transpose(-1, -2) / 2**constants.SCORE_DIVISOR
        mask = to_windows(inside[None, None], self.window, 1, 1)[:, 0, 0, :, 0].repeat(len(x), 1)
        scores = scores + self.position[:, self.offset] + (mask[:, None, None, :] - 1) * 1e4
        mixed = scores.softmax(-1).to(value.dtype) @ self.value(value)
        return self.merge(from_windows(mixed, self.window, x.shape))

    def export(self) -> exact.ExactAttention:
        """The same layer in integers."""
        position = (self.position.detach() * 2**constants.SCORE_FRACTION).round()
        fractions = (self.query.fraction, self.key.fraction, self.value.fraction)
        return exact.ExactAttention(self.project.export(), self.merge.export(), position, fractions, self.window)


class LevelTable(nn.Module):
    """A row for each level of each tune, interpolated at fractional levels (B,) -> (B, width, 1, 1). Levels of the
    second tune follow those of the first."""

    def __init__(self, levels: int, width: int, fraction: int = constants.FRACTION, tunes: int = 1) -> None:
        super().__init__()
        self.output_fraction, self.tunes = fraction, tunes
        self.rows = nn.Parameter(torch.zeros(tunes * levels, width))

    def forward(self, level: Tensor) -> Tensor:
        low = level.floor().clamp(0, len(self.rows) - 2).long()
        return torch.lerp(self.rows[low], self.rows[low + 1], (level - low)[:, None])[:, :, None, None]

    def export(self) -> exact.ExactLevelTable:
        """The same table in integers."""
        return exact.ExactLevelTable((self.rows.detach() * 2**self.output_fraction).round(), self.tunes)


class TokenCurve(nn.Module):
    """Centred tokens (B, groups, h, w) -> operands (B, planes * groups, h, w) of their embedding, in sixteenths:
    14 log2(1 + |t|) with the sign of t and, where `planes` is 2, t itself up to +-127."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.planes = planes

    def forward(self, tokens: Tensor) -> Tensor:
        curve = 14 * torch.log2(1 + tokens.abs()) * tokens.sign()
        curve = curve + (curve.round().clamp(-127, 127) - curve).detach()
        operands = curve if self.planes == 1 else torch.cat([curve, tokens.clamp(-127, 127)], 1)
        return operands / 2**constants.TOKEN_FRACTION

    def export(self) -> exact.ExactTokenCurve:
        """The same curve as a table of integers."""
        return exact.ExactTokenCurve(self.planes)


def fake_weight(weight: Tensor) -> Tensor:
    """Weights rounded to 8 bits in units of a power of two per output, the gradient passed straight through."""
    unit = torch.exp2(-weight_fraction(weight))
    return weight + ((weight / unit).round() * unit - weight).detach()


def weight_fraction(weight: Tensor) -> Tensor:
    """log2 of 1 / unit for each output, the largest that keeps its rounded weights within 127, (outputs, 1, 1, 1)."""
    largest = weight.detach().abs().amax((1, 2, 3), keepdim=True).clamp(min=2.0**-12)
    return torch.floor(torch.log2(constants.MAX_OPERAND / largest)).clamp(max=14)


def integer_product(layer: Linear) -> tuple[Tensor, Tensor, Tensor, int | None, bool]:
    """The arguments of ExactLinear: weight, bias, shift, the operand's fraction and whether it is positive."""
    if layer.operand is None:
        parts = _integers(layer.weight, layer.bias, constants.TOKEN_FRACTION, layer.output_fraction, 127)
        return *parts, None, False
    fraction = layer.operand.fraction
    parts = _integers(layer.weight, layer.bias, fraction, layer.output_fraction, layer.operand.high)
    return *parts, fraction, layer.operand.positive


def _integers(
    weight: Tensor, bias: Tensor, fraction: int, output_fraction: int, largest: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Integer weight, bias and shift; coarser weights for an output whose sums could reach 2**24."""
    weight, bias = weight.detach().double(), bias.detach().double()
    units = weight_fraction(weight.float()).double()
    while True:
        integers = (weight * torch.exp2(units)).round()
        offsets = (bias * torch.exp2(units.flatten() + fraction)).round()
        over = integers.abs().flatten(1).sum(1) * largest + offsets.abs() >= constants.LIMIT
        if not over.any():
            return integers, offsets, units.flatten() + fraction - output_fraction
        units[over] -= 1


def export(module: nn.Module) -> None:
    """Replaces every layer inside `module` by its integer form, in place."""
    for name, child in module.named_children():
        as_integers = getattr(child, "export", None)
        if as_integers is not None:
            setattr(module, name, as_integers())
        else:
            export(child)


def exported(prior: AnyPrior) -> AnyPrior:
    """A copy of a calibrated prior in integers. Raises BoundError if its arithmetic could be inexact."""
    integers = copy.deepcopy(prior)
    export(integers)
    exact.check_bounds(integers)
    return integers


def restore(module: nn.Module, integers: nn.Module) -> None:
    """Gives a float prior the numbers of an exported one of the same configuration, so that training can continue from
    a model file."""
    for name, child in module.named_children():
        source, take = getattr(integers, name), getattr(child, "restore", None)
        match child:
            case Linear() | Depthwise():
                restore_product(child, source)
            case LevelTable():
                rows = source.rows * 2.0**-child.output_fraction
                child.rows.data.copy_(rows.repeat(child.tunes, 1)[: len(child.rows)])  # a new tune starts as the first
            case Attention():
                restore_product(child.project, source.project)
                restore_product(child.merge, source.merge)
                child.position.data.copy_(source.position * 2.0**-constants.SCORE_FRACTION)
                child.offset.copy_(source.offset)  # not one of the file's tensors, and missing where `child` was empty
                for layer, fraction in zip((child.query, child.key, child.value), source.fractions, strict=True):
                    layer.fraction = fraction
            case _ if take is not None:
                take(source)
            case _:
                restore(child, source)


def restore_product(layer: Linear | Depthwise, source: exact.ExactLinear | exact.ExactDepthwise) -> None:
    """Takes the numbers of an exported product."""
    fraction = constants.TOKEN_FRACTION if source.fraction is None else source.fraction
    unit = torch.exp2(-(source.shift + layer.output_fraction))
    layer.weight.data.copy_(source.weight * (unit * 2.0**fraction)[:, None, None, None])
    layer.bias.data.copy_(source.bias * unit)
    layer.quantized = True
    if layer.operand is not None:
        layer.operand.fraction = fraction


def quantizable(module: nn.Module) -> Iterator[nn.Module]:
    """Layers with weights or tables that fake quantization rounds."""
    return (m for m in module.modules() if hasattr(m, "quantized"))


def calibrate(module: nn.Module, run: Callable[[], object]) -> None:
    """Turns fake quantization on. `run` passes typical data through the prior in float; every operand then gets the
    unit with the least mean squared error, of rounding and clamping, on the data that it saw."""
    operands = [m for m in module.modules() if isinstance(m, Operand)]
    seen: dict[int, list[Tensor]] = {i: [] for i in range(len(operands))}
    for index, layer in enumerate(operands):
        layer.observe = lambda x, i=index: seen[i].append(x.flatten()[:: max(1, x.numel() // 20000)].float())
    run()
    for index, layer in enumerate(operands):
        layer.observe = None
        x = torch.cat(seen[index])
        x = x.clamp(min=0) if layer.positive else x
        errors = {f: float((_rounded(x, f, layer) - x).square().mean()) for f in range(-2, constants.FRACTION + 1)}
        layer.fraction = min(errors, key=lambda f: errors[f])
    for product in quantizable(module):
        product.quantized = True  # type: ignore[assignment]


def unquantize(module: nn.Module) -> None:
    """Turns fake quantization off again."""
    for layer in module.modules():
        if isinstance(layer, Operand):
            layer.fraction = FLOAT
    for product in quantizable(module):
        product.quantized = False  # type: ignore[assignment]


def _rounded(x: Tensor, fraction: int, layer: Operand) -> Tensor:
    return (x * 2.0**fraction).round().clamp(layer.low, layer.high) * 2.0**-fraction
