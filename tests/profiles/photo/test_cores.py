"""Tiles and pieces on several cores: files and pixels are those of one core, for either engine."""

import hashlib
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_pictures import PHOTOGRAPH
from PIL import Image

from imgcodec import InvalidFileError, Tokens
from imgcodec.bitstream import container
from imgcodec.codec import load_codec, tokenize
from imgcodec.engines import is_installed
from imgcodec.priors.photo.coding import code_tile
from imgcodec.profiles.photo import tile_coder

TINY = Path(__file__).parents[2] / "golden" / "tiny.safetensors"
ENGINES = ["torch", pytest.param("onnx", marks=pytest.mark.skipif(not is_installed("onnx"), reason="no ONNX Runtime"))]


@pytest.fixture(scope="module")
def pixels():
    """Six tiles, of which none is like another."""
    picture = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))
    return np.tile(picture, (4, 4, 1))[:1100, :2100]


@pytest.fixture
def cores(monkeypatch):
    """A function that says how many cores an engine is to use."""
    before = torch.get_num_threads()

    def use(count):
        monkeypatch.setenv("OMP_NUM_THREADS", str(count))
        torch.set_num_threads(count)

    yield use
    torch.set_num_threads(before)


def written_and_read(codec, pixels):
    """The file of a picture, and digests of its tokens and of its pixels."""
    header = codec.header((pixels.shape[1], pixels.shape[0]), 60, None)
    tokens, sections = codec.encode(header, codec.analyse(pixels), pixels, 1)
    data = container.write(header, sections)
    stages = codec.empty(header)
    codec.read(header, range(header.tile_count), container.read(data).tokens(), stages)
    assert all(np.array_equal(a, b) for a, b in zip(stages, tokens.stages, strict=True))
    assert codec.write(tokens) == sections
    return data, hashlib.sha256(codec.synthesise(tokens, 1).tobytes()).hexdigest()


@pytest.mark.parametrize("engine", ENGINES)
def test_files_and_pixels_are_those_of_one_core(cores, pixels, engine):
    codec = load_codec(TINY, engine=engine)
    found = []
    for count in (1, 2, 3):
        cores(count)
        found.append(written_and_read(codec, pixels))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_take_one_core_each(monkeypatch, cores, pixels, engine):
    cores(3)
    codec = load_codec(TINY, engine=engine)
    threads, counts, transforms = set(), set(), codec.photo.transforms
    analyse = type(transforms).analyse

    def watched(self, pixels, shown):
        threads.add(threading.current_thread())
        counts.add(self.threads.count())
        return analyse(self, pixels, shown)

    monkeypatch.setattr(type(transforms), "analyse", watched)
    tokenize(codec, pixels)
    assert threading.current_thread() not in threads
    assert 2 <= len(threads) <= 3
    assert counts == {1}
    assert transforms.threads.count() == 3


def test_tiles_that_take_more_memory_are_decoded_one_at_a_time(monkeypatch, cores, tiny_model, pixels):
    cores(3)
    tokens = tokenize(tiny_model._codec, pixels)
    threads = set()

    def watched(*arguments):
        threads.add(threading.current_thread())
        return code_tile(*arguments)

    monkeypatch.setattr(tile_coder, "code_tile", watched)
    for size, is_alone in ((1024, False), (1536, True)):
        of_size = Tokens(replace(tokens.header, tile_size=size), tokens.stages)
        threads.clear()
        assert tiny_model.read_tokens(tiny_model.write_tokens(of_size)).sha256() == of_size.sha256()
        assert (threads == {threading.current_thread()}) == is_alone


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("engine", ENGINES)
def test_progress_is_told_to_the_caller_as_tiles_are_done(cores, pixels, engine, count):
    cores(count)
    told = []
    codec = load_codec(TINY, engine=engine).watched(lambda share: told.append((threading.current_thread(), share)))
    header = codec.header((2100, 1100), 60, None)
    tokens, sections = codec.encode(header, codec.analyse(pixels), pixels, 1)
    assert [share for _, share in told] == pytest.approx([0.4 / 6] * 6 + [0.6 / 6] * 6)
    told_in = {thread for thread, _ in told}
    told.clear()
    codec.read(header, range(6), container.read(container.write(header, sections)).tokens(), codec.empty(header))
    codec.synthesise(tokens, 1)
    assert [share for _, share in told] == pytest.approx([0.6 / 6] * 6 + [0.4 / 6] * 6)
    assert told_in | {thread for thread, _ in told} == {threading.current_thread()}


@pytest.mark.parametrize("count", [1, 3])
def test_a_tile_that_does_not_decode_is_told_and_those_before_it_are_kept(cores, tiny_model, pixels, count):
    cores(count)
    codec = tiny_model._codec
    data = tiny_model.compress(pixels, exact=False)
    file = container.read(data)
    tiles = file.tokens()
    tiles[1] = replace(tiles[1], total=1000)
    stages, empty = codec.empty(file.header), codec.empty(file.header)
    with pytest.raises(InvalidFileError, match="a tile of over 24 calls"):
        codec.read(file.header, range(6), tiles, stages)
    assert not np.array_equal(stages[1][:, :64, :64], empty[1][:, :64, :64])
    assert np.array_equal(stages[1][:, :64, 64:], empty[1][:, :64, 64:])
    place = data.index(file.sections[4].data) + 3
    damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    with pytest.raises(InvalidFileError):
        tiny_model.decompress(damaged)
    found = tiny_model.recover(damaged)
    assert len([*found.coarse, *found.flat]) == 1
