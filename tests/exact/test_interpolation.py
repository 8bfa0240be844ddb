"""The order of samples, and that a prediction looks only at what is known."""

import numpy as np
import pytest

from imgcodec.exact.interpolation import CLASSES, GROUPS, Place, groups_of, places_of, steps, walk


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (5, 3), (64, 64), (1, 70), (33, 2), (17, 130)])
def test_groups_have_every_sample_but_the_first_once(shape):
    seen = np.zeros(shape, int)
    for step, group in groups_of(shape):
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
    known = [np.zeros(shape, np.int32) for _ in range(3)]
    coder = _Filler(planes, 5)
    walk(known, [(0, 255)] * 3, coder, np.float32)
    for plane, original in zip(known, planes, strict=True):
        assert (plane.ravel()[1:] == original.ravel()[1:]).all()
    wide = _Filler(planes, 5)
    walk([np.zeros(shape, np.int32) for _ in range(3)], [(0, 255)] * 3, wide, np.float64)
    for one, other in zip(coder.seen, wide.seen, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_products_of_8_bits_fit_float32():
    """The bound of the page: sums of products are below 2^24, so any order of adding gives the same."""
    most = 255
    places = [Place(channel, group, 0) for channel in range(4) for group in range(len(GROUPS))]
    for place in places:
        pairs = len(GROUPS[place.group][1]) - 1
        largest = 128 * (pairs * 8 * most + place.channel * 4 * 2 * 2 * most)
        assert largest < 2**24, place
