"""What each format that is written can hold: kept, or said."""

import io

import pytest
from made_pictures import SRGB, XMP, colours, exif_of
from PIL import Image

from imgcodec.pictures import carried
from imgcodec.pictures import io as image
from imgcodec.pictures.exif import PREFIX, of_density
from imgcodec.pictures.picture import Picture


def block_with_thumbnail() -> bytes:
    """A block whose first directory is followed by another one."""
    block = bytearray(exif_of(1))
    block[8 + 2 + 36 : 8 + 2 + 40] = len(block).to_bytes(4, "little")
    return bytes(block) + b"\1\0" + b"\1\2\4\0\1\0\0\0\0\0\0\0" + bytes(4)


@pytest.mark.parametrize(
    ("picture", "format", "notes"),
    [
        (Picture(colours(), icc=SRGB, exif=exif_of(1), xmp=XMP), "PNG", []),
        (Picture(colours(), icc=SRGB), "PPM", ["PPM has no metadata, which were left out"]),
        (
            Picture(colours(), gray=True, icc=SRGB),
            "WEBP",
            ["WebP has no gray pictures, and its gray ICC profile was left out"],
        ),
        (
            Picture(colours(), exif=exif_of(1), density=(9, 9)),
            "WEBP",
            ["WebP has no place for its density, which was left out"],
        ),
        (
            Picture(colours(), exif=exif_of(1) + bytes(70000)),
            "JPEG",
            ["its EXIF is too long for a JPEG and was left out"],
        ),
        (Picture(colours(), density=(1, 1)), "JPEG", ["JPEG cannot state its density, which was left out"]),
    ],
)
def test_what_a_format_cannot_hold_is_said(picture: Picture, format: str, notes: list[str]) -> None:
    assert carried.options(picture, format)[1] == notes


@pytest.mark.parametrize(
    ("exif", "note"),
    [
        (exif_of(1), None),
        (block_with_thumbnail(), "TIFF has no place for the thumbnail of its EXIF, which was left out"),
        (exif_of(1)[:52], "its EXIF is damaged, and what cannot be read of it was left out"),
    ],
)
def test_what_a_tiff_cannot_hold_is_said(exif: bytes, note: str | None) -> None:
    data, notes = image.encode(Picture(colours(), exif=exif, xmp=XMP), "TIFF")
    assert notes == ([note] if note else [])
    picture = image.load(data)
    assert (picture.xmp, picture.notes) == (XMP, [])
    assert picture.pixels.tolist() == colours().tolist()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_has_the_byte_order_and_the_fields_of_the_block_and_is_compressed(order: str) -> None:
    picture = Picture(
        colours(500, 400) // 64, colours(500, 400)[..., 0] // 64, SRGB, exif_of(1, order), XMP, density=(11811, 5906)
    )
    data, notes = image.encode(picture, "TIFF")
    assert (data[:2], notes) == (exif_of(1, order)[:2], [])
    assert len(data) < 100_000
    again = image.load(data)
    for name in ("icc", "xmp", "density"):
        assert getattr(again, name) == getattr(picture, name)
    assert again.pixels.tolist() == picture.pixels.tolist()
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.getexif()[0x010F] == "Maker"


def test_the_density_of_the_block_is_the_same_number_in_a_tiff() -> None:
    exif = of_density((11811, 5906)).removeprefix(PREFIX)
    data, _ = image.encode(Picture(colours(), exif=exif, density=(11811, 5906)), "TIFF")
    assert image.load(data).density == (11811, 5906)
    data, _ = image.encode(Picture(colours(), exif=exif, density=(2835, 2835)), "TIFF")
    assert image.load(data).density == (2835, 2835)
