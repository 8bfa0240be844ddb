"""Exact files: every sample, of every kind of picture, and parts of them."""

import io
from dataclasses import replace

import numpy as np
import pytest
from exact.contents import CONTENTS, make
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import imgcodec
from imgcodec import codec as pipeline
from imgcodec import one_file
from imgcodec.bitstream import container
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import ColourMode, Profile
from imgcodec.pictures.picture import Picture
from imgcodec.profiles.exact.codec import CHANNELS, TILE_SIZE, ExactCodec
from imgcodec.tokens import Tokens

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


def draw_image(mode: str, width: int, height: int, content: str, seed: int) -> Image.Image:
    """A PIL image of a mode."""
    channels = {"1": 1, "L": 1, "LA": 2, "P": 3, "PA": 4, "RGB": 3, "RGBA": 4}[mode]
    samples = make(content, (channels, height, width), 255, seed).astype(np.uint8).transpose(1, 2, 0)
    image = Image.fromarray(np.ascontiguousarray(samples[..., 0] if channels == 1 else samples))
    if mode == "PA":
        image = image.convert("RGB").quantize(9).convert("PA")
    return image.convert(mode)


@given(st.sampled_from(MODES), st.integers(1, 70), st.integers(1, 70), st.sampled_from(CONTENTS), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_pictures_of_all_modes_come_back(mode, width, height, content, seed):
    image = draw_image(mode, width, height, content, seed)
    data = imgcodec.compress(image, lossless=True)
    again = imgcodec.decompress(data)
    kind = "RGBA" if image.has_transparency_data else "RGB"
    assert again.mode == {"1": "L", "L": "L", "LA": "LA", "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBA": "RGBA"}[mode]
    np.testing.assert_array_equal(np.asarray(again.convert(kind)), np.asarray(image.convert(kind)))
    found = imgcodec.info(data)
    assert (found.lossless, found.size, found.profile, found.quality) == (True, (width, height), "exact", None)
    assert found.mode == again.mode


def of_tiles(tile_size: int = 64, mode: ColourMode = ColourMode.RGB_ALPHA) -> tuple[bytes, np.ndarray]:
    """A file of 3 x 2 tiles, and its samples."""
    samples = make("smooth", (CHANNELS[mode], 100, 150), 255, 2).astype(np.uint8)
    header = replace(ExactCodec().header((150, 100), None, None, mode), tile_size=tile_size)
    return pipeline.write_tokens(ExactCodec(), Tokens(header, [samples])), samples


def test_tiles_are_decoded_on_their_own():
    data, samples = of_tiles()
    assert [entry.tile for entry in container.read(data).entries[:-1]] == list(range(6))
    whole = np.asarray(imgcodec.decompress(data))
    np.testing.assert_array_equal(whole.transpose(2, 0, 1), samples)
    for region in ((0, 0, 150, 100), (60, 60, 10, 10), (149, 99, 1, 1), (3, 70, 20, 5)):
        x, y, width, height = region
        part = np.asarray(imgcodec.decompress(data, region=region))
        np.testing.assert_array_equal(part, whole[y : y + height, x : x + width])
    assert imgcodec.decompress(data, thumbnail=30).size == (30, 20)


def test_a_damaged_tile_costs_no_other():
    data, samples = of_tiles()
    entry = container.read(data).entries[1]
    broken = bytearray(data)
    broken[entry.offset + entry.size // 2] ^= 1
    with pytest.raises(InvalidFileError, match="checksum"):
        imgcodec.decompress(bytes(broken))
    found = imgcodec.recover(bytes(broken))
    assert found.flat == (1,)
    assert "its tile 1 is lost and filled with gray" in found.notes
    shown = np.asarray(found.image).transpose(2, 0, 1)
    samples[:, :64, 64:128] = np.array([128, 128, 128, 255])[:, None, None]
    np.testing.assert_array_equal(shown, samples)


def test_a_file_that_is_cut_shows_the_tiles_before():
    data, samples = of_tiles()
    cut = imgcodec.recover(data[: container.read(data).entries[3].offset + 9])
    assert cut.is_cut
    assert cut.flat == (3, 4, 5)
    np.testing.assert_array_equal(np.asarray(cut.image).transpose(2, 0, 1)[:, :64], samples[:, :64])


def test_large_pictures_have_tiles():
    header = ExactCodec().header((TILE_SIZE + 1, 3), None, None)
    assert (header.tile_size, header.tile_count) == (TILE_SIZE, 2)
    assert ExactCodec().header((TILE_SIZE, TILE_SIZE), None, None).tile_size == 0


def test_metadata_are_kept_beside_the_samples():
    picture = Picture(
        make("smooth", (3, 9, 7), 255, 1).astype(np.uint8).transpose(1, 2, 0).copy(), np.full((9, 7), 3, np.uint8),
        exif=b"II*\0\x08\0\0\0\0\0\0\0\0\0", xmp=b"<x/>", density=(11811, 11811),
    )  # fmt: skip
    result = one_file.encode_exact(picture, verify=True)
    file = container.read(result.data)
    assert [entry.name for entry in file.entries] == ["tokens", "exif", "xmp", "density", "end"]
    again = pipeline.decode_picture(ExactCodec(), file)
    assert (again.exif, again.xmp, again.density) == (picture.exif, picture.xmp, picture.density)
    np.testing.assert_array_equal(again.alpha, picture.alpha)
    assert result.is_exact
    assert result.header.profile == Profile.EXACT


def test_what_a_lossless_file_does_not_take_is_refused():
    image = Image.new("RGB", (9, 9))
    for argument in ({"quality": 50}, {"target_size": 900}, {"tune": "psnr"}, {"effort": 2}):
        with pytest.raises(UsageError, match=r"^A lossless file"):
            imgcodec.compress(image, lossless=True, **argument)
    with pytest.raises(UsageError):
        pipeline.write_tokens(ExactCodec(), Tokens(ExactCodec().header((9, 9), None, None), [np.zeros((3, 9, 8), int)]))
    with pytest.raises(UsageError, match="no prior"):
        _ = ExactCodec().prior


def test_samples_are_tokens():
    image = draw_image("RGBA", 20, 10, "noise", 1)
    data = imgcodec.compress(image, lossless=True)
    tokens = imgcodec.read_tokens(data)
    np.testing.assert_array_equal(tokens.stages[0].transpose(1, 2, 0), np.asarray(image))
    assert imgcodec.write_tokens(tokens) == data


def test_pillow_saves_and_opens_lossless_files(tmp_path):
    import imgcodec.pillow  # noqa: F401

    image = draw_image("LA", 20, 10, "noise", 1)
    image.save(tmp_path / "a.nic", lossless=True)
    with Image.open(tmp_path / "a.nic") as opened:
        assert opened.mode == "LA"
        np.testing.assert_array_equal(np.asarray(opened), np.asarray(image))
    buffer = io.BytesIO()
    image.save(buffer, "NIC", lossless=True)
    assert buffer.getvalue() == (tmp_path / "a.nic").read_bytes()
