"""Extended XMP: joined when a JPEG is read, split when one is written."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import colours, file_of
from PIL import Image

from imgcodec.pictures import extended_xmp
from imgcodec.pictures import io as image
from imgcodec.pictures.picture import Picture


def extended_jpeg(first: bytes, extended: bytes, name: bytes, order: int = 1) -> bytes:
    """A JPEG with a packet of XMP and an extended one in two segments."""
    half = len(extended) // 2
    parts = [(0, extended[:half]), (half, extended[half:])][::order]
    segments = b""
    for offset, part in parts:
        body = b"http://ns.adobe.com/xmp/extension/\0" + name + struct.pack(">II", len(extended), offset) + part
        segments += b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return file_of(Image.fromarray(colours()), "JPEG", xmp=first, extra=segments)


class TestExtendedXMP:
    NAME = b"0123456789ABCDEF" * 2
    HEAD = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    TAIL = b"</rdf:RDF></x:xmpmeta>"
    FIRST = b'<rdf:Description rdf:about="" dc:title="t"%s/>'
    MORE = b'<rdf:Description rdf:about="" xmlns:GDepth="http://ns.google.com/" GDepth:Data="AAAA"/>'

    def first(self, name: bytes = NAME) -> bytes:
        return self.HEAD + self.FIRST % (b' xmpNote:HasExtendedXMP="' + name + b'"') + self.TAIL

    @pytest.mark.parametrize("order", [1, -1])
    def test_extended_xmp_is_joined(self, order: int) -> None:
        picture = image.load(extended_jpeg(self.first(), self.HEAD + self.MORE + self.TAIL, self.NAME, order))
        assert picture.xmp == self.HEAD + self.FIRST % b"" + self.MORE + self.TAIL
        assert picture.notes == []

    @pytest.mark.parametrize(
        "extended",
        [HEAD.replace(b"<rdf:RDF", b'<rdf:RDF xmlns:a="b"') + MORE + TAIL, b"no packet", b""],
        ids=["namespace", "text", "empty"],
    )
    def test_extended_xmp_that_cannot_be_joined_is_left_out_with_a_note(self, extended: bytes) -> None:
        picture = image.load(extended_jpeg(self.first(), extended, self.NAME))
        assert picture.xmp == self.HEAD + self.FIRST % b"" + self.TAIL
        assert picture.notes == ["its extended XMP cannot be read and was left out"]

    def test_extended_xmp_of_another_packet_is_not_taken(self) -> None:
        picture = image.load(extended_jpeg(self.first(), self.HEAD + self.MORE + self.TAIL, b"F" * 32))
        assert picture.notes == ["its extended XMP cannot be read and was left out"]

    @pytest.mark.parametrize("size", [70_000, 200_000])
    def test_long_xmp_survives_a_jpeg(self, size: int) -> None:
        packet = self.HEAD + b'<rdf:Description dc:title="' + b"t" * size + b'"/>' + self.TAIL
        data, notes = image.encode(Picture(colours(), xmp=packet), "JPEG")
        assert notes == []
        assert image.load(data).xmp == packet

    @pytest.mark.parametrize("unit", [b" ", b"<rdf:RDF", b"<?xpacket ", b" xmpNote:HasExtendedXMP=", b"</rdf:RDF>"])
    @pytest.mark.timeout(600)
    def test_xmp_of_megabytes_takes_linear_time(self, unit: bytes) -> None:
        """A second; hours, and so a failure, where what is looked at grows with the square of the length."""
        long = unit * (2**23 // len(unit))
        part = b"http://ns.adobe.com/xmp/extension/\0" + self.NAME + struct.pack(">II", len(long), 0) + long
        for packet in (long, self.first() + long):
            extended_xmp.joined(packet, [("APP1", part)])
            extended_xmp.split(packet)

    @given(st.binary(max_size=100), st.lists(st.binary(max_size=100), max_size=3))
    def test_any_bytes_are_joined_without_an_error(self, first: bytes, parts: list[bytes]) -> None:
        extension = b"http://ns.adobe.com/xmp/extension/\0"
        for packet in (first, self.first() + first):
            extended_xmp.joined(packet, [("APP1", extension + part) for part in parts])
            extended_xmp.joined(packet, [("APP1", extension + self.NAME + part) for part in parts])


@pytest.mark.parametrize("size", [10, 65_000, 200_000])
def test_what_is_split_is_joined_again(size: int) -> None:
    packet = TestExtendedXMP.HEAD + b'<rdf:Description dc:title="' + b"t" * size + b'"/>' + TestExtendedXMP.TAIL
    first, segments = extended_xmp.split(packet)
    assert len(first) < 1000
    parts = []
    while segments:
        length = 2 + int.from_bytes(segments[2:4], "big")
        assert segments[:2] == b"\xff\xe1"
        parts.append(("APP1", segments[4:length]))
        segments = segments[length:]
    assert extended_xmp.joined(first, parts) == (packet, None)
    assert extended_xmp.joined(first, reversed(parts)) == (packet, None)
    assert extended_xmp.joined(first, parts[:-1])[1] == "its extended XMP cannot be read and was left out"


def test_a_packet_that_names_no_other_is_taken_as_it_is() -> None:
    assert extended_xmp.joined(b"<x:xmpmeta/>", [("APP1", b"whatever")]) == (b"<x:xmpmeta/>", None)
