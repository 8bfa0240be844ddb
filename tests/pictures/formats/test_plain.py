"""PPM and its relatives: comments."""

import pytest

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
