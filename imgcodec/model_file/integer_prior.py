"""Integer priors in model files: the types of their tensors, and a prior built from them."""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from imgcodec.model_file.torch_tensors import checked
from imgcodec.priors.integer import exact
from imgcodec.priors.integer.bounds import check_fractions
from imgcodec.priors.integer.exact_causal import ExactCausalAttention, ExactDense, ExactEmbedding
from imgcodec.priors.integer.trainable import Attention, Depthwise, LevelTable, Linear, TokenCurve
from imgcodec.priors.integer.trainable_causal import CausalAttention, Dense, Embedding, Gate

AnyPrior = TypeVar("AnyPrior", bound=nn.Module)


def stored_integer(name: str, tensor: Tensor) -> Tensor:
    """A prior's tensor in the smallest integer type that it is sure to fit."""
    return tensor.to(torch.int8 if name.endswith(("weight", "shift")) else torch.int32)


def exact_prior(prior: AnyPrior, fractions: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> AnyPrior:
    """The prior, built on the meta device, with its layers replaced by integer ones from the tensors of a file.

    fractions: the units of operands, by the name of the layer. Raises ValueError, TypeError or KeyError for what does
    not fit the prior.
    """

    def take(name: str, shape: torch.Size) -> Tensor:
        return checked(tensors, f"prior.{name}", shape)

    def product(name: str, layer: Linear | Depthwise) -> tuple[Tensor, Tensor, Tensor]:
        outputs = layer.bias.shape
        return take(f"{name}.weight", layer.weight.shape), take(f"{name}.bias", outputs), take(f"{name}.shift", outputs)

    def unit(name: str, layer: Linear | Dense) -> int | None:
        if layer.operand is None:
            return None
        fraction: int = fractions[name]
        check_fractions(fraction)  # without a unit no operand would be rounded, and no bound would hold
        return fraction

    def linear(name: str, layer: Linear) -> exact.ExactLinear:
        positive = layer.operand is not None and layer.operand.positive
        return exact.ExactLinear(*product(name, layer), unit(name, layer), positive)

    def dense(name: str, layer: Dense) -> ExactDense:
        positive = layer.operand is not None and layer.operand.positive
        return ExactDense(*product(name, layer), unit(name, layer), positive)

    def convert(module: nn.Module, prefix: str) -> None:
        for child_name, child in module.named_children():
            name = prefix + child_name
            match child:
                case Dense():
                    exact_layer: nn.Module = dense(name, child)
                case CausalAttention():
                    query, key, value = fractions[name]
                    exact_layer = ExactCausalAttention(
                        dense(f"{name}.project", child.project), dense(f"{name}.merge", child.merge),
                        (query, key, value), child.heads, child.context,
                    )  # fmt: skip
                case Embedding():
                    weight = take(f"{name}.weight", child.weight.shape)
                    exact_layer = ExactEmbedding(weight, take(f"{name}.shift", child.weight.shape[1:]), child.uses)
                case Gate():
                    exact_layer = child.export()
                case Linear():
                    exact_layer = linear(name, child)
                case Depthwise():
                    exact_layer = exact.ExactDepthwise(*product(name, child), fractions[name])
                case Attention():
                    query, key, value = fractions[name]
                    exact_layer = exact.ExactAttention(
                        linear(f"{name}.project", child.project), linear(f"{name}.merge", child.merge),
                        take(f"{name}.position", child.position.shape), (query, key, value), child.window,
                    )  # fmt: skip
                case LevelTable():
                    exact_layer = exact.ExactLevelTable(take(f"{name}.rows", child.rows.shape), child.tunes)
                case TokenCurve():
                    exact_layer = child.export()
                case _:
                    convert(child, f"{name}.")
                    continue
            setattr(module, child_name, exact_layer)

    convert(prior, "")
    return prior
