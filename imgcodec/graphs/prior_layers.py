"""The layers of a `photo` prior: names, sizes and bounds, checked before graphs are made of an untrusted model file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from imgcodec.graphs.tensors import StoredTensor, checked_shape
from imgcodec.priors.integer.bounds import (
    check_attention,
    check_fractions,
    check_total,
    product_bound,
    rows_bound,
)
from imgcodec.priors.integer.constants import MAX_OPERAND, MAX_POSITIVE_OPERAND
from imgcodec.priors.photo.config import UPSAMPLING, PhotoPriorConfig

STAGES = ("coarse", "fine")
BETWEEN = 64
"""Channels between the resolutions of the two stages."""

KERNEL = 5
"""The side of depthwise convolutions."""


@dataclass(frozen=True)
class Layer:
    """A layer by its name in the model file, without `prior.`

    shape: of the weight; of attention the position, of rows the rows. positive: operands are 0..255. window: of
    attention. has_operand: its input is made an operand, in a unit that the configuration gives.
    """

    name: str
    kind: Literal["linear", "depthwise", "attention", "rows"]
    shape: tuple[int, ...]
    positive: bool = False
    window: int = 0
    has_operand: bool = True


def prior_layers(config: PhotoPriorConfig) -> Iterator[Layer]:
    """All layers, in the order in which `PhotoPrior` has them."""
    yield from _stage(config, 0)
    yield from _block(config, "between", 0, True)
    yield _linear("upsample", config.width, BETWEEN * UPSAMPLING**2)
    yield _linear("spread", BETWEEN, config.width)
    yield from _stage(config, 1)


def check_prior(config: PhotoPriorConfig, fractions: Mapping[str, Any], tensors: Mapping[str, StoredTensor]) -> None:
    """Raises BoundError unless all arithmetic of a prior is exact, ValueError, TypeError or KeyError where tensors or
    fractions do not fit the configuration."""
    total = 0.0
    outputs: dict[str, float] = {}
    for layer in prior_layers(config):
        match layer.kind:
            case "attention":
                position = checked_shape(tensors, f"prior.{layer.name}.position", layer.shape)
                query, key, value = fractions[layer.name]
                check_attention(config.width // config.heads, layer.window, position.numpy(), (query, key, value))
            case "rows":
                total += rows_bound(checked_shape(tensors, f"prior.{layer.name}.rows", layer.shape).numpy())
            case _:
                if layer.has_operand != (layer.name in fractions):
                    raise ValueError(f"{layer.name} has no unit of its operands, or one that it should not have")
                if layer.has_operand:
                    check_fractions(fractions[layer.name])
                largest = MAX_POSITIVE_OPERAND if layer.positive else MAX_OPERAND
                weight = checked_shape(tensors, f"prior.{layer.name}.weight", layer.shape)
                bias, shift = (
                    checked_shape(tensors, f"prior.{layer.name}.{part}", layer.shape[:1]) for part in ("bias", "shift")
                )
                outputs[layer.name] = product_bound(weight.numpy(), bias.numpy(), shift.numpy(), largest)
    check_total(total + sum(outputs.values()))


def _stage(config: PhotoPriorConfig, index: int) -> Iterator[Layer]:
    name = STAGES[index]
    yield _rows(f"{name}.start", config, config.width)
    for number, attends in enumerate(config.attention[index]):
        yield from _block(config, f"{name}.blocks.{number}", index, attends)
    for number, groups in enumerate(config.slices[index]):
        head = f"{name}.heads.{number}"
        yield _linear(f"{head}.hidden", config.width, config.width)
        yield Layer(f"{head}.neighbours", "depthwise", (config.width, 1, KERNEL, KERNEL))
        yield _linear(f"{head}.predict", config.width, 2 * groups, positive=True)
        yield _rows(f"{head}.bias", config, 2 * groups)
        planes = 2 if number == 0 else 1  # see `Stage`
        yield Layer(f"{head}.embed", "linear", (config.width, planes * groups, 1, 1), has_operand=False)


def _block(config: PhotoPriorConfig, name: str, stage: int, attends: bool) -> Iterator[Layer]:
    if attends:
        window = config.windows[stage]
        yield Layer(f"{name}.attention", "attention", (config.heads, (2 * window - 1) ** 2), window=window)
        yield _linear(f"{name}.attention.project", config.width, 3 * config.width)
        yield _linear(f"{name}.attention.merge", config.width, config.width)
    yield Layer(f"{name}.local", "depthwise", (config.width, 1, KERNEL, KERNEL))
    yield _linear(f"{name}.expand", config.width, config.hidden)
    yield _linear(f"{name}.contract", config.hidden, config.width, positive=True)


def _linear(name: str, inputs: int, outputs: int, positive: bool = False) -> Layer:
    return Layer(name, "linear", (outputs, inputs, 1, 1), positive)


def _rows(name: str, config: PhotoPriorConfig, width: int) -> Layer:
    return Layer(name, "rows", (config.tunes * config.levels, width))
