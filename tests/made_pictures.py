"""Pictures for tests, and the files and pieces of metadata that they come in."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

PHOTOGRAPH = Path(__file__).parents[1] / "examples" / "photo.png"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="1" dc:title="t"/></x:xmpmeta>'
LOSSLESS = {"PNG": {}, "JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True, "exact": True}}
KEEPS_METADATA = ("PNG", "JPEG", "WEBP", "TIFF")


def colours(width: int = 19, height: int = 11) -> np.ndarray:
    """Every pixel another colour, so that any exchange of places shows."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 13, y * 23, (x + y) * 7], axis=2).astype(np.uint8)


def file_of(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def exif_of(orientation: int, order: str = "<") -> bytes:
    """An EXIF block with a maker, an orientation and a maker's note at an offset."""
    maker = b"Maker\0"
    entries = [
        (0x010F, 2, len(maker), 8 + 2 + 3 * 12 + 4),
        (0x0112, 3, 1, orientation << (16 if order == ">" else 0)),
        (0x8769, 4, 1, 8 + 2 + 3 * 12 + 4 + len(maker)),
    ]
    directory = struct.pack(order + "H", 3) + b"".join(struct.pack(order + "HHII", *entry) for entry in entries)
    sub = struct.pack(order + "H", 1) + struct.pack(order + "HHII", 0x8827, 3, 1, 200 << (16 if order == ">" else 0))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "I", 8) + directory + bytes(4) + maker + sub + bytes(4)


def png_chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def with_chunk(png: bytes, chunk: bytes) -> bytes:
    """A PNG with a chunk put behind its header."""
    return png[:33] + chunk + png[33:]


def save_everything(path: Path) -> None:
    """A PNG with transparency, a profile, EXIF, XMP and a density."""
    exif, text = Image.Exif(), PngImagePlugin.PngInfo()
    exif[0x010F] = "Maker"
    text.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.merge("RGBA", [Image.linear_gradient("L").resize((40, 30))] * 4)
    picture.save(path, exif=exif, pnginfo=text, icc_profile=profile, dpi=(300, 300))
