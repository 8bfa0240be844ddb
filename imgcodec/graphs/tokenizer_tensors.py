"""The tensors of a `photo` tokenizer: names and shapes, checked before graphs are made of an untrusted model file."""

from collections.abc import Iterator, Mapping

import numpy as np

from imgcodec.graphs.tensors import StoredTensor, checked_shape
from imgcodec.tokenizers.blocks import BLOCK
from imgcodec.tokenizers.rvq_config import FILTER_SIDE, IMPOSSIBLE_CONTRAST, MAX_CONTRAST, RVQConfig

Named = tuple[str, tuple[int, ...]]


def check_tokenizer(config: RVQConfig, tensors: Mapping[str, StoredTensor]) -> None:
    """Raises ValueError or KeyError where tensors do not fit the configuration, ValueError unless every codeword lies
    within half a step of its lattice point, zero at zero, and the contrast of each channel is from 0 to
    `MAX_CONTRAST`."""
    for name, shape in tokenizer_shapes(config):
        checked_shape(tensors, f"tokenizer.{name}", shape)
        if f"tokenizer.{name}.scale" in tensors:
            checked_shape(tensors, f"tokenizer.{name}.scale", (shape[0], *(1 for _ in shape[1:])))
    lattice = np.arange(config.codes) - config.zero
    for stage in range(len(config.codebooks)):
        books = tensors[f"tokenizer.codebooks.{stage}"].numpy().astype(np.float32)[:, :, 0]
        off = np.abs(books - lattice)
        if not (off < 0.5).all() or off[:, config.zero].any():
            raise ValueError("a codeword is too far from its lattice point")
    if config.widens:
        contrast = tensors["tokenizer.contrast"].numpy().astype(np.float32)
        if not ((contrast >= 0) & (contrast <= MAX_CONTRAST)).all():
            raise ValueError(IMPOSSIBLE_CONTRAST)


def tokenizer_shapes(config: RVQConfig) -> Iterator[Named]:
    """All tensors, without `tokenizer.`"""
    channels, (coarse, fine) = config.channels[1], config.widths
    yield from _convolution("analysis.linear", 3, channels, BLOCK)
    fine_blocks, coarse_blocks = config.analysis_blocks
    yield from _convolution("analysis.net.1", 3 * 64, fine)
    yield from _blocks("analysis.net", 2, fine_blocks, fine, 3)
    second = 2 + fine_blocks + 1
    yield from _convolution(f"analysis.net.{second}", 4 * fine, coarse)
    yield from _blocks("analysis.net", second + 1, coarse_blocks, coarse, 1)
    yield from _convolution(f"analysis.net.{second + 1 + coarse_blocks}", coarse, channels)
    yield from _synthesis("synthesis", config)
    if config.visual:
        yield from _synthesis("visual", config)
        yield "visual_shift", (channels,)
    if config.widens:
        yield "contrast", (channels,)
    for stage, groups in enumerate(config.channels):
        yield f"log_gain.{stage}", (config.levels, groups)
        yield f"codebooks.{stage}", (config.codebooks[stage], config.codes, 1)


def _synthesis(name: str, config: RVQConfig) -> Iterator[Named]:
    channels, (coarse, fine) = config.channels[1], config.widths
    fine_blocks, coarse_blocks = config.synthesis_blocks
    yield from _convolution(f"{name}.linear", channels, 3 * BLOCK**2)
    yield f"{name}.input_scale", (channels,)
    yield from _convolution(f"{name}.input", channels, coarse)
    yield f"{name}.level", (config.levels, coarse)
    yield from _blocks(f"{name}.coarse", 0, coarse_blocks, coarse, 1)
    yield from _convolution(f"{name}.refine", coarse, channels)
    yield from _convolution(f"{name}.fine.0", coarse, 4 * fine)
    yield from _blocks(f"{name}.fine", 2, fine_blocks, fine, 3)
    yield from _convolution(f"{name}.fine.{2 + fine_blocks}", fine, 3 * 64)
    if width := config.width_filter:
        yield f"{name}.post_filter.level", (config.levels, 2)
        yield from _convolution(f"{name}.post_filter.first", 3, width, 3 * FILTER_SIDE)
        yield from _convolution(f"{name}.post_filter.second", width, width, 3)
        for block in range(config.filter_blocks):
            yield from _convolution(f"{name}.post_filter.blocks.{block}", width, width, 3)
        yield from _convolution(f"{name}.post_filter.last", width, 3 * FILTER_SIDE**2, 3)


def _blocks(name: str, first: int, count: int, width: int, kernel: int) -> Iterator[Named]:
    """`ResidualBlock`s whose second convolution has this kernel."""
    for number in range(first, first + count):
        yield from _convolution(f"{name}.{number}.first", width, width, 3)
        yield from _convolution(f"{name}.{number}.second", width, width, kernel)


def _convolution(name: str, inputs: int, outputs: int, kernel: int = 1) -> Iterator[Named]:
    yield f"{name}.weight", (outputs, inputs, kernel, kernel)
    yield f"{name}.bias", (outputs,)
