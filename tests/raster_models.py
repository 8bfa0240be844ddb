"""Small untrained models of the profile `raster`: every tokenizer with every prior that it goes with."""

import torch
from torch import nn

from imgcodec.priors.integer.trainable import calibrate, export
from imgcodec.profiles.raster.model import build_prior, build_tokenizer, raster_model_contents
from imgcodec.tokenizers.protocol import RasterTokenizer

TOKENIZERS = {
    "snac": {"kind": "snac", "vq_strides": [4, 2, 1], "codebook_size": 64, "widths": [16, 8], "latent_dim": 16},
    "vq": {
        "kind": "vq", "ch": 16, "codebook_size": 100, "z_channels": 16, "num_res_blocks": 1, "patch_nums": [1, 2],
        "encoder_ch_mult": [1, 1, 2, 2, 2], "decoder_ch_mult": [1, 1, 2, 2, 2],
    },
    "bsq": {"kind": "bsq", "bits_of": [3, 2, 2, 1], "widths": [16, 8], "latent_dim": 16},
}  # fmt: skip

PAIRS = [("snac", "raster"), ("vq", "raster"), ("bsq", "raster"), ("vq", "pixelcnn"), ("bsq", "pixelcnn")]


def small_tokenizer(kind: str) -> RasterTokenizer:
    """A tokenizer with noise on all weights, so that outputs depend on each."""
    torch.manual_seed(1)
    tokenizer = build_tokenizer(TOKENIZERS[kind])
    shake(tokenizer)
    return tokenizer.eval()


def small_prior(kind: str, tokenizer: RasterTokenizer) -> nn.Module:
    """A prior for the tokens of a tokenizer, exported to integers."""
    torch.manual_seed(2)
    sides = [256 // stride for stride in tokenizer.strides]
    if kind == "raster":
        digits = {64: [8, 8], 100: [10, 10], 256: [16, 16]}[tokenizer.codebook_size]
        prior = build_prior({
            "kind": "raster", "width": 16, "hidden": 24, "heads": 2, "blocks": 2, "sides": sides,
            "codes": tokenizer.codebook_size, "digits": digits,
        })  # fmt: skip
    else:
        prior = build_prior({
            "kind": "pixelcnn", "num_codes": tokenizer.codebook_size, "latent_dim": 12, "image_size": sides[0],
            "num_blocks": 2,
        })  # fmt: skip
    shake(prior)
    tokens = [torch.randint(0, tokenizer.codebook_size, (2, side, side)) for side in sides]
    calibrate(prior, lambda: prior(tokens))
    export(prior)
    return prior


@torch.no_grad()
def shake(module: nn.Module) -> None:
    """Adds noise to all weights, in place."""
    for parameter in module.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)


def small_model(tokenizer: str, prior: str):  # type: ignore[no-untyped-def]
    """Tensors and metadata of a model file."""
    built = small_tokenizer(tokenizer)
    module = small_prior(prior, built)
    return raster_model_contents("raster", built, module)
