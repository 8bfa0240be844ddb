"""GIF: extensions with XMP, an ICC profile or text, in the blocks of the file.

(GIF89a; Adobe, XMP specification part 3, section 1.1.2; ICC, "Embedding ICC profiles in GIF".)
"""

from collections.abc import Iterator

from PIL import Image

from imgcodec.pictures.formats.findings import COMMENT, PIXEL_SHAPE, TEXT, Findings, unknown
from imgcodec.pictures.formats.jpeg import behind

_XMP, _ICC = b"XMP DataXMP", b"ICCRGBG1012"
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_CONTROL = 0xF9  # an extension that says when and how a frame is shown
_XMP_TRAILER = 258  # bytes that lead every reader of blocks to the end of the packet: 01 FF FE ... 00 00
_SQUARE = 49  # of the pixels' shape in the header: (value + 15) / 64


def read(image: Image.Image, data: bytes) -> Findings:
    """What a GIF holds. image: opened by Pillow. data: the bytes of the file, empty where they are not known."""
    found = Findings()
    if image.info.get("comment"):
        found.lose(COMMENT)
    if len(data) > 12 and data[12] not in (0, _SQUARE):
        found.lose(PIXEL_SHAPE)
    others = []
    for label, start, stop in _extensions(data):
        if label == 0xFE:
            found.lose(COMMENT)
        elif label == 0x01:
            found.lose(TEXT)
        elif label == 0xFF:
            name = data[start + 1 : start + 12]
            if name == _XMP:  # not in blocks, but read like them
                found.keep("xmp", data[start + 12 : stop - _XMP_TRAILER])
            elif name == _ICC:
                found.keep("icc", _joined(data, start + 12))
            elif name not in _LOOPS:
                others.append(name[:8].decode("latin-1"))
        elif label not in (0, _CONTROL):
            found.lose("unknown extension")
        elif label == 0:
            found.lose(*behind(data[start:]))
    found.lose(*unknown("data of the application", others))
    return found


def _extensions(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Label, start of the blocks and place behind them, of each extension; then 0 and the place behind the file."""
    place = 13 + _table(data[10:11])
    while place < len(data):
        kind = data[place]
        if kind == 0x21:
            stop = _behind_blocks(data, place + 2)
            yield data[place + 1] if place + 1 < len(data) else _CONTROL, place + 2, stop
        elif kind == 0x2C:
            stop = _behind_blocks(data, place + 11 + _table(data[place + 9 : place + 10]))
        else:
            if kind == 0x3B:
                yield 0, place + 1, len(data)
            return
        place = stop


def _table(flags: bytes) -> int:
    """Bytes of the table of colours that flags announce."""
    return 3 << 1 + (flags[0] & 7) if flags and flags[0] & 0x80 else 0


def _behind_blocks(data: bytes, place: int) -> int:
    while place < len(data) and data[place]:
        place += 1 + data[place]
    return place + 1


def _joined(data: bytes, place: int) -> bytes:
    blocks = bytearray()
    while place < len(data) and data[place]:
        blocks += data[place + 1 : place + 1 + data[place]]
        place += 1 + data[place]
    return bytes(blocks)
