"""The `photo` prior: what each of its steps may depend on, sizes that do not fit together, and what it costs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from multiplications import multiplications
from priors.photo.small import CONFIG, exact_prior, exactly, parameters, random_tokens

from imgcodec.priors.photo.config import PhotoPriorConfig
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.priors.photo.windows import checkerboard_half

SIZE = (1, 4, 4)  # two windows each way


STEPS = [
    (stage, sum(CONFIG.slices[stage][:index]), parity)
    for stage in range(2)
    for index in range(len(CONFIG.slices[stage]))
    for parity in (0, 1)
]
seeds = st.integers(0, 2**32 - 1)


def step_of(stage, group, row, column):
    """The step that codes a token."""
    slices = CONFIG.slices[stage]
    first = max(sum(slices[:i]) for i in range(len(slices)) if sum(slices[:i]) <= group)
    return stage, first, (row + column) % 2


@settings(max_examples=40)
@given(st.data())
def test_a_token_changes_no_parameters_before_it(data):
    stage = data.draw(st.integers(0, 1))
    tokens = random_tokens(SIZE, data.draw(seeds))
    group, row, column = (data.draw(st.integers(0, n - 1)) for n in tokens[stage].shape[1:])
    changed = [t.clone() for t in tokens]
    changed[stage][0, group, row, column] = -300 if tokens[stage][0, group, row, column] >= 0 else 300
    before = exactly(lambda: parameters(exact_prior(), tokens, 9000))
    after = exactly(lambda: parameters(exact_prior(), changed, 9000))
    assert list(before) == STEPS
    known = STEPS[: STEPS.index(step_of(stage, group, row, column)) + 1]
    assert all(torch.equal(before[step], after[step]) for step in known)
    # and later steps depend on it, if there are any
    later = STEPS[len(known) :]
    assert not later or any(not torch.equal(before[step], after[step]) for step in later)


def test_the_first_step_depends_on_quality_alone():
    first = [exactly(lambda s=s: parameters(exact_prior(), random_tokens(SIZE, s), 9000))[STEPS[0]] for s in (1, 2)]
    assert torch.equal(*first)
    other = exactly(lambda: parameters(exact_prior(), random_tokens(SIZE, 1), 25000))[STEPS[0]]
    assert not torch.equal(first[0], other)


@pytest.mark.parametrize("slices", range(6))
def test_the_first_slices_alone_have_the_same_parameters(slices):
    tokens = random_tokens(SIZE, 4)
    whole = exactly(lambda: parameters(exact_prior(), tokens, 9000))
    short = exactly(lambda: parameters(exact_prior(), tokens, 9000, slices))
    assert list(short) == STEPS[: 2 * slices]
    assert all(torch.equal(numbers, whole[step]) for step, numbers in short.items())


def test_tiles_of_a_batch_have_the_same_parameters_as_alone():
    tokens = random_tokens((3, 4, 6), 8)
    together = exactly(lambda: parameters(exact_prior(), tokens, 9000))
    for index in range(3):
        alone = exactly(lambda i=index: parameters(exact_prior(), [t[i : i + 1] for t in tokens], 9000))
        assert all(torch.equal(numbers[index], alone[step][0]) for step, numbers in together.items())


def test_threads_do_not_matter():
    tokens = random_tokens((1, 8, 8), 9)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(exactly(lambda: parameters(exact_prior(), tokens, 9000)))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0][step], result[step]) for result in results for step in STEPS)


@pytest.mark.parametrize(
    "change",
    [
        {"windows": (3, 4)},
        {"windows": (2, 3)},
        {"windows": (24, 8)},
        {"windows": (2, 0)},
        {"windows": (2, 4, 8)},
        {"heads": 3},
        {"levels": 1},
        {"slices": ((4,), (2, 2))},
        {"attention": ((True,), (True, True))},
    ],
)
def test_sizes_that_do_not_fit_together_are_refused(change):
    fitting = {
        "width": 8,
        "heads": 2,
        "windows": (2, 4),
        "slices": ((2, 2), (2, 2)),
        "attention": ((True, True), (False, True)),
    }
    PhotoPriorConfig(**fitting)
    with pytest.raises(ValueError):  # noqa: PT011
        PhotoPriorConfig(**fitting | change)


def test_the_prior_is_within_its_budget():
    def code(stage, first, groups, parameters, parity):
        return checkerboard_half(torch.zeros(1, groups, *((8, 8), (32, 32))[stage]), parity)

    prior = PhotoPrior(PhotoPriorConfig()).requires_grad_(False)
    assert 5_000 < multiplications(lambda: prior((1, 8, 8), torch.zeros(1), code)) / 512**2 <= 10_000
