"""`Image.info` with anything in it: never a refusal, never a silent loss, and the caller's image stays as it is."""

import io
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from made_pictures import SRGB, XMP, colours, exif_of, file_of, png_chunk, with_chunk
from PIL import Image, ImageCms

from imgcodec.pictures import exif, pil_info
from imgcodec.pictures import io as pictures

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "YCbCr")
NAMES = (
    "transparency", "icc_profile", "exif", "xmp", "dpi", "comment", "photoshop", "gamma", "chromaticity", "srgb",
    "jfif_unit", "jfif_density", "XML:com.adobe.xmp", "Raw profile type exif", "background", 7, ("a", 1),
)  # fmt: skip


class Hostile:
    """Whatever is asked of it, it raises."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __bool__(self) -> bool:
        raise RuntimeError("bool")

    def __hash__(self) -> int:
        raise RuntimeError("hash")

    def __str__(self) -> str:
        raise RuntimeError("str")

    __repr__ = __str__


VALUES = (
    None, 0, 5, -1, 2**40, 5.5, float("nan"), float("inf"), True, "text", "", b"", b"bytes", bytearray(b"x"),
    memoryview(b"x"), (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [1, 2, 3], (1.5, "a"), {}, {"a": 1}, {1}, Ellipsis,
    object(), Hostile(), np.int64(3), np.float32(3), np.arange(3), np.zeros((2, 2)), Fraction(1, 3), Image.Exif(), int,
)  # fmt: skip


def image_of(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(colours()[..., 0].astype(np.uint16))
    return Image.fromarray(colours()).convert("L" if mode == "LA" else "RGB").convert(mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NAMES, ids=str)
def test_no_value_stops_a_picture_or_is_changed(mode: str, name: object) -> None:
    image = image_of(mode)
    plain = pictures.load(image)
    for value in VALUES:
        image.info = {name: value}
        picture = pictures.load(image)
        assert np.array_equal(picture.pixels, plain.pixels)
        assert image.info[name] is value


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("transparency", "colour key"),
        ("icc_profile", "ICC profile"),
        ("exif", "EXIF"),
        ("xmp", "XMP"),
        ("dpi", "density"),
        ("photoshop", "Photoshop block"),
    ],
)
@pytest.mark.parametrize(
    "value", [object(), Hostile(), {1, 2}, 5.5, ("a", "b", "c", "d")], ids=lambda x: type(x).__name__
)
def test_what_cannot_be_understood_gets_a_word(name: str, words: str, value: object) -> None:
    image = Image.fromarray(colours())
    image.info[name] = value
    assert pictures.load(image).notes == [f"its {words} has an unknown form and was left out"]


class TestConverted:
    @pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
    def test_bytes_of_any_type(self, wrap: Any) -> None:
        image = Image.fromarray(colours())
        image.info |= {"icc_profile": wrap(SRGB), "exif": wrap(exif_of(1)), "xmp": wrap(XMP)}
        picture = pictures.load(image)
        assert (picture.icc, picture.exif, picture.xmp, picture.notes) == (SRGB, exif_of(1), XMP, [])

    def test_objects_of_pillow(self) -> None:
        image, exif = Image.fromarray(colours()), Image.Exif()
        exif[0x010F] = "Maker"
        image.info |= {"icc_profile": ImageCms.ImageCmsProfile(io.BytesIO(SRGB)), "exif": exif, "xmp": XMP.decode()}
        picture = pictures.load(image)
        assert picture.icc is not None
        assert picture.exif is not None
        assert b"Maker" in picture.exif
        assert (picture.xmp, picture.notes) == (XMP, [])

    @pytest.mark.parametrize("dpi", [(300, 300), [300.0, 300], np.array([300, 300]), (Fraction(600, 2), np.int16(300))])
    def test_numbers_of_any_type(self, dpi: object) -> None:
        image = Image.fromarray(colours())
        image.info["dpi"] = dpi
        picture = pictures.load(image)
        assert (picture.density, picture.notes) == ((11811, 11811), [])

    @pytest.mark.parametrize(
        ("mode", "key", "transparent"),
        [
            ("RGB", [13, 23, 14], [(1, 1)]),
            ("RGB", np.array([13, 23, 14]), [(1, 1)]),
            ("L", np.uint8(0), [(0, 0)]),
            ("I;16", np.int64(13), [(y, 1) for y in range(11)]),
        ],
        ids=str,
    )
    def test_colour_keys(self, mode: str, key: object, transparent: list[tuple[int, int]]) -> None:
        image = image_of(mode)
        image.info["transparency"] = key
        picture = pictures.load(image)
        assert picture.alpha is not None
        assert [tuple(place) for place in np.argwhere(picture.alpha == 0)] == transparent

    def test_opacities_of_a_palette(self) -> None:
        image = image_of("P")
        for opacities in (bytes(range(256)), bytearray(range(256)), memoryview(bytes(range(256)))):
            image.info["transparency"] = opacities
            picture = pictures.load(image)
            assert np.array_equal(picture.alpha, np.asarray(image))  # type: ignore[arg-type]

    def test_a_key_beside_an_alpha_channel_is_superseded(self) -> None:
        image = image_of("RGBA")
        image.info["transparency"] = (0, 0, 0)
        picture = pictures.load(image)
        assert picture.alpha is not None
        assert picture.alpha.min() == 255
        assert picture.notes == []


@pytest.mark.parametrize(
    "keyword", ["transparency", "icc_profile", "exif", "xmp", "dpi", "photoshop", "gamma", "jfif_unit"]
)
def test_text_of_a_png_under_the_names_of_other_things(keyword: str) -> None:
    data = with_chunk(file_of(Image.fromarray(colours())), png_chunk(b"tEXt", keyword.encode() + b"\0some text"))
    picture = pictures.load(data)
    assert np.array_equal(picture.pixels, colours())
    assert picture.alpha is None
    assert any("left out" in note for note in picture.notes)


def test_entries_of_metadata_that_are_there() -> None:
    block = exif.of_density((11811, 11811))
    assert pil_info.made() == {}
    assert pil_info.made(icc=b"profile", xmp=b"packet") == {"icc_profile": b"profile", "xmp": b"packet"}
    assert pil_info.made(exif=block) == {"exif": b"Exif\0\0" + block, "dpi": (300.0, 300.0)}
    assert pil_info.made(exif=block, density=(3937, 3937))["dpi"] == (100.0, 100.0)
