"""The steps of the visual tune: finer where the eye sees more."""

import math

import numpy as np
import pytest
import torch
from made_pictures import PHOTOGRAPH
from PIL import Image

from imgcodec.tokenizers.blocks import BLOCK
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import RVQConfig
from imgcodec.training.photo.visual import STRENGTH, visual_shift


@pytest.fixture
def tokenizer() -> ResidualVQ:
    """Its linear path makes of three channels brightness, brightness twice as strong, and a checkerboard of pixels."""
    made = ResidualVQ(RVQConfig(channels=(1, 3), width_coarse=4, width_fine=4))
    y, x = torch.meshgrid(torch.arange(BLOCK), torch.arange(BLOCK), indexing="ij")
    patterns = torch.stack([torch.ones(BLOCK, BLOCK), torch.full((BLOCK, BLOCK), 2.0), 1 - 2.0 * ((y + x) % 2)])
    with torch.no_grad():
        made.synthesis.linear.weight.copy_(patterns.flatten(1).repeat(1, 3).T[:, :, None, None] / 100)
        for gain in made.log_gain:
            gain.fill_(1.0)
    return made


def test_errors_that_are_seen_get_finer_steps(tokenizer: ResidualVQ) -> None:
    photograph = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))[100:356, 50:306]
    pixels = torch.from_numpy(photograph.copy()).permute(2, 0, 1)[None].float() / 255
    shift = visual_shift(tokenizer, pixels, probes=2)
    assert shift.shape == (3,)
    brightness, twice, checkerboard = shift.tolist()
    assert brightness - checkerboard > 0.1
    assert twice - brightness == pytest.approx(STRENGTH * math.log(2), abs=0.02)  # four times as sensitive to energy
    assert torch.equal(shift, visual_shift(tokenizer, pixels, probes=2))  # the signs are the same every time
