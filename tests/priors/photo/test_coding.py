"""Coding a tile: what each step may depend on, and that a decoder reads what an encoder wrote."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from priors.photo.small import CONFIG, GROUPS, ZERO, exact_prior, exactly, parameters, random_tokens

from imgcodec.bitstream.entropy import RangeDecoder, RangeEncoder
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.photo.coding import code_tile
from imgcodec.priors.photo.tables import fit_tables
from imgcodec.priors.photo.transformer import PhotoPriorConfig
from imgcodec.priors.photo.windows import checkerboard_half, from_windows, join_checkerboard, join_slices, to_windows

TABLES = fit_tables(np.zeros((1024, 50)))
SIZE = (1, 4, 4)  # two windows each way
STEPS = [
    (stage, sum(CONFIG.slices[stage][:index]), parity)
    for stage in range(2)
    for index in range(len(CONFIG.slices[stage]))
    for parity in (0, 1)
]
seeds = st.integers(0, 2**32 - 1)


def write(tokens, quality, prior=None):
    coders = [RangeEncoder(TABLES) for _ in tokens]
    with exact_arithmetic():
        code_tile(prior or exact_prior(), coders, [t.shape[1:] for t in tokens], quality, tokens, ZERO)
    return [coder.finish() for coder in coders]


def read(data, sizes, quality):
    with exact_arithmetic():
        return code_tile(exact_prior(), [RangeDecoder(TABLES, d) for d in data], sizes, quality, None, ZERO)


@st.composite
def tiles(draw):
    """Sizes of both stages of a tile, as a picture of any number of pixels has them, and tokens."""
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    sizes = [(-(-height // 4), -(-width // 4)), (height, width)]
    rng = np.random.default_rng(draw(seeds))
    reach = draw(st.sampled_from([0, 3, 40, ZERO]))
    tokens = [
        rng.integers(ZERO - reach, ZERO + reach + 1, (g, *s)).astype(np.int16)
        for g, s in zip(GROUPS, sizes, strict=True)
    ]
    return sizes, tokens


@settings(max_examples=30)
@given(tiles(), st.integers(0, 25600))
def test_what_is_written_comes_back(tile, quality):
    sizes, tokens = tile
    back = read(write(tokens, quality), sizes, quality)
    assert all(np.array_equal(a, b) for a, b in zip(tokens, back, strict=True))
    assert [t.dtype for t in back] == [np.int16] * 2


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (8, 8), (9, 8), (5, 17)])
def test_awkward_sizes_come_back(size):
    rng = np.random.default_rng(5)
    sizes = [(-(-size[0] // 4), -(-size[1] // 4)), size]
    tokens = [rng.integers(ZERO - 9, ZERO + 10, (g, *s)).astype(np.int16) for g, s in zip(GROUPS, sizes, strict=True)]
    back = read(write(tokens, 12800), sizes, 12800)
    assert all(np.array_equal(a, b) for a, b in zip(tokens, back, strict=True))


def test_the_first_stage_comes_back_alone():
    sizes = [(2, 3), (7, 10)]
    rng = np.random.default_rng(6)
    tokens = [rng.integers(0, 2 * ZERO + 1, (g, *s)).astype(np.int16) for g, s in zip(GROUPS, sizes, strict=True)]
    (coarse,) = read(write(tokens, 800)[:1], sizes, 800)
    assert np.array_equal(coarse, tokens[0])


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_garbage_gives_tokens_or_an_error(first, second):
    sizes = [(1, 2), (3, 5)]
    try:
        stages = read([first, second], sizes, 12800)
    except InvalidFileError:
        return
    assert all(t.min() >= 0 and t.max() <= 2 * ZERO for t in stages)


def test_a_token_that_no_codebook_knows_is_refused():
    tokens = [np.full((g, 1, 1), ZERO, np.int16) for g in GROUPS]
    tokens[1][4] = 2 * ZERO + 1
    with exact_arithmetic():  # an encoder that is not checked
        coders = [RangeEncoder(TABLES) for _ in tokens]
        with pytest.raises(InvalidFileError, match="no codebook knows"):
            code_tile(exact_prior(), coders, [(1, 1), (1, 1)], 0, tokens, ZERO)


# Causality


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


def test_the_first_stage_alone_has_the_same_parameters():
    tokens = random_tokens(SIZE, 4)
    whole = exactly(lambda: parameters(exact_prior(), tokens, 9000))
    short = exactly(lambda: parameters(exact_prior(), tokens, 9000, stages=1))
    assert list(short) == [step for step in STEPS if step[0] == 0]
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


# Rearrangements


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
