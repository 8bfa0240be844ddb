"""Coding a tile: a decoder reads what an encoder wrote, and calls that hold only zeros are not there."""

from itertools import repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from priors.photo.small import CONFIG, GROUPS, ZERO, exact_prior

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.token_sections import Part
from imgcodec.priors.photo.coding import CallPlace, call_places, calls_in_use, code_tile
from imgcodec.priors.photo.streams import CallReader, CallRecorder, write_parts
from imgcodec.priors.photo.tables import fit_tables
from imgcodec.priors.photo.torch_walk import TorchWalk

TABLES = fit_tables(np.zeros((1024, 50)))
COARSE_CALLS = 4  # with one share
seeds = st.integers(0, 2**32 - 1)


def unchanged(values, table):
    return values


def recorded(tokens, quality, places):
    recorder = CallRecorder(repeat(unchanged))
    done = code_tile(
        CONFIG, TorchWalk(exact_prior()), recorder, [t.shape[1:] for t in tokens], quality, tokens, ZERO, places
    )
    return recorder.calls, done


def read(parts, sizes, quality, places):
    return code_tile(CONFIG, TorchWalk(exact_prior()), CallReader(TABLES, parts), sizes, quality, None, ZERO, places)


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
@given(tiles(), st.integers(0, 25600), st.sampled_from([1, 3]), st.sampled_from([0.1, 20, 1e9]))
def test_what_is_written_comes_back(tile, quality, shares, part_bytes):
    sizes, tokens = tile
    places = call_places(CONFIG.slices, shares)
    calls, done = recorded(tokens, quality, places)
    parts = write_parts(TABLES, calls, COARSE_CALLS * shares, part_bytes)
    assert [part.first for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert parts[-1].end == len(places) == len(calls)
    back = read(parts, sizes, quality, places)
    for tokens_, done_, back_ in zip(tokens, done, back, strict=True):
        assert np.array_equal(tokens_, back_)
        assert np.array_equal(done_, back_)
    assert [t.dtype for t in back] == [np.int16] * 2


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (8, 8), (9, 8), (5, 17)])
def test_awkward_sizes_come_back(size):
    sizes = [(-(-size[0] // 4), -(-size[1] // 4)), size]
    tokens, places = random(sizes, 5, 9), call_places(CONFIG.slices, 3)
    calls, _ = recorded(tokens, 12800, places)
    back = read(write_parts(TABLES, calls, 12, 1e9), sizes, 12800, places)
    assert all(np.array_equal(a, b) for a, b in zip(tokens, back, strict=True))


def random(sizes, seed, reach):
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(ZERO - reach, ZERO + reach + 1, (g, *s)) for g, s in zip(GROUPS, sizes, strict=True))
    return [tokens.astype(np.int16) for tokens in drawn]


def test_places_follow_each_other_and_are_all_tokens():
    places = call_places(((2, 4), (1, 3)), 3)
    assert places[:7] == (
        CallPlace(0, 0, 0, 0, 0),
        CallPlace(0, 0, 0, 0, 1),
        CallPlace(0, 0, 0, 1, 2),
        CallPlace(0, 0, 1, 0, 0),
        CallPlace(0, 0, 1, 0, 1),
        CallPlace(0, 0, 1, 1, 2),
        CallPlace(0, 1, 0, 2, 3),
    )
    assert len(places) == 24
    for stage, groups in enumerate((6, 4)):
        for parity in (0, 1):
            covered = [g for p in places if (p.stage, p.parity) == (stage, parity) for g in range(p.first, p.end)]
            assert covered == list(range(groups))
    assert [p.slice for p in call_places(((2, 4), (1, 3)), 1)] == [0, 0, 1, 1, 2, 2, 3, 3]


@given(seeds, st.sampled_from([1, 3]), st.data())
def test_calls_behind_the_last_token_that_is_not_zero_are_not_there(seed, shares, data):
    sizes, places = [(2, 2), (7, 5)], call_places(CONFIG.slices, shares)
    tokens = random(sizes, seed, 2)
    kept = data.draw(st.integers(0, len(places)))
    for place in places[kept:]:
        for row in (0, 1):
            tokens[place.stage][place.first : place.end, row::2, row ^ place.parity :: 2] = ZERO
    in_use = calls_in_use(places, [t != ZERO for t in tokens])
    assert in_use <= kept
    slowly = [
        number
        for number, place in enumerate(places, 1)
        for group, row, column in np.argwhere(tokens[place.stage] != ZERO)
        if place.first <= group < place.end and (row + column) % 2 == place.parity
    ]
    assert in_use == max(slowly, default=0)
    calls, done = recorded(tokens, 9000, places[:in_use])
    assert len(calls) == in_use
    back = read(write_parts(TABLES, calls, 4 * shares, 1e9), sizes, 9000, places[:in_use])
    assert all(np.array_equal(a, b) and np.array_equal(a, c) for a, b, c in zip(tokens, back, done, strict=True))


@pytest.mark.parametrize("kept", range(11))
def test_slices_that_have_no_calls_are_not_computed(kept):
    """Two calls a slice: five slices, each with a head."""
    seen, places = [], call_places(CONFIG.slices, 1)[:kept]
    heads = [*exact_prior().coarse.heads, *exact_prior().fine.heads]
    hooks = [head.register_forward_hook(lambda head, *_: seen.append(heads.index(head))) for head in heads]
    recorded(random([(2, 2), (7, 5)], 1, 2), 9000, places)
    for hook in hooks:
        hook.remove()
    assert seen == list(range(-(-kept // 2)))


def test_the_first_parts_come_back_alone_and_the_rest_is_as_expected():
    sizes, places = [(2, 3), (7, 10)], call_places(CONFIG.slices, 1)
    tokens = random(sizes, 6, ZERO)
    calls, _ = recorded(tokens, 800, places)
    parts = write_parts(TABLES, calls, COARSE_CALLS, 0.1)
    assert [(part.first, part.end) for part in parts] == [(0, 4), *((call, call + 1) for call in range(4, 10))]
    for count in range(1, len(parts) + 1):
        back = read(parts[:count], sizes, 800, places)
        assert np.array_equal(back[0], tokens[0])
        for place in places[4 : count + 3]:
            for row in (0, 1):
                at = slice(place.first, place.end), slice(row, None, 2), slice(row ^ place.parity, None, 2)
                assert np.array_equal(back[1][at], tokens[1][at])
        again = recorded(back, 800, places)[0]
        assert all(np.array_equal(a.values, b.values) for a, b in zip(again, calls[: count + 3], strict=False))
        rest = np.concatenate([call.values for call in again[count + 3 :]] or [np.zeros(0)])
        assert not len(rest) or (rest == 0).mean() > 0.5, "the centre, but where that is no token"


@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(0, 10))
def test_garbage_gives_tokens_or_an_error(first, second, count):
    sizes, places = [(1, 2), (3, 5)], call_places(CONFIG.slices, 1)[:count]
    parts = [Part(0, min(4, count), first), *([Part(4, count, second)] if count > 4 else [])]
    try:
        stages = read(parts, sizes, 12800, places)
    except InvalidFileError:
        return
    assert all(t.min() >= 0 and t.max() <= 2 * ZERO for t in stages)


def test_a_token_that_no_codebook_knows_is_refused():
    tokens = [np.full((g, 1, 1), ZERO, np.int16) for g in GROUPS]
    tokens[1][4] = 2 * ZERO + 1
    with pytest.raises(InvalidFileError, match="no codebook knows"):  # an encoder that is not checked
        recorded(tokens, 0, call_places(CONFIG.slices, 1))
