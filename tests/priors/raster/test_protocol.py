"""What all raster priors promise, of each of them: causality, that stepping through gives the logits of all at once,
and integers that predict the same."""

import math
from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from priors.raster.small import (
    MAKERS,
    NAMES,
    exact_prior,
    exactly,
    in_float,
    quantized,
    random_tokens,
    sizes_of,
    stepped_logits,
)
from torch import nn

from imgcodec.model_file.integer_prior import exact_prior as built_exactly
from imgcodec.model_file.integer_prior import stored_integer
from imgcodec.priors.integer import constants, exact
from imgcodec.priors.integer.known_answer import known_answer
from imgcodec.priors.integer.trainable import FLOAT, Operand, export, restore, unquantize
from imgcodec.priors.raster.logits import weights_of
from imgcodec.priors.raster.protocol import LOGIT_UNIT, from_digits, to_digits

names = st.sampled_from(NAMES)
seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 6)


def pairs(a, b):
    """Logits of the same stage and digit."""
    assert [len(stage) for stage in a] == [len(stage) for stage in b]
    return [(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True)]


@settings(max_examples=40)
@given(names, st.integers(1, 3), sides, sides, seeds)
def test_stepping_through_gives_the_integers_of_all_at_once(name, batch, rows, columns, seed):
    prior = exact_prior(name)
    tokens = random_tokens(prior, batch, sizes_of(prior, rows, columns), seed)
    together, stepped = exactly(prior, tokens), exactly(stepped_logits, prior, tokens)
    for a, b in pairs(together, stepped):
        assert torch.equal(a, b)
        assert torch.equal(a, a.round())


@settings(max_examples=20)
@given(names, st.integers(1, 2), sides, sides, seeds)
def test_stepping_through_gives_the_floats_of_all_at_once(name, batch, rows, columns, seed):
    prior = in_float(name)
    tokens = random_tokens(prior, batch, sizes_of(prior, rows, columns), seed)
    for a, b in pairs(prior(tokens), stepped_logits(prior, tokens)):
        assert torch.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_stages_have_the_same_logits_alone(name):
    prior = exact_prior(name)
    tokens = random_tokens(prior, 2, sizes_of(prior, 9, 9), 4)
    for a, b in pairs(exactly(prior, tokens)[:1], exactly(stepped_logits, prior, tokens[:1])):
        assert torch.equal(a, b)


@given(st.lists(st.integers(2, 40), min_size=1, max_size=4), st.data())
def test_digits_are_those_of_a_number_the_most_significant_first(digits, data):
    tokens = data.draw(st.lists(st.integers(0, math.prod(digits) - 1), min_size=1, max_size=5))
    found = to_digits(torch.tensor(tokens), tuple(digits))
    assert found.shape == (len(tokens), len(digits))
    for token, row in zip(tokens, found.tolist(), strict=True):
        assert all(0 <= digit < values for digit, values in zip(row, digits, strict=True))
        number = 0
        for digit, values in zip(row, digits, strict=True):
            number = number * values + digit
        assert number == token
    assert from_digits(found, tuple(digits)).tolist() == tokens


# Masking


def flat(prior, logits):
    """Logits in coding order: (positions, digits) of (B, values)."""
    return [
        [digit[:, :, row, column] for digit in stage]
        for stage in logits
        for row in range(stage[0].shape[2])
        for column in range(stage[0].shape[3])
    ]


def weights(logits):
    return torch.from_numpy(weights_of(logits.long().numpy()))


@settings(max_examples=60)
@given(names, sides, sides, seeds, st.data())
def test_a_token_changes_no_weights_up_to_its_own(name, rows, columns, seed, data):
    prior = exact_prior(name)
    tokens = random_tokens(prior, 1, sizes_of(prior, rows, columns), seed)
    before = flat(prior, exactly(prior, tokens))
    position = data.draw(st.integers(0, len(before) - 1))
    stage, index = 0, position
    while index >= tokens[stage].numel():
        index -= tokens[stage].numel()
        stage += 1
    changed = [t.clone() for t in tokens]
    changed[stage].view(-1)[index] = data.draw(st.integers(0, prior.codebook_size - 1))
    after = flat(prior, exactly(prior, changed))
    old, new = (to_digits(t[stage].view(-1)[index], prior.digits).tolist() for t in (tokens, changed))
    # of the token itself, a digit may change those of the digits after it
    same = next((d for d, (a, b) in enumerate(zip(old, new, strict=True)) if a != b), len(old))
    for at in range(position + 1):
        for digit in range(len(prior.digits) if at < position else same + 1):
            if digit < len(prior.digits):
                assert torch.equal(weights(before[at][digit]), weights(after[at][digit]))


@pytest.mark.parametrize("name", NAMES)
def test_every_token_but_the_last_changes_what_comes_after(name):
    prior = exact_prior(name)
    tokens = random_tokens(prior, 1, sizes_of(prior, 9, 9), 1)
    before = flat(prior, exactly(prior, tokens))
    position = 0
    for stage, plane in enumerate(tokens):
        for index in range(plane.numel()):
            is_last = position == len(before) - 1
            changed = [t.clone() for t in tokens]
            noticed = False
            for step in (1, 2, 3):  # integers may hide one change
                changed[stage].view(-1)[index] = (
                    plane.view(-1)[index] + step * prior.codebook_size // 4
                ) % prior.codebook_size
                after = flat(prior, exactly(prior, changed))
                noticed |= any(
                    not torch.equal(a, b)
                    for old, new in zip(before[position + 1 :], after[position + 1 :], strict=True)
                    for a, b in zip(old, new, strict=True)
                )
            assert noticed != is_last
            position += 1


# Integers


@pytest.mark.parametrize("name", NAMES)
def test_the_integers_predict_what_the_floats_did(name):
    """Random weights amplify rounding errors, so they are only close."""
    prior, integers = quantized(name), exact_prior(name)
    assert exact.check_bounds(integers) < constants.LIMIT
    tokens = random_tokens(prior, 8, sizes_of(prior, 9, 9), 77)
    both = pairs(prior(tokens), exactly(integers, tokens))
    fake, number = (torch.cat([logits.flatten() for logits in side]) for side in zip(*both, strict=True))
    assert float((fake * LOGIT_UNIT - number).abs().mean()) < max(0.5, 0.06 * float(number.std()))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_integers_is_exported(name):
    prior = exact_prior(name)
    assert not list(prior.parameters())
    assert not [m for m in prior.modules() if isinstance(m, Operand) or hasattr(m, "quantized")]
    assert all(torch.equal(t, t.round()) for t in prior.state_dict().values())


@pytest.mark.parametrize("name", NAMES)
def test_training_can_go_on_from_the_integers(name):
    again = MAKERS[name]()
    restore(again, exact_prior(name))
    tokens = random_tokens(again, 1, sizes_of(again, 9, 9), 78)
    exported = deepcopy(again)
    export(exported)
    for a, b in pairs(exactly(exported, tokens), exactly(exact_prior(name), tokens)):
        assert torch.equal(a, b)
    sum(digit.square().sum() for stage in again(tokens) for digit in stage).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in again.parameters())
    unquantize(again)
    assert all(m.fraction == FLOAT for m in again.modules() if isinstance(m, Operand))


@pytest.mark.parametrize("name", NAMES)
def test_a_model_file_brings_the_integers_back(name):
    prior = exact_prior(name)
    tensors = {f"prior.{n}": stored_integer(n, t) for n, t in prior.state_dict().items()}
    assert {t.dtype for n, t in tensors.items() if not n.endswith("bias")} == {torch.int8}
    with torch.device("meta"):
        empty = MAKERS[name]()
    back = built_exactly(empty, exact.operand_fractions(prior), tensors)
    assert exact.check_bounds(back) == exact.check_bounds(prior)
    assert known_answer(back) == known_answer(prior)
    tokens = random_tokens(prior, 1, sizes_of(prior, 9, 9), 79)
    for a, b in pairs(exactly(prior, tokens), exactly(back, tokens)):
        assert torch.equal(a, b)


def test_gradients_reach_every_weight_of_a_new_prior():
    """Layers before one that is zero at first have none in the first step, so there are no zeros here."""
    for make in MAKERS.values():
        prior = make()
        for layer in prior.modules():
            if hasattr(layer, "weight") and not layer.weight.any():
                nn.init.normal_(layer.weight, 0, 0.1)
        tokens = random_tokens(prior, 2, sizes_of(prior, 9, 9), 5)
        sum(digit.square().sum() for stage in prior(tokens) for digit in stage).backward()
        assert all(p.grad is not None and p.grad.any() for p in prior.parameters())


# Refusals


@pytest.mark.parametrize("name", NAMES)
def test_impossible_tiles_are_refused(name):
    prior = in_float(name)
    side = prior.sides[0]
    wrong = [[(side + 1, side)], [(0, 1)], [], [*sizes_of(prior, 9, 9), (1, 1)]]
    for sizes in wrong:
        with pytest.raises(ValueError, match="token"):
            prior.step_through(1, sizes, lambda at, logits: logits.argmax(1))
