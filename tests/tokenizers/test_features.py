"""Vectors of pictures: of length 1, with a thumbnail in them, and the levels that their numbers become."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_semantic import pictures

from imgcodec.tokenizers.features import LEVELS, ZERO, AffineQuantizer, FeatureConfig, FeatureEncoder

CONFIG = FeatureConfig(side=32, thumbnail=8, layout=40, meaning=16, widths=(16, 32), blocks=(1, 1))


@pytest.fixture(scope="module")
def encoder() -> FeatureEncoder:
    torch.manual_seed(0)
    made = FeatureEncoder(CONFIG)
    made.init_from_data(made.small(squares(100, seed=1)))
    return made.eval().requires_grad_(False)


def squares(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures(count, CONFIG.side, seed))).permute(0, 3, 1, 2).float() / 255


def test_a_vector_has_length_1_and_so_many_numbers(encoder):
    vector = encoder(squares(5))
    assert vector.shape == (5, encoder.dim) == (5, 56)
    assert torch.allclose(vector.norm(dim=1), torch.ones(5), atol=1e-5)


def test_the_thumbnail_in_a_vector_is_the_projection_of_the_picture_on_the_axes(encoder):
    x = squares(5)
    small = torch.nn.functional.avg_pool2d(x, 4)
    flat = small.flatten(1) - encoder.mean
    expected = (flat @ encoder.linear.T @ encoder.linear + encoder.mean).reshape(small.shape)
    found = encoder.thumbnail(encoder(x))
    assert torch.allclose(found, expected, atol=1e-4)
    error, energy = (found - small).square().mean(), (small - small.mean()).square().mean()
    assert error < 0.2 * energy


def test_axes_are_orthonormal(encoder):
    assert torch.allclose(encoder.linear @ encoder.linear.T, torch.eye(CONFIG.layout), atol=1e-4)


def test_a_search_weighs_layout_and_meaning(encoder):
    vector = encoder(squares(4))
    parts = encoder.search_vector(vector).square()
    assert torch.allclose(parts.sum(1), torch.ones(4), atol=1e-5)
    weight = CONFIG.search_layout
    assert torch.allclose(parts[:, : CONFIG.layout].sum(1), torch.full((4,), weight / (1 + weight)), atol=1e-5)


@pytest.mark.parametrize(
    "change", [{"side": 30}, {"thumbnail": 5}, {"widths": (16,)}, {"widths": (16, 20)}, {"layout": 193}, {"meaning": 0}]
)
def test_impossible_configurations_are_refused(change):
    with pytest.raises(ValueError, match="must"):
        replace(CONFIG, **change)


@given(
    st.lists(st.floats(-10, 10, width=32), min_size=3, max_size=3),
    st.lists(st.floats(2**-10, 1, width=32), min_size=3, max_size=3),
    st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3),
)
def test_levels_stand_for_the_nearest_numbers_and_become_the_same_levels_again(numbers, scales, offsets):
    quantizer = AffineQuantizer(3)
    quantizer.scale.copy_(torch.tensor(scales))
    quantizer.offset.copy_(torch.tensor(offsets))
    vector = torch.tensor([numbers])
    levels = quantizer.quantize(vector)
    assert int(levels.min()) >= 0
    assert int(levels.max()) < LEVELS
    again = quantizer.dequantize(levels)
    assert torch.equal(quantizer.quantize(again), levels)
    inside = (levels != 0) & (levels != LEVELS - 1)
    assert ((again - vector).abs()[inside] <= (quantizer.scale / 2 + 1e-5).expand(1, 3)[inside]).all()
    assert torch.equal(quantizer.quantize(quantizer.offset[None]), torch.full((1, 3), ZERO))
