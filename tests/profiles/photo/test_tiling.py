"""Transforms in pieces give what they give for the whole picture."""

import numpy as np
import pytest
import torch
from torch import nn

from imgcodec import speed
from imgcodec.profiles.photo.tiling import PIECE, analyse, piece_count, quantize_latent, synthesise
from imgcodec.profiles.photo.torch_transforms import TorchTransforms
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import RVQConfig

LEVEL = 1.5


@pytest.fixture(scope="module")
def tokenizer():
    """Random weights everywhere, so that a piece depends on all of its margin."""
    torch.manual_seed(2)
    config = RVQConfig(
        channels=(3, 5),
        levels=4,
        width_coarse=12,
        width_fine=6,
        analysis_blocks=(2, 1),
        synthesis_blocks=(3, 2),
        visual=True,
        widening=(0.1, 0.3),
        width_filter=4,
    )
    made = ResidualVQ(config).requires_grad_(False)
    for layer in made.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0, 1 / layer.weight[0].numel() ** 0.5)
    made.synthesis.linear.weight.mul_(0.1)
    made.contrast.fill_(0.2)
    for gain in made.log_gain:
        gain.fill_(1.0)
    return made


@pytest.fixture(scope="module")
def transforms(tokenizer):
    return TorchTransforms(tokenizer, torch.device("cpu"))


@pytest.fixture(autouse=True)
def exact_enough(monkeypatch):
    """Pieces are compared with the whole in float32 on any processor."""
    monkeypatch.setattr(speed, "bfloat16_is_native", lambda: False)


def picture(height, width):
    rng = np.random.default_rng(height * width)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3))
    return (coarse.repeat(8, 0).repeat(8, 1)[:height, :width] // 2 + rng.integers(0, 128, (height, width, 3))).astype(
        np.uint8
    )


def up(length):
    return -(-length // 64) * 64


@pytest.mark.parametrize("size", [(1, 1), (17, 130), (PIECE, PIECE), (PIECE + 1, 70), (600, PIECE + 90)])
def test_analysis_in_pieces_is_that_of_the_whole(tokenizer, transforms, size):
    height, width = size
    pixels = picture(height, width)
    padded = np.pad(pixels, ((0, up(height) - height), (0, up(width) - width), (0, 0)), mode="edge")
    latent = tokenizer.analysis(torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255)
    whole = tokenizer.scaled_residuals(latent, torch.tensor([LEVEL]))
    pieces, _ = quantize_latent(transforms, analyse(transforms, pixels), size, LEVEL, masked=False)
    for stride, expected, values in zip((64, 16), whole, pieces, strict=True):
        rows, columns = -(-height // stride), -(-width // stride)
        assert values.shape == (expected.shape[1], rows, columns)
        error = np.abs(values - expected[0, :, :rows, :columns].numpy())
        # a coarse value between two tokens may be rounded either way, and its residual follows
        assert np.mean(error > 0.01) < 0.002


@pytest.mark.parametrize("size", [(1, 1), (17, 130), (PIECE, PIECE), (PIECE + 1, 70), (600, PIECE + 90)])
@pytest.mark.parametrize("stages", [1, 2])
def test_synthesis_in_pieces_is_that_of_the_whole(tokenizer, transforms, size, stages):
    height, width = size
    rng = np.random.default_rng(3)
    zero = tokenizer.config.codes // 2
    tokens, whole = [], []
    for groups, stride in zip(tokenizer.config.channels[:stages], (64, 16), strict=False):
        shape = (groups, -(-height // stride), -(-width // stride))
        tokens.append(rng.integers(zero - 3, zero + 4, shape).astype(np.int16))
        short = ((0, 0), (0, up(height) // stride - shape[1]), (0, up(width) // stride - shape[2]))
        whole.append(torch.from_numpy(np.pad(tokens[-1], short, constant_values=zero))[None])
    level = torch.tensor([LEVEL])
    expected = tokenizer.synthesis(tokenizer.dequantize(whole, level), level)[0].permute(1, 2, 0)
    expected = expected.mul(255).round().clamp(0, 255).numpy()[:height, :width]
    pixels = synthesise(transforms, tokens, size, LEVEL)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (height, width, 3)
    assert np.abs(pixels - expected).max() <= 1
    assert expected.std() > 5


def test_pieces_are_few_and_about_equal():
    sizes = {(1, 1): 1, (PIECE, PIECE): 1, (PIECE + 1, PIECE): 2, (3000, 4000): 12}
    assert {size: piece_count(*size) for size in sizes} == sizes


def test_what_is_wanted_is_as_of_the_whole_and_costs_less(tokenizer, transforms, monkeypatch):
    size, rng = (700, PIECE + 330), np.random.default_rng(5)
    zero = tokenizer.config.codes // 2
    tokens = [
        rng.integers(zero - 3, zero + 4, (groups, -(-size[0] // stride), -(-size[1] // stride))).astype(np.int16)
        for groups, stride in zip(tokenizer.config.channels, (64, 16), strict=True)
    ]
    whole = synthesise(transforms, tokens, size, LEVEL).astype(int)
    computed = []

    def counting(self, coarse, fine, level, shown, of=TorchTransforms.synthesise):
        pixels = of(self, coarse, fine, level, shown)
        computed.append(pixels.shape[0] * pixels.shape[1])
        return pixels

    monkeypatch.setattr(TorchTransforms, "synthesise", counting)
    wanted = np.zeros((11, 22), bool)
    assert not synthesise(transforms, tokens, size, LEVEL, wanted=wanted).any()
    assert not computed
    wanted[[0, 0, 4, 10, 10], [0, 1, 12, 3, 21]] = True
    found = synthesise(transforms, tokens, size, LEVEL, wanted=wanted).astype(int)
    for row, column in np.argwhere(wanted):
        block = slice(64 * row, 64 * row + 64), slice(64 * column, 64 * column + 64)
        assert np.abs(found[block] - whole[block]).max() <= 1
        assert whole[block].std() > 5
    assert sum(computed) < size[0] * size[1] / 8
    assert np.abs(synthesise(transforms, tokens, size, LEVEL, wanted=np.ones_like(wanted)) - whole).max() <= 1
