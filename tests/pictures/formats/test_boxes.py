"""Boxes: those that are whole, however their lengths are written."""

from hypothesis import given
from hypothesis import strategies as st

from imgcodec.pictures.formats.boxes import boxes, name


def box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def test_boxes_follow_each_other() -> None:
    long = (1).to_bytes(4, "big") + b"long" + (16 + 3).to_bytes(8, "big") + b"abc"
    open_end = bytes(4) + b"last" + b"rest"
    found = [(kind, bytes(body)) for kind, body in boxes(box(b"free", b"12") + long + open_end)]
    assert found == [(b"free", b"12"), (b"long", b"abc"), (b"last", b"rest")]
    assert name(b"jP  ") == "jP"


def test_a_box_that_is_cut_ends_the_list() -> None:
    whole = box(b"free", b"12")
    for cut in (box(b"mdat", b"1234")[:-1], b"\0\0\0\7abcd", b"\0\0\0", b"\0\0\0\1abcd\0\0\0\0\0\0\0\1"):
        assert [kind for kind, _ in boxes(whole + cut)] == [b"free"]


@given(st.binary(max_size=100))
def test_any_bytes_end(data: bytes) -> None:
    assert sum(len(body) for _, body in boxes(data)) <= len(data)
