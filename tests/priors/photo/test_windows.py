"""Rearranged positions come back, and each is where the page says."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.priors.photo.windows import (
    checkerboard_half,
    from_windows,
    join_checkerboard,
    join_slices,
    to_windows,
)


@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(0, 1))
def test_checkerboard(batch, channels, rows, columns, parity):
    x = torch.arange(batch * channels * rows * columns * 4.0).reshape(batch, channels, 2 * rows, 2 * columns)
    halves = [checkerboard_half(x, 0), checkerboard_half(x, 1)]
    assert torch.equal(join_checkerboard(*halves), x)
    slices = [checkerboard_half(part, p) for part in x.split(1, 1) for p in (0, 1)]
    assert torch.equal(join_slices(slices), x)
    y, across = torch.meshgrid(torch.arange(2 * rows), torch.arange(2 * columns), indexing="ij")
    positions = (y + across) % 2 == parity
    # row after row, from left to right
    assert torch.equal(halves[parity].flatten(2), x.flatten(2)[:, :, positions.flatten()])


@given(st.integers(1, 2), st.integers(1, 3), st.integers(0, 1))
def test_gradients_of_a_checkerboard(batch, rows, parity):
    generator = torch.Generator().manual_seed(rows)
    x = torch.randn(batch, 2, 2 * rows, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: checkerboard_half(x, parity), x)
    halves = [checkerboard_half(x, p).detach().requires_grad_() for p in (0, 1)]
    assert torch.autograd.gradcheck(join_checkerboard, halves)
    assert torch.autograd.gradcheck(lambda anchors: join_checkerboard(anchors, None), halves[0])


@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_windows(batch, window, heads, size, rows, columns):
    shape = (batch, heads * size, rows * window, columns * window)
    x = torch.arange(float(np.prod(shape))).reshape(shape)
    windows = to_windows(x, window, 1, heads)
    assert windows.shape == (batch * rows * columns, heads, 1, window**2, size)
    assert torch.equal(from_windows(windows[:, :, 0], window, x.shape), x)
    # picture after picture, row of windows after row of windows; inside, row after row
    assert torch.equal(windows[columns - 1, 0, 0, -1], x[0, :size, window - 1, -1])


def test_windows_of_queries_keys_and_values():
    x = torch.arange(24.0).reshape(1, 24, 1, 1)
    windows = to_windows(x, 1, 3, 2)  # 3 parts of 2 heads of 4 channels
    assert windows.shape == (1, 2, 3, 1, 4)
    assert windows[0, 1, 2, 0].tolist() == [20, 21, 22, 23]


def test_without_non_anchors_there_are_zeros_in_their_place():
    x = torch.arange(1.0, 17).reshape(1, 1, 4, 4)
    whole = join_checkerboard(checkerboard_half(x, 0), None)
    y, across = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    assert torch.equal(whole, x * ((y + across) % 2 == 0))
