"""Parts of pictures: what metadata and alpha become."""

import numpy as np
import pytest
from part_files import made_pixels
from small_file import HEADER

from imgcodec.bitstream.container import Container
from imgcodec.bitstream.header import Rectangle
from imgcodec.bitstream.payload import pack_alpha
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.pictures import exif
from imgcodec.pictures.parts import picture_of_region, reduced_picture, resized
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.sections import picture_sections

ALPHA = made_pixels(HEADER.width, HEADER.height)[..., 0]
EXIF = exif.of_density((11811, 11811))


def container_of(*more: Section) -> Container:
    picture = Picture(made_pixels(HEADER.width, HEADER.height), exif=EXIF, icc=b"profile")
    return Container(HEADER, (*picture_sections(picture), *more), 31, ())


def test_alpha_of_a_region_is_cut_out():
    file = container_of(Section(SectionType.ALPHA, 0, 0, pack_alpha(ALPHA)))
    found = picture_of_region(made_pixels(20, 30), file, Rectangle(70, 110, 20, 30))
    assert np.array_equal(found.alpha, ALPHA[110:140, 70:90])
    assert (found.icc, found.density) == (b"profile", (11811, 11811))
    assert picture_of_region(made_pixels(20, 30), container_of(), Rectangle(70, 110, 20, 30)).alpha is None


def test_alpha_is_reduced_with_the_pixels():
    file = container_of(Section(SectionType.ALPHA, 0, 0, pack_alpha(ALPHA)))
    found = reduced_picture(made_pixels(38, 25), file, 8)
    assert found.alpha.shape == (25, 38)
    assert abs(float(found.alpha[3, 4]) - ALPHA[24:32, 32:40].mean()) <= 0.5


@pytest.mark.parametrize("alpha", [None, ALPHA])
def test_another_size_keeps_profile_and_alpha_alone(alpha):
    picture = Picture(made_pixels(300, 200), alpha, icc=b"profile", exif=EXIF, density=(3, 3), gray=True)
    small = resized(picture, (30, 20), (300, 200))
    assert (small.width, small.height, small.icc, small.gray) == (30, 20, b"profile", True)
    assert (small.exif, small.density) == (None, None)
    assert (small.alpha is None) == (alpha is None)
    same = resized(picture, (300, 200), (300, 200))
    assert np.array_equal(same.pixels, picture.pixels)


def test_what_is_transparent_gives_no_colour():
    pixels, alpha = np.zeros((8, 8, 3), np.uint8), np.full((8, 8), 255, np.uint8)
    pixels[:, 4:], alpha[:, 4:] = 255, 0
    assert resized(Picture(pixels, alpha), (1, 1), (8, 8)).pixels.max() <= 2


@pytest.mark.parametrize("covered", [32.0, 30.5, 25.0])
def test_what_is_shown_ends_where_it_is_covered(covered):
    ramp = np.repeat(np.arange(32, dtype=np.uint8)[None, :, None] * 7, 32, 0).repeat(3, 2)
    small = resized(Picture(ramp), (2, 2), (covered, 32.0)).pixels[0, :, 0].astype(float)
    assert small.mean() == pytest.approx(7 * (covered / 2 - 0.5), abs=4)
    assert np.diff(small) == pytest.approx(7 * covered / 2, rel=0.1)
