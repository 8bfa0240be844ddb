"""Export of a trained `photo` model to its file: integers for the prior, frequency tables from training pictures."""

import copy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgcodec.codec import tokenize
from imgcodec.evaluation.code_length import stage_bits
from imgcodec.model_file.model import save_model
from imgcodec.priors.integer.constants import LEVEL_UNITS, TUNE_UNITS
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.integer.trainable import exported, unquantize
from imgcodec.priors.photo.rate import rdo_quantize
from imgcodec.priors.photo.rdoq import slice_weight
from imgcodec.priors.photo.tables import HALF, SCALES, UNIT, centre_and_table, fit_tables, logistic_tables
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.priors.photo.windows import checkerboard_half
from imgcodec.profiles.photo.codec import PhotoCodec
from imgcodec.profiles.photo.model import load_photo_model, photo_model_contents
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training.data import random_crops
from imgcodec.training.photo.data import Lambdas
from imgcodec.training.photo.networks import PhotoNetworks
from imgcodec.training.photo.rates import bits_and_tokens, error_weight


def export_photo(
    model: PhotoNetworks, lambdas: Lambdas, photographs: list[NDArray[np.uint8]], crops: int, seed: int, path: Path
) -> None:
    """Writes the model file of a tokenizer and a calibrated prior, trained for `lambdas`.

    Frequency tables are fitted to the tokens of `crops` random crops of 256 x 256 at random qualities.
    """
    exact = exported(model.prior)
    counts = symbol_counts(model.tokenizer, exact, photographs, crops, np.random.default_rng(seed))
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = fit_tables(counts)
    save_model(path, *photo_model_contents(model.tokenizer, exact, tables, (lambdas.lowest, lambdas.highest)))


@torch.no_grad()
def compare_rates(
    prior: PhotoPrior,
    path: Path,
    development: list[NDArray[np.uint8]],
    qualities: tuple[float, ...] = (10, 30, 50, 70, 90),
) -> dict[str, float]:
    """Bits per pixel of the same tokens under the float prior, under its fake quantization, and under the exported one
    with its fitted tables. development: uint8 (H, W, 3), sides multiples of the prior's largest window in pixels."""
    plain = copy.deepcopy(prior)
    unquantize(plain)
    model = load_photo_model(str(path))
    codec, tokenizer = PhotoCodec(model), model.tokenizer
    zero, levels = tokenizer.zero, tokenizer.config.levels
    bits, pixels = np.zeros(3), 0
    for picture in development:
        for quality in qualities:
            for tune in codec.tunes:
                tokens = tokenize(codec, picture, quality, tune.name.lower())
                centred = [torch.from_numpy(s.astype(np.float32))[None] - zero for s in tokens.stages]
                level = torch.tensor([tune * levels + quality / 100 * (levels - 1)])
                in_float, fake_quantized = (
                    float(bits_and_tokens(p, centred, level, rounds=False)[0]) for p in (plain, prior)
                )
                bits += in_float, fake_quantized, sum(stage_bits(codec, tokens))
                pixels += picture.shape[0] * picture.shape[1]
    return dict(zip(("float_bpp", "fake_quantized_bpp", "integer_bpp"), (bits / pixels).tolist(), strict=True))


def symbol_counts(
    tokenizer: ResidualVQ, prior: PhotoPrior, photographs: list[NDArray[np.uint8]], crops: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Counts of each symbol of each frequency table under an exact prior, (tables, 2 * HALF + 2)."""
    _, shift = logistic_tables()
    symbols = 2 * HALF + 2
    counts = np.zeros(SCALES * UNIT * symbols)
    values: list[Tensor] = []  # of both stages, and the weight of errors

    def code(stage: int, first: int, groups: int, parameters: Tensor, parity: int) -> Tensor:
        numbers = parameters[0].to(torch.int32).cpu().numpy()
        centre, table = centre_and_table(numbers[:groups], numbers[groups:])
        tokens = checkerboard_half(values[stage][:, first : first + groups], parity)
        if stage == 1:
            mean, scale = (parameters.float() / UNIT).chunk(2, 1)
            weight = slice_weight(first, groups, values[stage].shape[1]) * checkerboard_half(values[2], parity)
            tokens = rdo_quantize(tokens, mean, scale, weight)
        high = (tokens[0].cpu().numpy().astype(np.int64) - centre) >> shift[table]
        symbol = np.where(abs(high) <= HALF, high + HALF, symbols - 1)
        counts[:] += np.bincount((table * symbols + symbol).ravel(), minlength=len(counts))
        return tokens

    levels = tokenizer.config.levels
    for number in range(crops):
        pixels = random_crops(photographs, 256, 1, rng).float().div_(255)
        quality, tune = int(rng.integers(LEVEL_UNITS + 1)), number % prior.config.tunes
        level = torch.tensor([quality / LEVEL_UNITS * (levels - 1) + tune * levels])
        with torch.inference_mode():
            latent = tokenizer.analysis(pixels)
            coarse, fine = tokenizer.ste_residuals(latent, level)
            values[:] = coarse, fine, error_weight(tokenizer, latent, fine, level)
        with exact_arithmetic():
            prior((1, *values[0].shape[2:]), quality + tune * TUNE_UNITS, code)
    return counts.reshape(-1, symbols)
