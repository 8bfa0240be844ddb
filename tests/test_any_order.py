"""Random tokens of every model come back from random tiles, in any order, with any number of threads: a property test.

The same over processors and versions is `test_exactness.py`; a batch is one tile, so there is no size of it to vary.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import imgcodec
from imgcodec.bitstream import container
from imgcodec.codec import Model
from imgcodec.model_file.model import installed_models
from imgcodec.tokenizers.rvq import STRIDES
from imgcodec.tokens import Tokens, stage_places

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Case:
    width: int
    height: int
    tile_size: int  # of `photo`, as the quality; the other profiles have one of their own
    quality: int
    reach: float  # of the tokens, 0 to 1 of the codebook to both sides
    seed: int


def cases(width: int, height: int) -> st.SearchStrategy[Case]:
    """Pictures of up to so many pixels each way."""
    return st.builds(
        Case,
        width=st.integers(1, width),
        height=st.integers(1, height),
        tile_size=st.sampled_from([0, 64, 128]),
        quality=st.integers(0, 25600),
        reach=st.sampled_from([0.0, 0.01, 0.1, 1.0]),
        seed=st.integers(0, 2**32 - 1),
    )


def random_tokens(model: Model, case: Case) -> Tokens:
    """A header of the case, and tokens that need not be of any picture, a few of them as far out as there are."""
    header = model.tokenize(np.zeros((case.height, case.width, 3), np.uint8)).header
    if model.has_qualities:
        header = replace(header, tile_size=case.tile_size, quality=case.quality)
        codes = model.codec.photo.tokenizer.config.codes
    else:
        codes = model.codec.grid.tokenizer.codes
    rng, middle, stages = np.random.default_rng(case.seed), codes // 2, []
    for empty in model.codec.empty(header):
        reach = np.where(rng.random(empty.shape) < 0.02, middle, round(case.reach * middle))
        drawn = middle + rng.integers(-reach, reach + 1)
        stages.append(np.minimum(drawn, codes - 1).astype(empty.dtype))
    return Tokens(header, stages)


def tile_alone(model: Model, tokens: Tokens, tile: int) -> Tokens:
    """A tile as a picture of its own."""
    place = tokens.header.tile_rectangle(tile)
    header = replace(tokens.header, width=place.width, height=place.height)
    if model.has_qualities:
        header, places = replace(header, tile_size=0), stage_places(place, STRIDES)
    else:
        strides = model.codec.grid.tokenizer.strides
        places = stage_places(place, strides, whole=strides[0])
    return Tokens(header, [s[:, y, x] for s, (y, x) in zip(tokens.stages, places, strict=True)])


@pytest.fixture(scope="module")
def threads():
    """Sets the number of torch's threads, which is as before in the end."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def family():
    """Gives the golden models of one code a place by their names, each loaded once."""
    return cache(lambda name: imgcodec.load_model(str(GOLDEN / f"{name}.safetensors")))


def check(model: Model, threads, case: Case, shuffled) -> None:
    tokens = random_tokens(model, case)
    threads(1)
    data = model.write_tokens(tokens)
    read = model.read_tokens(data)
    threads(2)
    assert model.write_tokens(read) == data
    assert model.read_tokens(data).sha256() == tokens.sha256() == read.sha256()

    sections = container.read(data).tokens()
    count = tokens.header.tile_count
    for tile in shuffled(list(range(count))):
        threads(1 + tile % 2)
        alone = tile_alone(model, tokens, tile)
        file = model.write_tokens(alone)
        assert container.read(file).tokens() == sections[tile::count]
        assert model.read_tokens(file).sha256() == alone.sha256()


@given(case=cases(200, 140), random=st.randoms())
@settings(max_examples=15)
def test_tokens_come_back_whatever_the_order_and_the_threads(tiny_model, threads, case, random):
    check(tiny_model, threads, case, lambda tiles: random.sample(tiles, len(tiles)))


@pytest.mark.parametrize("name", ["bsq", "pixelcnn"])  # one of each prior
@example(case=Case(270, 40, 0, 0, 1.0, 1), random=Random(1))  # two tiles
@given(case=cases(100, 70), random=st.randoms())
@settings(max_examples=2)
def test_tokens_of_one_code_a_place_come_back(family, threads, name, case, random):
    check(family(name), threads, case, lambda tiles: random.sample(tiles, len(tiles)))


@pytest.mark.slow
@pytest.mark.parametrize("name", installed_models())
@given(case=cases(300, 280), random=st.randoms())
@settings(max_examples=10)
def test_tokens_of_the_installed_models_come_back(threads, name, case, random):
    check(imgcodec.load_model(name), threads, case, lambda tiles: random.sample(tiles, len(tiles)))
