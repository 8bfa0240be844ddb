"""Initialisation of a `photo` model from data: the Karhunen-Loeve transform of 16x16 blocks.

Narrow networks from scratch take days to find the transform that an eigendecomposition gives in seconds (AuxT, Li et
al. 2025, makes the same point with wavelets). Gains and the prior's first scales follow from its variances.
"""

import math

import numpy as np
import torch
from torch import Tensor

from imgcodec.priors.photo.tables import MAX_SCALE, MIN_WIDTH
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.tokenizers.blocks import BLOCK
from imgcodec.tokenizers.init import block_basis, init_transforms
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training.data import random_crops


@torch.no_grad()
def init_from_klt(
    tokenizer: ResidualVQ, prior: PhotoPrior, photographs: list[np.ndarray], lambdas: Tensor, rng: np.random.Generator
) -> None:
    """Sets linear paths, gains and the prior's output biases; other weights stay as they are.

    lambdas: (levels,) rate-distortion trade-offs, loss = bpp + lambda * 255^2 * MSE.
    """
    crops = torch.cat([random_crops(photographs, 256, 64, rng) for _ in range(24)])
    basis = block_basis(crops.float() / 255, BLOCK, tokenizer.config.channels[1])
    analysis, synthesis = tokenizer.analysis, tokenizer.synthesis
    init_transforms(analysis.linear, synthesis.linear, basis)
    latent = analysis.linear_path(crops[:512].float() / 255)
    synthesis.input_scale.copy_(1 / (latent.std((0, 2, 3)) + 0.1))
    # At high rates the loss is lowest where step^2 = 26 / (65025 lambda); because of dead zones, a little below it.
    log_gain = 0.5 * lambdas.log() + 0.5 * math.log(65025 / 26) + 0.27
    for table in tokenizer.log_gain:
        table.copy_(log_gain[:, None].expand_as(table))
    init_prior(tokenizer, prior, crops[:128])


@torch.no_grad()
def init_prior(tokenizer: ResidualVQ, prior: PhotoPrior, crops: Tensor) -> None:
    """Sets the prior's output biases to the scale of each group's tokens at each level; crops: uint8 (N, 3, H, W)."""
    latent = tokenizer.analysis(crops.float() / 255)
    for level in range(prior.config.tunes * tokenizer.config.levels):
        tokens = tokenizer.ste_residuals(latent, torch.full((len(crops),), float(level)))
        for values, stage in zip(tokens, (prior.coarse, prior.fine), strict=True):
            width = 0.55 * (values.round().std((0, 2, 3)) + 0.05)  # of a logistic distribution with that deviation
            scale = ((width / MIN_WIDTH).log() / 2).clamp(0, MAX_SCALE)
            first = 0
            for _, head in stage.slices():
                head.bias.rows[level, head.groups :] = scale[first : first + head.groups]
                first += head.groups
