"""XMP packets: what they announce is cut out, what turns is turned, all else stays to the byte."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import XMP, colours, file_of
from PIL import Image

from imgcodec.pictures import io as image
from imgcodec.pictures import xmp

HDRGM = 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
CONTAINER = 'xmlns:Container="http://ns.google.com/photos/1.0/container/"'
ITEM = 'xmlns:Item="http://ns.google.com/photos/1.0/container/item/"'
CAMERA = 'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"'
DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'


def packet(attributes: str, elements: str = "", end: str = '<?xpacket end="w"?>') -> bytes:
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        f'<rdf:Description rdf:about=""{attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>   {end}'
    ).encode()


def directory(*semantics: str) -> str:
    items = "".join(
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="{name}" Item:Mime="image/jpeg"/></rdf:li>'
        for name in semantics
    )
    return f"<Container:Directory><rdf:Seq>{items}</rdf:Seq></Container:Directory>"


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (packet(f' {HDRGM} hdrgm:Version="1.0"'), packet(""), {xmp.GAIN_MAP}),
        (packet(f" {HDRGM} {DC}\n dc:title='a>b'\n  hdrgm:Version = '1.0'/*".replace("/*", "")), None, {xmp.GAIN_MAP}),
        (packet(f" {HDRGM}", "<hdrgm:Version>1.0</hdrgm:Version>"), packet(""), {xmp.GAIN_MAP}),
        (packet(f" {HDRGM}", "<hdrgm:GainMapMax><rdf:Seq/></hdrgm:GainMapMax>"), packet(""), {xmp.GAIN_MAP}),
        (packet(' xmlns:a="http://ns.adobe.com/hdr-gain-map/1.0/" a:Version="1.0"'), packet(""), {xmp.GAIN_MAP}),
        (packet(f" {CONTAINER} {ITEM}", directory("Primary", "GainMap")), packet(""), {xmp.GAIN_MAP}),
        (packet(f" {CONTAINER} {ITEM}", directory("Primary", "MotionPhoto")), packet(""), {xmp.VIDEO}),
        (packet(f" {CONTAINER} {ITEM}", directory("Primary", "Original")), packet(""), {xmp.PICTURES}),
        (
            packet(f" {CONTAINER} {ITEM}", directory("Primary", "GainMap", "MotionPhoto", "Depth")),
            packet(""),
            {xmp.GAIN_MAP, xmp.VIDEO, xmp.DEPTH_MAP},
        ),
        (
            packet(f' {CAMERA} GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1" GCamera:BurstID="b"'),
            packet(f' {CAMERA} GCamera:BurstID="b"'),
            {xmp.VIDEO},
        ),
        (packet(f' {CAMERA} GCamera:MicroVideo="1" GCamera:MicroVideoOffset="99"'), packet(""), {xmp.VIDEO}),
        (packet(f" {CAMERA}", "<GCamera:MicroVideo>1</GCamera:MicroVideo>"), packet(""), {xmp.VIDEO}),
        (
            packet(' xmlns:OpCamera="http://ns.oplus.com/photos/1.0/camera/" OpCamera:VideoLength="7"'),
            packet(""),
            {xmp.VIDEO},
        ),
        (packet(f" {HDRGM}", "<hdrgm:BaseRendition/>", end=""), packet("", end=""), {xmp.GAIN_MAP}),
    ],
)
def test_what_a_packet_announces_is_cut_out_and_said(before: bytes, after: bytes | None, kinds: set[str]) -> None:
    edited, found = xmp.without_announcements(before)
    assert found == kinds
    assert edited is not None
    for word in (b"hdrgm", b"GainMap", b"Container", b"Item", b"MotionPhoto", b"MicroVideo", b"VideoLength"):
        assert word not in edited
    if after is not None:
        assert edited == after
    assert xmp.without_announcements(edited) == (edited, set())
    picture = image.load(file_of(Image.fromarray(colours()), "JPEG", xmp=before))
    assert picture.xmp == edited
    assert len(picture.notes) == 1 + (xmp.PICTURES in kinds and len(kinds) > 1)


@pytest.mark.parametrize(
    "same",
    [
        XMP,
        packet(f' {DC} dc:title="MotionPhoto and MicroVideo, hdr-gain-map"'),
        packet(f' {CAMERA} GCamera:MotionPhoto="0"'),
        packet(f" {CAMERA}", "<GCamera:MicroVideo> 0 </GCamera:MicroVideo>"),
        packet(' xmlns:a="http://example.com/" a:MotionPhoto="1" a:VideoLength="9"'),
        b"MotionPhoto"[:0] + b"\xff\xfe nothing",
    ],
)
def test_a_packet_that_announces_nothing_stays_to_the_byte(same: bytes) -> None:
    assert xmp.without_announcements(same) == (same, set())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "latin-1"])
def test_packets_in_other_encodings(encoding: str) -> None:
    before = packet(f' {HDRGM} {DC} dc:title="Zoë" hdrgm:Version="1.0"').decode().encode(encoding)
    after = packet(f' {DC} dc:title="Zoë"').decode().encode(encoding)
    assert xmp.without_announcements(before) == (after, {xmp.GAIN_MAP})
    assert xmp.without_announcements(after) == (after, set())


@pytest.mark.parametrize(
    "hostile",
    [
        b"<a MotionPhoto",
        b'<!DOCTYPE a [<!ENTITY e "MotionPhoto">]><a>&e;</a>',
        b"<MotionPhoto>" * 1000,
        packet("")[:-40] + b"MotionPhoto",
    ],
)
def test_a_packet_that_announces_and_is_no_xml_is_left_out_with_a_note(hostile: bytes) -> None:
    assert xmp.without_announcements(hostile) == (None, set())
    picture = image.load(file_of(Image.fromarray(colours()), "JPEG", xmp=hostile))
    assert picture.notes == ["its XMP cannot be read and was left out"]


@pytest.mark.parametrize(
    "middle",
    [
        (f"<hdrgm:a {HDRGM}/>") * 20_000,
        "".join(f'<a xmlns:p{i}="http://ns.adobe.com/hdr-gain-map/1.0/" p{i}:b="c"/>' for i in range(15_000)),
        f"<a {HDRGM}" + " " * 1_000_000 + "hdrgm:a='b'/>",
        f"<a {HDRGM}>" + "<b>" * 50 + "<hdrgm:x>" * 5 + " " * 1_000_000 + "</hdrgm:x>" * 5 + "</b>" * 50 + "</a>",
    ],
)
def test_megabytes_take_linear_time(middle: str) -> None:
    """A second; minutes, where what is looked at grows with the square of the length."""
    start = time.process_time()
    xmp.without_announcements(packet("", middle))
    assert time.process_time() - start < 20


def test_sizes_and_densities_change_places() -> None:
    before = packet(
        ' tiff:ImageWidth="640" exif:PixelXDimension="640" tiff:XResolution="72/1"',
        "<tiff:ImageLength>48</tiff:ImageLength><exif:PixelYDimension>48</exif:PixelYDimension>"
        "<tiff:YResolution>144/1</tiff:YResolution>",
    )
    after = packet(
        ' tiff:ImageWidth="48" exif:PixelXDimension="48" tiff:XResolution="144/1"',
        "<tiff:ImageLength>640</tiff:ImageLength><exif:PixelYDimension>640</exif:PixelYDimension>"
        "<tiff:YResolution>72/1</tiff:YResolution>",
    )
    assert xmp.with_axes_exchanged(before) == after
    assert xmp.with_axes_exchanged(after) == before
    turned = before.replace(b"rdf:about", b'tiff:Orientation="6" rdf:about')
    picture = image.load(file_of(Image.fromarray(colours()), "WEBP", xmp=turned))
    assert picture.xmp == after.replace(b"rdf:about", b'tiff:Orientation="1" rdf:about')


def test_one_of_two_sizes_stays() -> None:
    for same in (
        packet(' tiff:ImageWidth="640"'),
        packet(' tiff:ImageWidth="6" tiff:ImageWidth="7" tiff:ImageLength="8"'),
    ):
        assert xmp.with_axes_exchanged(same) == same


@given(st.binary(max_size=200))
def test_any_bytes_are_a_packet_or_none(data: bytes) -> None:
    for text in (
        data,
        b"MotionPhoto" + data,
        packet(f' {HDRGM} hdrgm:Version="1.0"') + data,
        data + b"<a MotionPhoto='1'/>",
    ):
        edited, kinds = xmp.without_announcements(text)
        assert edited is None or len(edited) <= len(text)
        assert edited == text or kinds or edited is None
        xmp.with_axes_exchanged(text)
        xmp.orientation(xmp.upright(text))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("bytes_", [b"<a>Zo\xeb</a>", "<a>Zoë</a>".encode("utf-16"), b"\xff\xfe\xfd"])
def test_a_packet_that_is_not_utf8_is_the_same_bytes_again(format: str, bytes_: bytes) -> None:
    picture = image.load(file_of(Image.fromarray(colours()), "JPEG", xmp=bytes_))
    assert picture.xmp == bytes_
    assert image.load(image.encode(picture, format)[0]).xmp == bytes_
