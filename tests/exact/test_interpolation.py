"""The order of samples, and that a prediction looks only at what is known."""

import numpy as np
import pytest

from imgcodec.exact.interpolation import CLASSES, GROUPS, Grid, Place, group_shape, groups_of, places_of, steps, walk


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (5, 3), (64, 64), (1, 70), (33, 2), (17, 130)])
def test_groups_have_every_sample_but_the_first_once(shape):
    seen = np.zeros(shape, int)
    for step in steps(*shape):
        size = -(-shape[0] // step), -(-shape[1] // step)
        for group in groups_of(*size):
            assert seen[places_of(step, group)].shape == group_shape(group, *size)
            seen[places_of(step, group)] += 1
    assert seen[0, 0] == 0
    seen[0, 0] = 1
    assert (seen == 1).all()


def test_steps_halve_down_to_one():
    assert list(steps(1, 1)) == []
    assert list(steps(1, 2)) == [1]
    assert list(steps(9, 5)) == [8, 4, 2, 1]


class _Filler:
    """Tells differences from a list of its own, and what was predicted of them."""

    def __init__(self, planes, seed):
        self.planes, self.random, self.seen = planes, np.random.default_rng(seed), []

    def weights(self, place):
        return self.random.integers(-128, 128, (CLASSES, place.weights)).astype(np.int8)

    def code(self, place, where, predicted, activity):
        self.seen.append((predicted.copy(), activity.copy()))
        return self.planes[place.channel][where] - predicted


@pytest.mark.parametrize("shape", [(1, 7), (9, 1), (2, 2), (4, 5), (30, 21)])
def test_predictions_depend_on_known_samples_alone(shape):
    """Samples that were not there yet are as if they were others."""
    random = np.random.default_rng(0)
    planes = [random.integers(0, 256, shape).astype(np.int32) for _ in range(3)]
    first = [int(plane[0, 0]) for plane in planes]
    coder, wide = _Filler(planes, 5), _Filler(planes, 5)
    found = walk(first, shape, [(0, 255)] * 3, coder, np.float32)
    walk(first, shape, [(0, 255)] * 3, wide, np.float64)
    for plane, original in zip(found, planes, strict=True):
        np.testing.assert_array_equal(plane, original)
    other_planes = [plane.copy() for plane in planes]
    other_planes[2][places_of(1, list(groups_of(*shape))[-1])] ^= 255  # the last group
    other = _Filler(other_planes, 5)
    walk(first, shape, [(0, 255)] * 3, other, np.float32)
    np.testing.assert_array_equal(coder.seen[-1][0], other.seen[-1][0])
    for one, other in zip(coder.seen, wide.seen, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("shape", [(1, 7), (2, 2), (3, 2), (4, 5), (9, 1), (8, 8), (9, 13)])
def test_grids_go_on_mirrored(shape):
    numbers = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    grid = Grid(*shape)
    for first in ((0, 0), *(GROUPS[group][0] for group in groups_of(*shape))):
        grid.put(first, numbers[first[0] :: 2, first[1] :: 2])
    np.testing.assert_array_equal(grid.whole(), numbers)
    around = np.pad(numbers, 3, mode="reflect")
    for row in range(-3, 4):
        for column in range(-3, 4):
            if (row % 2, column % 2) in grid.parts:
                found = grid.at(row, column, *(-(-side // 2) for side in shape))
                np.testing.assert_array_equal(
                    found, around[3 + row :: 2, 3 + column :: 2][: len(found), : found.shape[1]]
                )


def test_products_of_8_bits_fit_float32():
    """The bound of the page: sums of products are below 2^24, so any order of adding gives the same."""
    most = 255
    places = [Place(channel, group, 0) for channel in range(4) for group in range(len(GROUPS))]
    for place in places:
        pairs = len(GROUPS[place.group][1]) - 1
        nearest = 128 * (1 + pairs) * 4 * most
        largest = nearest + 128 * (pairs * 4 * most + place.channel * 4 * 2 * most)
        assert largest < 2**24, place
