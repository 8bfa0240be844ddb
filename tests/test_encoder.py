"""Pictures that tokens cannot show: exact as a whole, or block by block, or with a word."""

import warnings

import numpy as np
import pytest
from drawn_screens import slide as drawn_slide
from exact.contents import make
from made_pictures import PHOTOGRAPH
from PIL import Image, ImageDraw

import imgcodec
from imgcodec import LossWarning
from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.codec import decode_picture, load_codec
from imgcodec.encoder import MANY_DRAWN, encode_picture
from imgcodec.exact.blocks import enlarged
from imgcodec.metrics.reference import psnr
from imgcodec.one_file import EncodeResult
from imgcodec.pictures.picture import Picture
from imgcodec.profiles.photo.choice import drawn
from imgcodec.rate_control import RateTarget


@pytest.fixture(scope="module")
def photo_codec():
    return load_codec("photo")


@pytest.fixture(scope="module")
def slide():
    """A photograph with two blocks of dithering in it."""
    pixels = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))[100:292, 200:456].copy()
    pixels[64:128, 64:192] = make("two values", (3, 64, 128), 255, 3).transpose(1, 2, 0)
    return pixels


@pytest.fixture(scope="module")
def of_slide(tiny_codec, slide) -> EncodeResult:
    return encode_picture(tiny_codec, Picture(slide), 50, verify=True)


def test_blocks_of_a_photograph_are_exact_and_the_rest_is_not(tiny_model, slide, of_slide):
    assert not of_slide.is_exact
    entries = container.read(of_slide.data).entries
    assert [entry.name for entry in entries if entry.name != "tokens"] == ["exact", "end"]
    back = np.asarray(tiny_model.decompress(of_slide.data))
    np.testing.assert_array_equal(back[64:128, 64:192], slide[64:128, 64:192])
    assert (back[:64] != slide[:64]).any()
    assert np.abs(back[:64].astype(int) - slide[:64]).mean() < 30
    for region in ((60, 60, 70, 20), (0, 0, 30, 30), (150, 100, 80, 50)):
        x, y, width, height = region
        part = np.asarray(tiny_model.decompress(of_slide.data, region=region)).astype(int)
        assert np.abs(part - back[y : y + height, x : x + width]).max() <= 1
    small = np.asarray(tiny_model.decompress(of_slide.data, thumbnail=32))
    means = slide[64:128, 64:192].reshape(8, 8, 16, 8, 3).mean((1, 3))
    assert np.abs(small[8:16, 8:24] - means).max() <= 1


def test_blocks_are_looked_at_without_the_rest_of_the_picture(tiny_codec, slide, of_slide, monkeypatch):
    monkeypatch.setattr("imgcodec.one_file.detokenize", None)
    assert encode_picture(tiny_codec, Picture(slide), 50).data == of_slide.data


def test_a_drawing_is_exact_where_that_is_hardly_larger(tiny_model):
    pixels = np.ascontiguousarray(make("checks", (3, 100, 90), 255, 3).astype(np.uint8).transpose(1, 2, 0))
    data = tiny_model.compress(pixels, quality=10)
    assert imgcodec.info(data).lossless
    np.testing.assert_array_equal(np.asarray(tiny_model.decompress(data)), pixels)
    assert imgcodec.info(tiny_model.compress(pixels, target_size=len(data))).lossless


def test_what_is_far_from_the_original_is_told(tiny_model, slide):
    with pytest.warns(LossWarning, match=r"^The picture: at this quality 17% of its area is far from the original\.$"):
        data = tiny_model.compress(slide, quality=50, exact=False)
    assert "exact" not in [section.name for section in imgcodec.info(data).sections]


def test_photographs_are_what_they_are_without_exact_blocks(tiny_model, slide):
    photograph = np.ascontiguousarray(slide[:64, :100])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tiny_model.compress(photograph, quality=40) == tiny_model.compress(photograph, quality=40, exact=False)


@pytest.fixture(scope="module")
def checks(slide):
    """The slide, with blocks that take few bytes."""
    pixels = slide.copy()
    pixels[64:128, 64:192] = make("checks", (3, 64, 128), 255, 3).transpose(1, 2, 0)
    return pixels


def test_blocks_are_exact_for_a_size_where_the_file_is_nearer(tiny_codec, checks):
    target = RateTarget("size", 500)
    plain, found = (encode_picture(tiny_codec, Picture(checks), target=target, exact=exact) for exact in (False, True))
    before, after = (container.read(each.data) for each in (plain, found))
    assert "exact" not in [entry.name for entry in before.entries]
    assert "exact" in [entry.name for entry in after.entries]
    assert len(found.data) <= 500
    one, other = (psnr(checks, decode_picture(tiny_codec, file).pixels) for file in (before, after))
    assert other > one + 6
    again = encode_picture(tiny_codec, Picture(checks), target=target, verify=True)
    assert again.data == found.data
    assert not again.notes


def test_blocks_that_no_size_has_room_for_are_left_to_tokens_and_told(tiny_codec, slide):
    target = RateTarget("size", 700)  # the blocks alone take more
    found = encode_picture(tiny_codec, Picture(slide), target=target)
    assert found.data == encode_picture(tiny_codec, Picture(slide), target=target, exact=False).data
    assert len(found.data) <= 700
    assert any("far from the original" in note for note in found.notes)


def test_a_likeness_that_tokens_do_not_reach_is_reached_with_exact_blocks(photo_codec, slide):
    codec, target = photo_codec, RateTarget("psnr", 30)
    with pytest.raises(CodecError, match="out of reach"):
        encode_picture(codec, Picture(slide), target=target, exact=False)
    found = encode_picture(codec, Picture(slide), target=target, verify=True)
    file = container.read(found.data)
    assert "exact" in [entry.name for entry in file.entries]
    assert found.reached == pytest.approx(psnr(slide, decode_picture(codec, file).pixels), abs=0.01)
    assert 30 <= found.reached <= 30.1


def test_for_the_same_likeness_the_smaller_file_is_taken(photo_codec, slide):
    """One block of dithering in a photograph that is mostly something else."""
    pixels = slide.copy()
    pixels[64:128, 128:192] = slide[:64, 128:192]
    codec, target = photo_codec, RateTarget("psnr", 20)
    files = [encode_picture(codec, Picture(pixels), target=target, exact=exact).data for exact in (False, True)]
    assert len(files[1]) <= len(files[0])


@pytest.fixture(scope="module")
def page():
    """Small text with a photograph in it."""
    return np.asarray(drawn_slide())


@pytest.fixture(scope="module")
def pages(photo_codec, page):
    """The files at quality 75, by whether blocks may be exact, and what they decode to."""
    found = [encode_picture(photo_codec, Picture(page), 75, exact=exact) for exact in (False, True)]
    return found, [decode_picture(photo_codec, container.read(each.data)).pixels for each in found]


def test_text_in_a_picture_is_exact_where_that_is_smaller(page, pages):
    (plain, found), (_, shown) = pages
    assert not found.is_exact
    assert len(found.data) < 0.65 * len(plain.data)
    is_drawn = enlarged(drawn(page), page.shape[:2])
    assert is_drawn.mean() > 0.7
    np.testing.assert_array_equal(shown[is_drawn], page[is_drawn])
    assert (shown != page).any()


def test_it_is_no_worse_beside_the_text(page, pages):
    beside = ~enlarged(drawn(page), page.shape[:2])
    errors = [np.square(shown[beside].astype(int) - page[beside]).mean() for shown in pages[1]]
    assert errors[1] < 1.05 * errors[0]


def test_text_is_left_to_tokens_where_they_take_fewer_bytes(photo_codec, page):
    paper = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(paper).text((20, 80), "a word", fill="black")
    pixels = np.concatenate([np.asarray(paper), page[100:300, 360:560]], axis=1)
    assert 0 < drawn(pixels).mean() < MANY_DRAWN
    files = [encode_picture(photo_codec, Picture(pixels), 0, exact=exact) for exact in (False, True)]
    assert files[0].data == files[1].data


@pytest.mark.parametrize(
    ("target", "share"),
    [
        pytest.param(RateTarget("ssimulacra2", 60), 0.65, marks=pytest.mark.slow),
        (RateTarget("psnr", 22), 0.8),
    ],
)
def test_a_target_takes_fewer_bytes_with_exact_text(photo_codec, page, target, share):
    """For 22 dB the text alone, at the lowest quality, is smaller than tokens, and nearer than was asked for."""
    plain, found = (encode_picture(photo_codec, Picture(page), target=target, exact=exact) for exact in (False, True))
    assert len(found.data) < share * len(plain.data)
    assert found.reached >= target.value
    if target.metric == "psnr":
        assert found.quality == 0


def test_a_target_that_tokens_do_not_reach_is_reached(photo_codec, page):
    target = RateTarget("psnr", 60)
    with pytest.raises(CodecError, match="out of reach"):
        encode_picture(photo_codec, Picture(page), target=target, exact=False)
    assert encode_picture(photo_codec, Picture(page), target=target).is_exact


def test_small_pictures_are_exact(tiny_model, slide):
    small = np.ascontiguousarray(slide[:63, :63])
    data = tiny_model.compress(small, quality=40)
    assert imgcodec.info(data).lossless
    assert not imgcodec.info(tiny_model.compress(small, quality=40, exact=False)).lossless
    assert not imgcodec.info(tiny_model.compress(slide[:64, :63].copy(), quality=40)).lossless
    assert not imgcodec.info(tiny_model.compress(small, target_size=110)).lossless


def test_damaged_blocks_cost_the_blocks_alone(tiny_model, of_slide):
    data = bytearray(of_slide.data)
    entry = next(entry for entry in container.read(of_slide.data).entries if entry.name == "exact")
    data[entry.offset + entry.size // 2] ^= 8
    with pytest.raises(InvalidFileError):
        tiny_model.decompress(bytes(data))
    found = tiny_model.recover(bytes(data))
    assert any("(exact)" in note for note in found.notes)
    whole = np.asarray(tiny_model.decompress(of_slide.data))
    shown = np.asarray(found.image)
    np.testing.assert_array_equal(shown[:64], whole[:64])
    assert (shown[64:128, 64:192] != whole[64:128, 64:192]).any()


def test_blocks_that_cannot_be_decoded_are_left_out_and_told(tiny_model, of_slide):
    file = container.read(of_slide.data)
    sections = [
        container.Section(s.type, s.stage, s.tile, s.data[:2] if s.type.name == "EXACT" else s.data)
        for s in file.sections
    ]
    data = container.write(file.header, sections)
    with pytest.raises(InvalidFileError, match="exact"):
        tiny_model.decompress(data)
    assert "section of the exact blocks of tile 0" in tiny_model.recover(data).left_out


def test_blocks_are_those_of_tiles_in_order(of_slide):
    file = container.read(of_slide.data)
    (blocks,) = (section for section in file.sections if section.type.name == "EXACT")
    for wrong in (
        [blocks, blocks],
        [container.Section(blocks.type, 0, 1, b"")],
        [container.Section(blocks.type, 1, 0, b"")],
    ):
        others = [section for section in file.sections if section is not blocks]
        with pytest.raises(imgcodec.UsageError, match="not where they belong"):
            container.write(file.header, [*others, *wrong])
