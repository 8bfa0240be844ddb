"""One file of a picture: what it shows, what is said of it, and that it is read back."""

from dataclasses import replace

import numpy as np
import pytest
from made_pictures import PHOTOGRAPH
from PIL import Image

from imgcodec import one_file
from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError
from imgcodec.codec import decode_picture
from imgcodec.one_file import Settings, encode_exact, encode_tokens, exact_blocks
from imgcodec.pictures.picture import Picture
from imgcodec.rate_control import target_of

HOW = Settings(quality=50.0, target=None, tune=None, effort=1, verify=False, exact=True)


@pytest.fixture(scope="module")
def picture() -> Picture:
    return Picture(np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))[100:228, 200:392].copy())


@pytest.fixture(scope="module")
def chosen() -> np.ndarray:
    return np.array([[False, True, False], [False, False, False]])


def test_what_it_shows_is_what_it_decodes_to(tiny_codec, picture, chosen) -> None:
    blocks = exact_blocks(tiny_codec, picture, HOW, chosen)
    mixed = encode_tokens(tiny_codec, picture, HOW, ~chosen, blocks)
    decoded = decode_picture(tiny_codec, container.read(mixed.found.data)).pixels
    assert np.abs(mixed.shown.astype(int) - decoded).max() <= 1
    np.testing.assert_array_equal(decoded[:64, 64:128], picture.pixels[:64, 64:128])
    assert mixed.size == len(mixed.found.data)
    assert 0 < mixed.token_bytes < mixed.size - blocks.size


def test_only_blocks_that_may_be_drawn_are_looked_at_unless_it_is_verified(tiny_codec, picture, chosen) -> None:
    """The tiny model shows hardly anything, so that every block with an edge in it is lost."""
    mixed = encode_tokens(tiny_codec, picture, replace(HOW, quality=90.0), chosen)
    assert not (mixed.lost & ~chosen).any()
    few, all_of_it = (mixed.told(verified).notes[-1:] for verified in (False, True))
    assert all_of_it != few
    blocks = exact_blocks(tiny_codec, picture, HOW, chosen)
    without = encode_tokens(tiny_codec, picture, replace(HOW, quality=90.0), chosen, blocks)
    assert not without.left.any()
    assert without.told(verified=False).notes == without.found.notes


def test_a_smear_of_text_is_told_though_it_is_not_far(tiny_codec) -> None:
    pixels = np.full((64, 64, 3), 255, np.uint8)
    pixels[::16] = 70
    every = np.ones((1, 1), bool)
    mixed = encode_tokens(tiny_codec, Picture(pixels), replace(HOW, quality=0.0), every)
    mixed.__dict__["left_shown"] = np.full_like(pixels, round(pixels.mean()))
    assert not mixed.lost.any()
    assert mixed.told(verified=False).notes == ("at this quality 100% of its area is far from the original",)


def test_a_target_is_met_with_given_blocks(tiny_codec, picture, chosen) -> None:
    blocks = exact_blocks(tiny_codec, picture, HOW, chosen)
    least = encode_tokens(tiny_codec, picture, replace(HOW, quality=0.0), chosen, blocks).size
    target = target_of(None, least + 200, None, None, None)
    mixed = encode_tokens(tiny_codec, picture, replace(HOW, quality=None, target=target), chosen, blocks)
    assert least <= mixed.size <= least + 200
    assert mixed.found.reached == mixed.size


@pytest.mark.parametrize("lossless", [False, True])
def test_a_file_that_is_not_what_was_put_into_it_is_thrown_away(tiny_codec, picture, monkeypatch, lossless) -> None:
    def make() -> None:
        if lossless:
            encode_exact(picture, verify=True)
        else:
            encode_tokens(tiny_codec, picture, replace(HOW, verify=True), None)

    make()
    read = one_file.read_tokens

    def wrong(*arguments):
        tokens = read(*arguments)
        return replace(tokens, stages=[stage + (stage == stage.max()) for stage in tokens.stages])

    monkeypatch.setattr(one_file, "read_tokens", wrong)
    with pytest.raises(CodecError, match="thrown away"):
        make()
