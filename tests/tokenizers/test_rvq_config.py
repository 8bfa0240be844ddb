"""Sizes of the tokenizer, and how far its transforms see."""

import pytest
import torch

from imgcodec.tokenizers.blocks import MAX_BLOCKS, MAX_WIDTH
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import MAX_CODES, RVQConfig


@pytest.mark.parametrize(
    "changes",
    [
        {"codes": 4094},
        {"levels": 0},
        {"width_filter": -1},
        {"width_filter": MAX_WIDTH + 1},
        {"width_filter": 8, "filter_blocks": MAX_BLOCKS + 1},
        {"filter_blocks": -1},
        {"widening": (-0.1, 0.0)},
        {"widening": (0.0, 0.3)},
        {"widening": (0.0, 1.5), "visual": True},
        {"channels": (0, 3)},
        {"codes": MAX_CODES + 1},
        {"codebooks": (2**12, 2**12)},
    ],
)
def test_sizes_that_no_model_needs_are_refused(changes):
    with pytest.raises(ValueError, match=r"must|may"):
        RVQConfig(**changes)


@pytest.mark.parametrize(
    ("analysis", "synthesis", "width", "blocks"),
    [((2, 1), (3, 2), 0, 0), ((0, 3), (1, 0), 8, 5), ((1, 0), (0, 1), 8, 6)],
)
def test_halos_are_those_of_the_modules(analysis, synthesis, width, blocks):
    config = RVQConfig(analysis_blocks=analysis, synthesis_blocks=synthesis, width_filter=width, filter_blocks=blocks)
    with torch.device("meta"):
        tokenizer = ResidualVQ(config)
    assert config.analysis_halo == tokenizer.analysis.halo
    assert config.synthesis_halo == tokenizer.synthesis.halo
    assert config.zero == tokenizer.zero
