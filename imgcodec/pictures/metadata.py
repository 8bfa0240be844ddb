"""Metadata of a picture: what its file holds, by the reader of its format and by Pillow.

      bytes of the file ──► formats/ ─┐
      Pillow's image ─────────────────┴─► Metadata ──► Picture
                                          ICC, EXIF, XMP as bytes; density; how the pixels are turned and
                                          cropped; notes on all that is not kept

Nothing here raises for damaged metadata, and no note quotes any, because a terminal may obey what it contains.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.pictures import cicp, exif, extended_xmp, icc, xmp
from imgcodec.pictures.exif import UPRIGHT, Density
from imgcodec.pictures.formats import avif, bmp, gif, jpeg, jpeg2000, plain, png, tiff, webp
from imgcodec.pictures.formats.findings import COMMENT, PLURALS, PNG_TEXT, Findings, listed
from imgcodec.pillow_errors import PillowError, pillow_errors

_READERS: dict[str | None, Callable[[Image.Image, bytes], Findings]] = {
    "PNG": png.read,
    "JPEG": jpeg.read,
    "MPO": jpeg.read,
    "WEBP": webp.read,
    "TIFF": tiff.read,
    "GIF": gif.read,
    "BMP": bmp.read,
    "PPM": plain.read,
    "QOI": plain.read_qoi,
    "AVIF": avif.read,
    "JPEG2000": jpeg2000.read,
}
# Bytes of ICC, EXIF and XMP together: a sixteenth under a reader's limit, for zstandard may add some to noise.
_ROOM = DEFAULT_LIMITS.metadata_bytes // 16 * 15


@dataclass
class Metadata:
    """What a picture has besides pixels.

    icc, exif, xmp, density: as in `Picture`, but not turned yet. turn: the orientation 1 to 8 of the pixels as Pillow
    gives them, but that `is_turned` says that Pillow has turned them already. crop: left, top, right and bottom of what
    is to be seen of them, before they are turned. notes: what is not kept.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    density: Density | None = None
    turn: int = UPRIGHT
    is_turned: bool = False
    crop: tuple[int, int, int, int] | None = None
    notes: list[str] = field(default_factory=list)


def read(image: Image.Image, data: bytes, is_gray: bool) -> Metadata:
    """The metadata of a loaded image. data: the bytes of its file; empty where they are not known. is_gray: its pixels
    have one colour channel."""
    found = _READERS.get(image.format, _read_any)(image, data)
    notes = list(found.notes)
    exif_block, note = _exif(image, found)
    notes += [note] if note else []
    packet, note = _xmp(image, found)
    notes += [note] if note else []
    if packet is not None:
        packet, announced = xmp.without_announcements(packet)
        notes += ["its XMP cannot be read and was left out"] if packet is None else []
        found.lose(*sorted(announced))
    profile, note = _icc(image, found, is_gray)
    density = exif.of_dpi(found.dpi) or _density(image) or exif.density(exif_block)

    turn = found.turn or exif.orientation(exif_block) or xmp.orientation(packet) or UPRIGHT
    turn = turn if 1 <= turn <= 8 else UPRIGHT
    return Metadata(
        profile,
        exif_block,
        packet,
        density,
        turn,
        found.is_turned,
        found.crop,
        [*notes, *_lost(found.lost), *([note] if note else [])],
    )


def upright(found: Metadata, size: tuple[int, int]) -> None:
    """Makes metadata say what is true of the picture once it is cropped and turned. size: its width and height then."""
    is_quarter = found.turn in exif.QUARTER_TURNS
    if found.exif:
        found.exif = exif.upright(found.exif)
        if found.crop or found.turn != UPRIGHT:
            found.exif = exif.resized(found.exif, size, is_quarter)
    if found.xmp:
        found.xmp = xmp.upright(found.xmp)  # also where it contradicts the EXIF
    if is_quarter:
        found.xmp = found.xmp and xmp.with_axes_exchanged(found.xmp)
        found.density = found.density and found.density[::-1]


def limit(found: Metadata) -> list[str]:
    """Leaves out what makes more metadata than a file holds, and gives notes on it."""
    notes = []
    room = _ROOM - len(found.icc or b"")
    if room < 0:
        found.icc, room = None, _ROOM
        notes.append("its ICC profile is over 15 MiB and was left out")
    if found.exif and len(found.exif) > room:
        found.exif = None
        notes.append("its EXIF makes more than 15 MiB of metadata and was left out")
    if found.xmp and len(found.xmp) > room - len(found.exif or b""):
        found.xmp = None
        notes.append("its XMP makes more than 15 MiB of metadata and was left out")
    return notes


def _read_any(image: Image.Image, _: bytes) -> Findings:
    """What an image holds that comes from no file, or from one that Pillow reads for somebody else."""
    found = Findings()
    found.lose(*([COMMENT] if image.info.get("comment") else []), *([PNG_TEXT] if getattr(image, "text", {}) else []))
    return found


def _exif(image: Image.Image, found: Findings) -> tuple[bytes | None, str | None]:
    """The EXIF block from its byte order mark on, or None; and a note where there is one that cannot be kept."""
    block = found.exif
    if block is None and image.format != "TIFF":
        there = image.info.get("exif")
        if isinstance(there, Image.Exif):
            try:
                with pillow_errors():
                    there = there.tobytes()
            except PillowError:
                return None, "its EXIF cannot be read and was left out"
        block = bytes(there) if isinstance(there, bytes | bytearray | memoryview) else None
    block = (block or b"").removeprefix(exif.PREFIX)
    if not block:
        return None, None
    if block[:4] not in exif.BYTE_ORDERS:
        return None, "its EXIF is not valid and was left out"
    if not exif.is_readable(block):
        return None, "its EXIF cannot be read and was left out"
    return block, None


def _xmp(image: Image.Image, found: Findings) -> tuple[bytes | None, str | None]:
    """The XMP packet, or None; and a note where a part of it cannot be read."""
    packet = found.xmp or image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(packet, str):
        packet = packet.encode(errors="surrogateescape")
    if not isinstance(packet, bytes) or not packet:
        return None, None
    return extended_xmp.joined(packet, getattr(image, "applist", ()))


def _icc(image: Image.Image, found: Findings, is_gray: bool) -> tuple[bytes | None, str | None]:
    """The ICC profile, or one made of colours that the file states by number, or None; and a note on what is lost."""
    profile = found.icc or image.info.get("icc_profile")
    if isinstance(profile, bytes) and profile:
        if fault := icc.fault(profile):
            return None, fault
        is_hdr = found.cicp is not None and found.cicp[1] in cicp.HDR and icc.CICP not in profile
        return profile, "its colours by number are HDR, but those of its ICC profile are kept" if is_hdr else None
    if found.cicp and found.cicp[1] in cicp.HDR:
        return None, f"its colours are HDR ({cicp.HDR[found.cicp[1]]}), but are taken as sRGB"
    made = cicp.profile(found.cicp, is_gray) if found.cicp and not cicp.is_srgb(found.cicp) else None
    if found.are_colours_others or (made is None and found.cicp and not cicp.is_srgb(found.cicp)):
        return None, "its colours are not sRGB, but are taken as such, for it has no ICC profile"
    return made, None


def _density(image: Image.Image) -> Density | None:
    """The density that Pillow has read of the file, not of its EXIF."""
    if "jfif_unit" in image.info:  # without it, Pillow's density of a JPEG is invented
        size = image.info["jfif_density"]
        return exif.of_dpi({1: size, 2: (2.54 * size[0], 2.54 * size[1])}.get(image.info["jfif_unit"]))
    if image.format == "TIFF" and exif.X_RESOLUTION not in getattr(image, "tag_v2", {}):  # Pillow makes 1 dpi of it
        return None
    return None if image.format in ("JPEG", "MPO") else exif.of_dpi(image.info.get("dpi"))


def _lost(names: list[str]) -> list[str]:
    """Notes on what a file has that is not kept."""
    notes = ["only the first of its pictures is kept"] if xmp.PICTURES in names else []
    others = [name for name in names if name != xmp.PICTURES]
    if not others:
        return notes
    are_many = len(others) > 1 or others[0] in PLURALS or " and " in others[0]
    return [*notes, f"its {listed(others)} {'were' if are_many else 'was'} left out"]
