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


def losses(data: bytes) -> str:
    return " ".join(image.load(data).notes)


@pytest.mark.parametrize(
    "picture", [b"P4 9 2\nabcd", b"P5 3 1 255\nabc", b"P5 3 1 65535\nabcdef", b"P6 2 1 255\nabcdef"]
)
def test_a_second_picture_and_bytes_behind_the_first_are_said(picture: bytes) -> None:
    assert PICTURES not in losses(picture)
    assert "behind" not in losses(picture) + losses(picture + b"\n\0\0")
    assert PICTURES in losses(picture + picture)
    assert PICTURES in losses(picture + b"\nP5 1 1 255\na")
    assert BEHIND in losses(picture + b"secret")


@pytest.mark.parametrize(
    "picture", [b"P2 2 1 255 7 8", b"P3 1 2 255 1 2 3 #9 9\n4 5 6", b"P1 3 2 101 010", b"P1 1 2 1#1\n0"]
)
def test_what_is_behind_pixels_as_text_is_said(picture: bytes) -> None:
    assert "behind" not in losses(picture) + losses(picture + b"\n")
    assert "data behind the picture" in losses(picture + b"\n10")
    if picture[1:2] != b"1":  # where a letter is damage
        assert PICTURES in losses(picture + b"\nP2 1 1 255 0")


def test_what_is_behind_a_qoi_is_said() -> None:
    qoi = b"qoif" + bytes([0, 0, 0, 1, 0, 0, 0, 1, 3, 0, 0xFE, 1, 2, 3]) + bytes(7) + b"\1"
    assert image.load(qoi).notes == []
    assert image.load(qoi + b"secret").notes == [BEHIND]
