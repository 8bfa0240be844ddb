"""What a .nic file keeps of a picture besides its tokens, there and back."""

from dataclasses import replace

import numpy as np
import pytest
from made_pictures import SRGB, XMP, colours, exif_of
from PIL import Image

from imgcodec.bitstream import container
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import ColourMode, Header, Profile, Tune
from imgcodec.bitstream.sections import PICTURE_SECTIONS, Section, SectionType
from imgcodec.pictures.exif import of_density
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.pil_images import to_pil
from imgcodec.pictures.sections import apply_sections, colour_mode, keeps, picture_sections, strip

FULL = Picture(colours(), colours()[..., 1], SRGB, exif_of(1), XMP, density=(11811, 5906), features=b"8 bytes.")


def container_of(picture: Picture) -> container.Container:
    """The container of a file that holds no tokens."""
    header = Header(
        width=picture.width, height=picture.height, colour_mode=colour_mode(picture), bit_depth=8,
        profile=Profile.PHOTO, tune=Tune.PSNR, quality=0, tile_size=0, stage_count=0, codebook_id=bytes(8),
    )  # fmt: skip
    return container.read(container.write(header, picture_sections(picture)))


def test_all_fields_survive_a_file() -> None:
    picture = Picture(colours(), colours()[..., 1], SRGB, exif_of(1), XMP, density=(11811, 5906))
    again = apply_sections(colours(), container_of(picture))
    assert again.density == (11811, 5906)
    assert np.array_equal(again.alpha, picture.alpha)
    assert (again.icc, again.exif, again.xmp, again.gray) == (SRGB, exif_of(1), XMP, False)
    assert np.array_equal(again.pixels, colours())


def test_a_plain_picture_has_no_sections() -> None:
    assert picture_sections(Picture(colours())) == []
    assert container_of(Picture(colours(), gray=True)).header.colour_mode == ColourMode.GRAY


def test_a_density_that_exif_states_has_no_section() -> None:
    exif = of_density((2835, 2835))
    for density, sections in (((2835, 2835), 1), ((2834, 2835), 2)):
        picture = Picture(colours(), exif=exif, density=density)
        assert len(picture_sections(picture)) == sections
        assert apply_sections(colours(), container_of(picture)).density == density


def test_a_gray_picture_is_gray_when_it_is_read() -> None:
    again = apply_sections(colours(), container_of(Picture(colours(), gray=True)))
    assert again.gray
    assert np.array_equal(again.pixels, np.repeat(again.pixels[..., :1], 3, axis=2))
    luma = np.asarray(Image.fromarray(colours()).convert("L")).astype(int)
    assert np.abs(again.pixels[..., 0] - luma).max() <= 1
    assert to_pil(again).mode == "L"


def test_all_gray_levels_survive() -> None:
    pixels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    again = apply_sections(pixels, container_of(Picture(pixels, gray=True)))
    assert np.array_equal(again.pixels, pixels)


def test_alpha_of_another_size_is_refused() -> None:
    small, large = Picture(colours(), colours()[..., 1]), Picture(colours(20, 11))
    file = container_of(large)
    sections = (*file.sections, *picture_sections(small))
    wrong = container.Container(file.header, sections, file.header_size, file.entries)
    with pytest.raises(InvalidFileError, match="alpha"):
        apply_sections(large.pixels, wrong)


def test_damaged_sections_are_refused() -> None:
    file = container_of(Picture(colours()))
    for kind in (SectionType.ALPHA, SectionType.ICC, SectionType.EXIF):
        sections = (Section(kind, 0, 0, b"garbage"),)
        wrong = container.Container(file.header, sections, file.header_size, file.entries)
        with pytest.raises(InvalidFileError):
            apply_sections(colours(), wrong)


# Whether all is kept


def without(file: container.Container, kind: SectionType) -> container.Container:
    return replace(file, sections=tuple(section for section in file.sections if section.type != kind))


def test_keeps_is_true_of_the_picture_itself() -> None:
    assert keeps(container_of(FULL), FULL)
    assert keeps(container_of(Picture(colours())), Picture(colours(), icc=b"", exif=b"", xmp=b""))


@pytest.mark.parametrize("kind", PICTURE_SECTIONS)
def test_keeps_notices_a_lost_added_or_changed_section(kind: SectionType) -> None:
    file, field = container_of(FULL), PICTURE_SECTIONS[kind].field
    assert not keeps(without(file, kind), FULL)
    assert not keeps(file, replace(FULL, **{field: None}))
    value = getattr(FULL, field)
    other = {"alpha": lambda: 255 - value, "density": lambda: value[::-1]}.get(field, lambda: value + b"\0")()
    packed = Section(kind, 0, 0, PICTURE_SECTIONS[kind].pack(other))
    changed = tuple(packed if section.type == kind else section for section in file.sections)
    assert not keeps(replace(file, sections=changed), FULL)


def test_strip_keeps_alpha_and_icc() -> None:
    bare = strip(FULL)
    left = {row.field for row in PICTURE_SECTIONS.values() if getattr(bare, row.field) is not None}
    assert left == {"alpha", "icc"}
