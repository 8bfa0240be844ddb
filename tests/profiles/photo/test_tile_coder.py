"""Tiles in version 2: calls that are not there, and stage 1 in several sections."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_pictures import PHOTOGRAPH
from PIL import Image

from imgcodec import InvalidFileError, Tokens
from imgcodec.bitstream import container
from imgcodec.bitstream.sections import Section
from imgcodec.codec import load_codec, read_tokens, tokenize, write_tokens
from imgcodec.profiles.photo import tile_coder

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="module")
def tokens(tiny_codec):
    pixels = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))[100:300, 200:456]
    return tokenize(tiny_codec, pixels, 95)


def with_zeros(codec, tokens, kept):
    """The tokens with zeros behind the first `kept` calls."""
    stages = [stage.copy() for stage in tokens.stages]
    for place in codec.coder.call_places(tokens.header)[kept:]:
        for row in (0, 1):
            stages[place.stage][place.first : place.end, row::2, row ^ place.parity :: 2] = 255
    return Tokens(tokens.header, stages)


@pytest.mark.parametrize("kept", [0, 1, 3, 11, 12, 13, 17, 18, 23, 24])
def test_calls_of_zeros_are_not_there(tiny_model, tiny_codec, tokens, kept):
    few = with_zeros(tiny_codec, tokens, kept)
    data = tiny_model.write_tokens(few)
    (tile,) = container.read(data).tokens()
    assert tile.total <= kept
    assert tile.total >= kept - 2, "some calls of this small model have no groups"
    assert tiny_model.read_tokens(data).sha256() == few.sha256()
    assert tiny_model.write_tokens(tiny_model.read_tokens(data)) == data


def test_zeros_take_neither_bytes_nor_the_prior(tokens):
    tiny_codec = load_codec(GOLDEN / "tiny.safetensors", engine="torch")
    seen, hooks = [], []
    for stage in (tiny_codec.prior.coarse, tiny_codec.prior.fine):
        hooks += [head.register_forward_hook(lambda *_: seen.append(1)) for head in stage.heads]
    sizes = []
    for kept, heads in ((24, 4), (18, 3), (12, 2), (6, 1), (0, 0)):
        data = write_tokens(tiny_codec, with_zeros(tiny_codec, tokens, kept))
        seen.clear()
        read_tokens(tiny_codec, container.read(data))
        assert len(seen) == heads
        sizes.append(len(data))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 31 + 8 + 8, "header, one empty section, end"
    for hook in hooks:
        hook.remove()


def test_a_tile_of_more_calls_than_the_model_makes_is_refused(tiny_model, tokens):
    file = container.read(tiny_model.write_tokens(tokens))
    first, *others = file.sections
    for total in (25, 63):
        data = container.write(file.header, [replace(first, stage=total), *others])
        with pytest.raises(InvalidFileError, match="over 24 calls"):
            tiny_model.decompress(data)


def test_any_division_decodes_to_the_same(tiny_model, tokens, monkeypatch):
    monkeypatch.setattr(tile_coder, "SMALL_FILE", 0)
    seen = set()
    for part_bytes in (1, 60, 100, 200, 1e9):
        monkeypatch.setattr(tile_coder, "PART_BYTES", part_bytes)
        data = tiny_model.write_tokens(tokens)
        assert tiny_model.read_tokens(data).sha256() == tokens.sha256()
        sizes = [len(part.data) for part in container.read(data).tokens()[0].parts[1:]]
        seen.add(len(sizes))
        assert (len(sizes) - 1) * part_bytes < 1.6 * sum(sizes), "of a prior that needs more bits than most"
    assert len(seen) >= 3
    assert min(seen) == 1


def test_small_files_are_not_divided_and_large_ones_for_little(tiny_model, tokens, monkeypatch):
    whole = tiny_model.write_tokens(tokens)
    monkeypatch.setattr(tile_coder, "PART_BYTES", 100)
    size = sum(len(part.data) for part in container.read(whole).tokens()[0].parts)
    for small in (size + 1, size + 200):  # bytes of tokens, in several sections a few more
        monkeypatch.setattr(tile_coder, "SMALL_FILE", small + 20)
        assert tiny_model.write_tokens(tokens) == whole
    monkeypatch.setattr(tile_coder, "SMALL_FILE", size // 2)
    divided = tiny_model.write_tokens(tokens)
    count = len(container.read(divided).tokens()[0].parts)
    assert count > 3
    assert 8 * (count - 2) < len(divided) - len(whole) < 13 * (count - 2)


def test_tokens_of_a_file_of_version_1_are_written_in_version_1(tiny_model, tokens):
    old = Tokens(replace(tokens.header, first_calls=0), with_zero_group(tokens.stages))
    data = tiny_model.write_tokens(old)
    file = container.read(data)
    assert data[8] == 1
    assert [(s.stage, s.tile) for s in file.sections] == [(0, 0), (1, 0)]
    read = tiny_model.read_tokens(data)
    assert (read.header, read.sha256()) == (old.header, old.sha256())
    new = tiny_model.write_tokens(Tokens(tokens.header, old.stages))
    assert tiny_model.read_tokens(new).sha256() == old.sha256()


def with_zero_group(stages):
    changed = [stage.copy() for stage in stages]
    changed[1][3:] = 255
    return changed


def test_sections_may_begin_anywhere(tiny_model, tiny_codec, tokens):
    """A header may have any number of calls in the first sections: readers take them all."""
    for first_calls in (1, 5, 12, 20, 24, 63):
        other = Tokens(replace(tokens.header, first_calls=first_calls), tokens.stages)
        data = tiny_model.write_tokens(other)
        assert all(isinstance(section, Section) for section in container.read(data).sections)
        assert tiny_model.read_tokens(data).sha256() == tokens.sha256()
