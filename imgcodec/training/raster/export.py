"""Export of a trained raster model to its file: integers for the prior, and what they cost in bits."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imgcodec.model_file.model import save_model
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.integer.trainable import exported, unquantize
from imgcodec.priors.raster.protocol import LOGIT_UNIT
from imgcodec.profiles.raster.layout import TILE
from imgcodec.profiles.raster.model import Prior, Tokenizer, raster_model_contents
from imgcodec.training.raster.objective import RasterNetworks, order0_lengths, rates, tokenize


def export_raster(profile: str, tokenizer: Tokenizer, prior: Prior, path: Path) -> Prior:
    """Writes the model file of a tokenizer and a calibrated prior; returns the exported prior."""
    exact = exported(prior)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(path, *raster_model_contents(profile, tokenizer, exact))
    return exact


@torch.no_grad()
def compare_raster_rates(model: RasterNetworks, exact: Prior, tiles: Tensor, known: list[Tensor]) -> dict[str, Any]:
    """Bits of the same tokens under the float prior, under its fake quantization and under the exported one; and of an
    order-0 coder, from the frequencies of codes in `known`, tokens (N, h, w) of training tiles by stage. tiles: uint8
    (N, 3, 256, 256), to validate on."""
    plain = copy.deepcopy(model.prior)
    unquantize(plain)
    tokens = tokenize(model.tokenizer, tiles)
    counts = [stage[0].numel() for stage in tokens]
    by_prior = {"float": rates(plain, tokens), "fake_quantized": rates(model.prior, tokens)}
    with exact_arithmetic():
        by_prior["integer"] = rates(exact, tokens, LOGIT_UNIT)
    codebook_size, digits = model.tokenizer.codebook_size, model.prior.digits
    lengths = [order0_lengths(t, k, codebook_size, digits) for t, k in zip(tokens, known, strict=True)]
    order0_bpp = sum(e * n for e, n in zip(lengths, counts, strict=True)) / TILE**2
    report: dict[str, Any] = {"tiles": len(tiles), "tokens_per_tile": counts, "order0_counted_in_tiles": len(known[0])}
    report |= {"order0_bpp": order0_bpp, **{f"{name}_bpp": rate["bpp"] for name, rate in by_prior.items()}}
    report["saved_under_order0"] = 1 - by_prior["integer"]["bpp"] / order0_bpp
    report["order0_bits_per_token"] = lengths
    for name, rate in by_prior.items():
        report[f"{name}_bits_per_token"] = [rate[f"bpp{i}"] * TILE**2 / n for i, n in enumerate(counts)]
    return report
