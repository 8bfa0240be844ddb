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


PICTURES, BEHIND = "only the first of its pictures is kept", "its data behind the picture was left out"
PAM = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\nabcdef"


@pytest.mark.parametrize(
    "picture",
    [
        b"P1 3 2 101 010",
        b"P1 3 2 1010#1\n10",
        b"P2 2 1 255 7 8",
        b"P3 1 2 255 1 2 3 #9 9\n4 5 6",
        b"P4 9 2\nabcd",
        b"P5 3 1 255\nabc",
        b"P5 3 1 65535\nabcdef",
        b"P6 2 1 255\nabcdef",
        PAM,
    ],
)
def test_what_is_behind_the_pixels_is_said(picture: bytes) -> None:
    def notes(rest: bytes) -> list[str]:
        return [note for note in image.load(picture + rest).notes if note in (PICTURES, BEHIND)]

    assert notes(b"") == notes(b"\n\0\0") == []
    assert notes(b"\nP5 1 1 255\na") == [PICTURES]
    if picture[:2] != b"P1":  # which may go on with digits
        assert notes(b" 77") == [BEHIND]
    if picture[1:2] in b"4567":
        assert notes(picture) == [PICTURES]


def test_what_is_behind_a_qoi_is_said() -> None:
    qoi = b"qoif" + bytes([0, 0, 0, 1, 0, 0, 0, 1, 3, 0, 0xFE, 1, 2, 3]) + bytes(7) + b"\1"
    assert image.load(qoi).notes == []
    assert image.load(qoi + b"secret").notes == [BEHIND]
