"""The tables, and that no number in them is a close call."""

from decimal import Decimal

from imgcodec.priors.integer.constants import CURVE, EXPONENTIALS, MAX_OPERAND


def test_tables_are_those_of_exact_arithmetic():
    exponentials = [255 * (-Decimal(i) / 16).exp() for i in range(99)]
    assert (*(int(e.to_integral_value()) for e in exponentials), 0) == EXPONENTIALS
    logarithms = [14 * (1 + Decimal(t)).ln() / Decimal(2).ln() for t in range(513)]
    assert tuple(min(MAX_OPERAND, int(n.to_integral_value())) for n in logarithms) == CURVE
    assert min(abs(n % 1 - Decimal("0.5")) for n in (*exponentials, *logarithms)) > Decimal("0.00006")


def test_tables_begin_as_the_page_says():
    assert EXPONENTIALS[:5] == (255, 240, 225, 211, 199)
    assert CURVE[:5] == (0, 14, 22, 28, 33)
