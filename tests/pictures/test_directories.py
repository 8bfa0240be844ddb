"""Directories of EXIF and TIFF: what is laid out anew has the same fields, of the same types, in either byte order."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import exif_of
from PIL import Image

from imgcodec.pictures import directories
from imgcodec.pictures.directories import Directory
from imgcodec.pictures.exif import SIZES

values = st.sampled_from(sorted(SIZES)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.integers(1, 5).flatmap(lambda n: st.binary(min_size=n * SIZES[kind], max_size=n * SIZES[kind])),
    )
)
tags = st.integers(1, 0xFFFF).filter(lambda tag: tag not in (0x8769, 0x8825, 0xA005))


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_directory_of_a_block(order: str) -> None:
    found = directories.read(exif_of(6, order))
    assert found is not None
    assert found.is_whole
    assert found.fields == {0x010F: (2, b"Maker\0"), 0x0112: (3, struct.pack(order + "H", 6))}
    assert found.inner[0x8769].fields == {0x8827: (3, struct.pack(order + "H", 200))}


@given(
    st.dictionaries(tags, values),
    st.dictionaries(tags, values, max_size=3),
    st.sampled_from("<>"),
    st.sampled_from("<>"),
)
def test_what_is_laid_out_is_read_again(
    fields: dict[int, tuple[int, bytes]], inner: dict[int, tuple[int, bytes]], order: str, other: str
) -> None:
    made = Directory(order, fields, {0x8769: Directory(order, inner, {0xA005: Directory(order, inner)})})
    assert directories.read(directories.block(made)) == made
    assert directories.ordered(directories.ordered(made, other), order) == made
    assert directories.read(directories.with_first(exif_of(1, "<") + b"x", made)) == made


@pytest.mark.parametrize("order", ["<", ">"])
def test_another_byte_order_means_the_same(order: str) -> None:
    source = Image.Exif()
    source.endian = "<"
    source[0x010F], source[0x011A], source[0x0100] = "Maker", 1.5, 70000
    source[0x8769] = {0x8827: 200, 0x9204: -0.5}
    found = directories.read(source.tobytes().removeprefix(b"Exif\0\0"))
    assert found is not None
    again = Image.Exif()
    again.load(directories.block(directories.ordered(found, order)))
    assert (again[0x010F], float(again[0x011A]), again[0x0100]) == ("Maker", 1.5, 70000)
    inner = again.get_ifd(0x8769)
    assert (inner[0x8827], float(inner[0x9204])) == (200, -0.5)


def test_a_field_that_is_cut_is_left_out_and_told() -> None:
    block = exif_of(1)
    found = directories.read(block[:52])
    assert found is not None
    assert not found.is_whole
    assert directories.read(b"no block") is None
    assert directories.read(block[:6]) is None


@given(st.binary(max_size=100))
def test_any_bytes_are_read_and_laid_out(data: bytes) -> None:
    for block in (data, b"II*\0\x08\0\0\0" + data, b"MM\0*\0\0\0\x08" + data):
        found = directories.read(block)
        if found is not None:
            directories.read(directories.block(found))
