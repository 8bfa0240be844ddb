"""Every bit depth, photometric interpretation, byte order and kind of alpha that is read: the samples are right."""

import io

import numpy as np
import pytest
from generated_pictures import all_cases
from generated_pictures.case import Case, samples
from generated_pictures.tiff import tiff, tiff_case
from PIL import Image, UnidentifiedImageError

from imgcodec.pictures import io as pictures
from imgcodec.pictures.picture import Picture

CASES = all_cases()


def pillow_opens(case: Case) -> bool:
    try:
        Image.open(io.BytesIO(case.data))
    except UnidentifiedImageError:
        return False
    return True


OPENED = [case for case in CASES if pillow_opens(case)]


def assert_shows(picture: Picture, case: Case) -> None:
    assert np.abs(picture.pixels.astype(int) - case.pixels).max() <= case.tolerance
    assert (picture.alpha is None) == (case.alpha is None)
    if case.alpha is not None:
        assert np.array_equal(picture.alpha, case.alpha)  # type: ignore[arg-type]
    assert (picture.gray, picture.bit_depth) == (case.gray, case.bits)
    assert ([note for note in picture.notes if "reduced" in note] != []) == (case.bits > 8)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_samples_of_a_file(case: Case) -> None:
    assert_shows(pictures.load(case.data), case)


@pytest.mark.parametrize("case", OPENED, ids=[case.name for case in OPENED])
def test_samples_of_an_image_that_pillow_has_opened(case: Case) -> None:
    assert_shows(pictures.load(Image.open(io.BytesIO(case.data))), case)


def test_the_table_has_every_kind() -> None:
    names = {case.name for case in CASES}
    assert len(names) == len(CASES) >= 280
    for kind in ("png-0-4-key", "png-2-16-key", "png-4-16", "tiff-white-is-zero-16-MM", "tiff-black-is-zero-12-II"):
        assert kind in names


def test_a_frame_that_was_chosen_is_not_the_first_of_the_file() -> None:
    frames = [Image.fromarray(np.full((4, 4), value, np.uint16)) for value in (0, 65535)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    image = Image.open(io.BytesIO(buffer.getvalue()))
    image.seek(1)
    assert pictures.load(image).pixels.min() == 255


def test_channels_that_are_no_colours_are_left_out_with_a_note() -> None:
    note = "1 of its channels are neither colours nor alpha and were left out"
    for bits in (8, 16):
        assert note in pictures.load(tiff_case("", bits, 2, "<", (0,)).data).notes
        assert note not in pictures.load(tiff_case("", bits, 2, "<", (2,)).data).notes


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("said_by", ["tag", "XMP"])
def test_wide_tiffs_are_turned_like_those_that_pillow_turns(turn: int, said_by: str) -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>   ' % turn
    tags = {274: (3, (turn,))} if said_by == "tag" else {700: (1, tuple(xmp))}
    narrow, wide = (
        pictures.load(tiff(samples(8, 3) * factor, bits, 2, tags=tags)) for bits, factor in ((8, 1), (16, 257))
    )
    assert np.array_equal(narrow.pixels, wide.pixels)
    assert (narrow.width > narrow.height) == (turn < 5)
