"""PPM and QOI: comments, and colours that are linear."""

import pytest
from made_pictures import colours, file_of
from PIL import Image

from imgcodec.pictures import io as image


@pytest.mark.parametrize(
    ("head", "notes"),
    [
        (b"P6 2 1 255\n", []),
        (b"P6\n# made by hand\n2 1\n255\n", ["its comment was left out"]),
        (b"P6 2 1 #c\n255\n", ["its comment was left out"]),
    ],
)
def test_comments_of_a_ppm_are_said(head: bytes, notes: list[str]) -> None:
    assert image.load(head + b"##b##c").notes == notes


def test_linear_colours_of_a_qoi_are_said() -> None:
    qoi = file_of(Image.fromarray(colours()), "QOI")
    for colour_space, notes in (
        (0, []),
        (1, ["its colours are not sRGB, but are taken as such, for it has no ICC profile"]),
    ):
        assert image.load(qoi[:13] + bytes([colour_space]) + qoi[14:]).notes == notes
