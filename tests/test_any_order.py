"""Random tokens of every model come back from random tiles, in any order, with any number of threads: a property test.

The same over processors and versions is `test_exactness.py`; a batch is one tile, so there is no size of it to vary.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imgcodec.bitstream import container
from imgcodec.codec import load_codec, read_tokens, write_tokens
from imgcodec.model_file.find import installed_models
from imgcodec.profiles.photo import tile_coder
from imgcodec.profiles.photo.codec import PhotoCodec
from imgcodec.tokenizers.rvq_config import STRIDES
from imgcodec.tokens import TokenCodec, Tokens, stage_places

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


def random_tokens(codec: TokenCodec, case: Case) -> Tokens:
    """A header of the case, and tokens that need not be of any picture, a few of them as far out as there are."""
    header = codec.header((case.width, case.height), None, None)
    if isinstance(codec, PhotoCodec):
        header = replace(header, tile_size=case.tile_size, quality=case.quality)
        codes = codec.tokenizer.config.codes
    else:
        codes = codec.tokenizer.codebook_size
    rng, middle, stages = np.random.default_rng(case.seed), codes // 2, []
    for empty in codec.empty(header):
        reach = np.where(rng.random(empty.shape) < 0.02, middle, round(case.reach * middle))
        drawn = middle + rng.integers(-reach, reach + 1)
        stages.append(np.minimum(drawn, codes - 1).astype(empty.dtype))
    return Tokens(header, stages)


def tile_alone(codec: TokenCodec, tokens: Tokens, tile: int) -> Tokens:
    """A tile as a picture of its own."""
    place = tokens.header.tile_rectangle(tile)
    header = replace(tokens.header, width=place.width, height=place.height)
    if isinstance(codec, PhotoCodec):
        header, places = replace(header, tile_size=0), stage_places(place, STRIDES)
    else:
        places = stage_places(place, codec.strides, whole=codec.strides[0])
    return Tokens(header, [s[:, y, x] for s, (y, x) in zip(tokens.stages, places, strict=True)])


@pytest.fixture(scope="module")
def threads():
    """Sets the number of torch's threads, which is as before in the end."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def raster_codec():
    """Gives the golden models of the profile `raster` by their names, each loaded once."""
    return cache(lambda name: load_codec(GOLDEN / f"{name}.safetensors"))


def check(codec: TokenCodec, threads, case: Case, shuffled) -> None:
    """Tiles of small files are not divided into sections, so here no file is small: a tile alone is as it was among
    others."""
    with patch.object(tile_coder, "SMALL_FILE", 0):
        check_tiles(codec, threads, case, shuffled)


def check_tiles(codec: TokenCodec, threads, case: Case, shuffled) -> None:
    tokens = random_tokens(codec, case)
    threads(1)
    data = write_tokens(codec, tokens)
    read = read_tokens(codec, container.read(data))
    threads(2)
    assert write_tokens(codec, read) == data
    assert read_tokens(codec, container.read(data)).sha256() == tokens.sha256() == read.sha256()

    tiles = container.read(data).tokens()
    count = tokens.header.tile_count
    for tile in shuffled(list(range(count))):
        threads(1 + tile % 2)
        alone = tile_alone(codec, tokens, tile)
        file = container.read(write_tokens(codec, alone))
        assert file.tokens() == [tiles[tile]]
        assert read_tokens(codec, file).sha256() == alone.sha256()


@given(case=cases(200, 140), random=st.randoms())
@settings(max_examples=15)
def test_tokens_come_back_whatever_the_order_and_the_threads(tiny_codec, threads, case, random):
    check(tiny_codec, threads, case, lambda tiles: random.sample(tiles, len(tiles)))


@pytest.mark.parametrize("name", ["bsq", "pixelcnn"])  # one of each prior
@example(case=Case(270, 40, 0, 0, 1.0, 1), random=Random(1))  # two tiles
@given(case=cases(100, 70), random=st.randoms())
@settings(max_examples=2)
def test_tokens_of_raster_models_come_back(raster_codec, threads, name, case, random):
    check(raster_codec(name), threads, case, lambda tiles: random.sample(tiles, len(tiles)))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*installed_models()} - {"semantic"}))  # whose files are one vector
@given(case=cases(300, 280), random=st.randoms())
@settings(max_examples=10)
def test_tokens_of_the_installed_models_come_back(threads, name, case, random):
    check(load_codec(name), threads, case, lambda tiles: random.sample(tiles, len(tiles)))
