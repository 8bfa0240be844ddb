"""Random tokens of every model come back from random tiles, in any order, with any number of threads: a property test.

The same over processors and versions is `test_exactness.py`; a batch is one tile, so there is no size of it to vary.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcodec.bitstream import Header, container
from imgcodec.codec import load_codec, read_tokens, write_tokens
from imgcodec.model_file.find import installed_models
from imgcodec.profiles.photo.codec import PhotoCodec
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


def random_tokens(codec: PhotoCodec, case: Case) -> Tokens:
    """A header of the case, and tokens that need not be of any picture, a few of them as far out as there are."""
    header = replace(
        codec.header((case.width, case.height), None, None),
        tile_size=case.tile_size,
        quality=case.quality,
    )
    config, rng = codec.tokenizer.config, np.random.default_rng(case.seed)
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


def check(codec: PhotoCodec, threads, case: Case, shuffled) -> None:
    tokens = random_tokens(codec, case)
    threads(1)
    data = write_tokens(codec, tokens)
    read = read_tokens(codec, container.read(data))
    threads(2)
    assert write_tokens(codec, read) == data
    assert read_tokens(codec, container.read(data)).sha256() == tokens.sha256() == read.sha256()

    sections = container.read(data).tokens()
    count = tokens.header.tile_count
    for tile in shuffled(list(range(count))):
        threads(1 + tile % 2)
        alone = tile_alone(tokens, tile)
        file = container.read(write_tokens(codec, alone))
        assert file.tokens() == sections[tile::count]
        assert read_tokens(codec, file).sha256() == alone.sha256()


@given(case=cases, random=st.randoms())
@settings(max_examples=15)
def test_tokens_come_back_whatever_the_order_and_the_threads(tiny_codec, threads, case, random):
    check(tiny_codec, threads, case, lambda tiles: random.sample(tiles, len(tiles)))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in installed_models() if name == "photo"])
@given(case=cases, random=st.randoms())
@settings(max_examples=10)
def test_tokens_of_the_installed_models_do(threads, name, case, random):
    check(load_codec(name), threads, case, lambda tiles: random.sample(tiles, len(tiles)))
