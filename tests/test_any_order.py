"""Random tokens of every model come back from random tiles, in any order, with any number of threads: a property test.

The same over processors and versions is `test_exactness.py`; a batch is one tile, so there is no size of it to vary.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import imgcodec
from imgcodec.bitstream import container
from imgcodec.bitstream.header import Header
from imgcodec.codec import Model
from imgcodec.model_file.find import installed_models
from imgcodec.tokenizers.rvq import STRIDES
from imgcodec.tokens import Tokens, stage_places


@dataclass(frozen=True)
class Case:
    width: int
    height: int
    tile_size: int
    quality: int
    reach: float  # of the tokens, 0 to 1 of the codebook to both sides
    seed: int


cases = st.builds(
    Case,
    width=st.integers(1, 200),
    height=st.integers(1, 140),
    tile_size=st.sampled_from([0, 64, 128]),
    quality=st.integers(0, 25600),
    reach=st.sampled_from([0.0, 0.01, 0.1, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)


def random_tokens(model: Model, case: Case) -> Tokens:
    """A header of the case, and tokens that need not be of any picture, a few of them as far out as there are."""
    header = replace(
        model.tokenize(np.zeros((case.height, case.width, 3), np.uint8)).header,
        tile_size=case.tile_size,
        quality=case.quality,
    )
    config, rng = model.codec.photo.tokenizer.config, np.random.default_rng(case.seed)
    zero, stages = config.codes // 2, []
    for groups, (rows, columns) in zip(config.channels, stage_places(whole(header), STRIDES), strict=True):
        shape = (groups, rows.stop, columns.stop)
        reach = np.where(rng.random(shape) < 0.02, zero, round(case.reach * zero))
        stages.append((zero + rng.integers(-reach, reach + 1)).astype(np.int16))
    return Tokens(header, stages)


def whole(header: Header):
    return replace(header, tile_size=0).tile_rectangle(0)


def tile_alone(tokens: Tokens, tile: int) -> Tokens:
    """A tile as a picture of its own."""
    place = tokens.header.tile_rectangle(tile)
    header = replace(tokens.header, width=place.width, height=place.height, tile_size=0)
    return Tokens(header, [s[:, y, x] for s, (y, x) in zip(tokens.stages, stage_places(place, STRIDES), strict=True)])


@pytest.fixture(scope="module")
def threads():
    """Sets the number of torch's threads, which is as before in the end."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


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
        alone = tile_alone(tokens, tile)
        file = model.write_tokens(alone)
        assert container.read(file).tokens() == sections[tile::count]
        assert model.read_tokens(file).sha256() == alone.sha256()


@given(case=cases, random=st.randoms())
@settings(max_examples=15)
def test_tokens_come_back_whatever_the_order_and_the_threads(tiny_model, threads, case, random):
    check(tiny_model, threads, case, lambda tiles: random.sample(tiles, len(tiles)))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in installed_models() if name == "photo"])
@given(case=cases, random=st.randoms())
@settings(max_examples=10)
def test_tokens_of_the_installed_models_do(threads, name, case, random):
    check(imgcodec.load_model(name), threads, case, lambda tiles: random.sample(tiles, len(tiles)))
