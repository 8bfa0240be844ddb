"""From floats to integers: which levels the numbers of a vector have, and how frequent each is."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgcodec.priors.channel import LEVELS, ZERO, ChannelPrior
from imgcodec.tokenizers.features import FeatureEncoder
from imgcodec.tokenizers.init import principal_directions
from imgcodec.tokenizers.semantic import SemanticTokenizer

HALVINGS = 24
ROOM = 1.05  # times the largest number that was seen, which no other one should be far beyond
MODEL_SHARE = 0.1  # of a table that is a smooth curve, for levels that calibration did not see


@torch.no_grad()
def rotate_meaning(tokenizer: SemanticTokenizer, vectors: Tensor) -> Tensor:
    """Turns the meaning of vectors (N, dim) to its principal directions, so that most of its numbers vary little and
    take few bits; encoder and decoder are turned along, and no cosine changes. Returns the vectors, turned."""
    encoder, decoder = tokenizer.encoder, tokenizer.decoder
    if not isinstance(encoder, FeatureEncoder):
        return vectors
    layout = encoder.config.layout
    meaning = vectors[:, layout:]
    turn = principal_directions(meaning - meaning.mean(0), meaning.shape[1])
    # directions have no sign: with this one, what is turned already stays as it is
    turn = turn * turn.gather(1, turn.abs().argmax(1, keepdim=True)).sign()
    encoder.head.weight.copy_(turn @ encoder.head.weight)
    for layer in (decoder.unet.vector, *([decoder.map] if decoder.map is not None else [])):
        layer.weight[:, layout:] = layer.weight[:, layout:] @ turn.T
    return torch.cat([vectors[:, :layout], meaning @ turn.T], 1)


@torch.no_grad()
def set_scales(tokenizer: SemanticTokenizer, vectors: Tensor, parts: list[tuple[int, float]]) -> None:
    """Offsets are means; scales are one step for all numbers of a part, the one at which the part takes its bytes, and
    a larger one where 255 levels would not reach. parts: for each, how many numbers, and how many bytes."""
    quantizer = tokenizer.quantizer
    quantizer.offset.copy_(vectors.mean(0))
    centred = (vectors - quantizer.offset).double()
    reach = (centred.abs().amax(0) * ROOM / ZERO).clamp(min=1e-6)
    first = 0
    for count, size in parts:
        part, least = centred[:, first : first + count], reach[first : first + count]
        low, high = float(least.min()), float(part.abs().max()) + 1e-6
        for _ in range(HALVINGS):
            step = (low * high) ** 0.5
            scale = least.clamp(min=step)
            levels = (part / scale).round().clamp(-ZERO, ZERO).long().cpu().numpy() + ZERO
            low, high = (step, high) if code_length(levels) > size else (low, step)
        quantizer.scale[first : first + count] = least.clamp(min=high).float()
        first += count


def code_length(levels: NDArray[np.integer]) -> float:
    """Mean bytes of vectors of integers (N, n) under tables that are fitted to them."""
    prior = ChannelPrior(levels.shape[1])
    prior.set_frequencies(frequencies(levels))
    return float(prior.bits(levels).sum(1).mean() / 8)


def frequencies(levels: NDArray[np.integer]) -> NDArray[np.float64]:
    """How frequent each level of each number is, (n, 255), from vectors of integers (N, n): counts, smoothed with
    their neighbours as far as their spread allows, and a share of the logistic distribution of that spread."""
    count, dim = levels.shape
    counts = np.zeros((dim, LEVELS))
    np.add.at(counts, (np.arange(dim)[None], levels), 1)
    values = np.arange(LEVELS)
    mean = counts @ values / count
    spread = np.sqrt((counts * (values - mean[:, None]) ** 2).sum(1) / count).clip(0.2)
    smooth = np.empty_like(counts)
    for row, deviation, into in zip(counts, spread, smooth, strict=True):
        width = deviation * 1.06 * count**-0.2  # Silverman's rule
        kernel = np.exp(-0.5 * (np.arange(-LEVELS + 1, LEVELS) / max(0.1, width)) ** 2)
        into[:] = np.convolve(row, kernel / kernel.sum(), "full")[LEVELS - 1 : 2 * LEVELS - 1]
    scale = (spread * 3**0.5 / np.pi)[:, None]
    edges = (np.arange(LEVELS + 1)[None] - 0.5 - mean[:, None]) / scale
    model = np.diff(1 / (1 + np.exp(-edges.clip(-500, 500))), axis=1)
    return (1 - MODEL_SHARE) * smooth / smooth.sum(1, keepdims=True) + MODEL_SHARE * model


@torch.no_grad()
def set_tables(tokenizer: SemanticTokenizer, prior: ChannelPrior, vectors: Tensor) -> None:
    """The tables of the integers of these vectors."""
    prior.set_frequencies(frequencies(tokenizer.quantizer.quantize(vectors).cpu().numpy()))
