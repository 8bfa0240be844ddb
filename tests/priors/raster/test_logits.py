"""From logits to weights."""

from decimal import Decimal, localcontext

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.priors.raster import logits
from imgcodec.priors.raster.logits import weights_of


def by_hand(row):
    e = [logits.EXPONENTIALS[min(555, max(row) - n)] for n in row]
    free = 2**24 - len(row)
    weights = [int(n) * free // int(sum(e)) for n in e]
    weights[row.index(max(row))] += free - sum(weights)
    return weights


@given(st.lists(st.lists(st.integers(1 - 2**24, 2**24 - 1) | st.integers(-90, 90), min_size=5, max_size=5), min_size=1))
def test_weights_are_those_of_whole_numbers(rows):
    weights = weights_of(np.array(rows))
    assert weights.tolist() == [by_hand(row) for row in rows]
    assert (weights >= 0).all()


def test_weights_are_the_softmax():
    numbers = np.random.default_rng(1).integers(-200, 200, (50, 300))
    chances = np.exp(numbers / 32)
    chances /= chances.sum(1, keepdims=True)
    assert np.abs((weights_of(numbers) + 1) / 2**24 - chances).max() < 3e-5
    assert weights_of(np.array([[0, 5, 5]]))[0, 1] >= weights_of(np.array([[0, 5, 5]]))[0, 2]


def test_the_table_does_not_depend_on_the_mathematics_library():
    with localcontext(prec=40):
        exponentials = [2**24 * (-Decimal(i) / 32).exp() for i in range(555)]
        assert logits.EXPONENTIALS.tolist() == [*(int(n.to_integral_value()) for n in exponentials), 0]
        assert min(abs(n % 1 - Decimal("0.5")) for n in exponentials) > Decimal("0.0006")
    assert logits.EXPONENTIALS[554] == 1
