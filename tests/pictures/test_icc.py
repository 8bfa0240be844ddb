"""ICC profiles: whole or not, and the segments of a JPEG."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import SRGB, colours, file_of
from PIL import Image

from imgcodec.pictures import icc
from imgcodec.pictures import io as image

HALF = len(SRGB) // 2


def segment(number: int, count: int, part: bytes) -> bytes:
    return icc.JPEG_SIGNATURE + bytes([number, count]) + part


def jpeg_with(*segments: bytes) -> bytes:
    """A JPEG with segments APP2."""
    data = b"".join(b"\xff\xe2" + struct.pack(">H", 2 + len(body)) + body for body in segments)
    return file_of(Image.fromarray(colours()), "JPEG", extra=data)


@pytest.mark.parametrize(
    ("profile", "fault"),
    [
        (SRGB, None),
        (SRGB + bytes(3), None),
        (SRGB[:-1], icc.NOT_WHOLE),
        (SRGB[:300], icc.NOT_WHOLE),
        (SRGB[:20], icc.NOT_WHOLE),
        (SRGB[:36] + b"pcsa" + SRGB[40:], icc.DAMAGED),
        (SRGB[:128] + b"\xff\0\0\0" + SRGB[132:], icc.DAMAGED),
        (SRGB[:136] + struct.pack(">I", len(SRGB)) + SRGB[140:], icc.DAMAGED),
    ],
)
def test_a_profile_that_is_cut_or_none_is_left_out_with_a_note(profile: bytes, fault: str | None) -> None:
    assert icc.fault(profile) == fault
    for format in ("JPEG", "WEBP", "PNG", "TIFF"):
        picture = image.load(file_of(Image.fromarray(colours()), format, icc_profile=profile))
        assert picture.icc == (None if fault else profile), format
        assert picture.notes == ([fault] if fault else []), format


ONE, TWO = segment(1, 2, SRGB[:HALF]), segment(2, 2, SRGB[HALF:])


@pytest.mark.parametrize(
    "segments",
    [
        (ONE, TWO),
        (TWO, ONE),
        (ONE, ONE, TWO),
        (ONE, TWO, TWO, ONE),
        (segment(1, 3, SRGB[:HALF]), segment(2, 3, SRGB[HALF:])),
        (segment(1, 1, SRGB[:HALF]), segment(2, 1, SRGB[HALF:])),
        (segment(0, 2, SRGB[:HALF]), segment(1, 2, SRGB[HALF:])),
        (segment(1, 0, SRGB),),
        (segment(1, 1, SRGB), segment(1, 1, SRGB)),
    ],
    ids=["whole", "order", "doubled", "all doubled", "count high", "count low", "from 0", "count 0", "twice"],
)
def test_a_profile_whose_segments_are_all_there_is_kept(segments: tuple[bytes, ...]) -> None:
    picture = image.load(jpeg_with(*segments))
    assert (picture.icc, picture.notes) == (SRGB, [])


@pytest.mark.parametrize(
    "segments",
    [(ONE,), (TWO,), (segment(1, 3, SRGB[:HALF]), segment(3, 3, SRGB[HALF:])), (ONE, segment(1, 2, SRGB[HALF:]), TWO)],
    ids=["first", "last", "gap", "two of one number"],
)
def test_a_profile_with_missing_segments_is_left_out_with_a_note(segments: tuple[bytes, ...]) -> None:
    picture = image.load(jpeg_with(*segments))
    assert (picture.icc, picture.notes) == (None, [icc.NOT_WHOLE])


@given(st.lists(st.binary(max_size=60)), st.binary(max_size=200))
def test_any_bytes_have_no_profile_or_one_fault(parts: list[bytes], profile: bytes) -> None:
    joined, note = icc.joined([icc.JPEG_SIGNATURE + part for part in parts])
    assert joined is None or note is None
    assert icc.fault(profile) in (None, icc.NOT_WHOLE, icc.DAMAGED)
    assert icc.fault(SRGB[:128] + profile) in (icc.NOT_WHOLE, icc.DAMAGED, None)
