"""Metadata there and back: for every format that is read, all that exiftool can write into it, after a round trip.

    python benchmarks/metadata.py -o benchmarks/results/metadata.json --page docs/pictures.md [--model NAME|PATH]

A small picture of each format is given every tag that exiftool can write, a profile and a thumbnail, then compressed by
what the commands call and decompressed to every format that is written. exiftool reads the result. Each group of tags
is kept, or it is said that it is not; the exit code is 1 if any is lost in silence. Needs exiftool.
"""

import argparse
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from hard import table  # these lie beside this file
from machine import describe
from PIL import Image, ImageCms

from imgcodec.bitstream import container
from imgcodec.codec import decode_picture, load_codec
from imgcodec.encoder import encode_picture
from imgcodec.pictures import io as pictures
from imgcodec.tokens import TokenCodec

EXIFTOOL = shutil.which("exiftool")
BEGIN, END = "<!-- metadata -->", "<!-- end of metadata -->"
SOURCES = {
    "png": "PNG",
    "jpg": "JPEG",
    "webp": "WEBP",
    "tif": "TIFF",
    "gif": "GIF",
    "avif": "AVIF",
    "jp2": "JPEG2000",
    "ppm": "PPM",
    "bmp": "BMP",
}
WRITTEN = ("png", "jpg", "webp", "tif", "ppm")
# Groups of tags as exiftool names them (a beginning), as the table does, and how a command speaks of their loss.
GROUPS = (
    ("IFD0", "EXIF", "EXIF|TIFF tags"),
    ("ExifIFD", "EXIF", "EXIF"),
    ("GPS", "EXIF", "EXIF"),
    ("InteropIFD", "EXIF", "EXIF"),
    ("IFD1", "thumbnail", "thumbnail"),
    ("XMP", "XMP", "XMP|gain map|depth map|video|pictures"),
    ("ICC", "ICC", "ICC"),
    ("IPTC", "IPTC", "IPTC"),
    ("Photoshop", "Photoshop", "Photoshop"),
    ("Ducky", "other segments", "APP12"),
    ("PNG-pHYs", "density", "density"),
    ("JFIF", "density", "density"),
    ("PNG", "text, time", "text|chunks"),
    ("GIF", "comment", "comment"),
    ("Comment", "comment", "comment"),
)
# What exiftool computes, and what says how a file is laid out.
LAYOUT = {
    *("JFIFVersion", "Orientation", "ExifByteOrder", "XMPToolkit", "CurrentIPTCDigest", "IPTCDigest", "Predictor"),
    *("ThumbnailOffset", "GIFVersion", "HasColorMap", "ColorResolutionDepth", "BitsPerPixel", "BackgroundColor"),
    *("ImageWidth", "ImageHeight", "BitDepth", "ColorType", "Compression", "Filter", "Interlace", "BitsPerSample"),
    *(
        "PhotometricInterpretation",
        "StripOffsets",
        "SamplesPerPixel",
        "RowsPerStrip",
        "StripByteCounts",
        "ResolutionUnit",
    ),
    *("PlanarConfiguration", "SampleFormat", "ExtraSamples", "PixelUnits", "FillOrder", "TileWidth", "TileLength"),
    *("YCbCrPositioning", "YCbCrSubSampling", "YCbCrCoefficients", "Palette", "Transparency", "PixelAspectRatio"),
    *("MinSampleValue", "MaxSampleValue", "GrayResponseUnit", "InkSet", "HalftoneHints", "ReferenceBlackWhite"),
    *(
        "WhitePoint",
        "PrimaryChromaticities",
        "HasExtendedXMP",
        "ProfileDateTime",
        "Warning",
        "Error",
        "Gamma",
        "WhitePointX",
        "WhitePointY",
    ),
}
# 300 dots per inch across and 150 down, the same wherever a file can say so.
DENSITY = (
    *("-EXIF:XResolution=300", "-EXIF:YResolution=150", "-EXIF:ResolutionUnit=2", "-JFIF:XResolution=300"),
    *("-JFIF:YResolution=150", "-JFIF:ResolutionUnit=1", "-PNG:PixelsPerUnitX=11811", "-PNG:PixelsPerUnitY=5906"),
    "-PNG:PixelUnits=1",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="photo")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--page", type=Path, help="Markdown to put the table into")
    arguments = parser.parse_args()
    if EXIFTOOL is None:
        parser.error("there is no exiftool")
    tags, codec = assignments(), load_codec(arguments.model, "cpu")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix in SOURCES:
            found = measure(suffix, Path(folder), tags, codec)
            print(*map(json.dumps, found), sep="\n", file=sys.stderr, flush=True)
            rows += found
    report = {**describe(), "exiftool": run(EXIFTOOL, "-ver").stdout.decode().strip(), "rows": rows}
    if arguments.output:
        arguments.output.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    lines = tables(rows)
    if arguments.page:
        before, _, rest = arguments.page.read_text().partition(BEGIN)
        arguments.page.write_text(before + "\n".join([BEGIN, "", *lines, END]) + rest.partition(END)[2])
    print("\n".join(lines))
    return any(cell["silent"] for row in rows for cell in row["formats"].values())


def run(*command: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, check=False)


def assignments() -> list[str]:
    """An option of exiftool for every tag that it can write and that says nothing of how pixels lie in the file."""
    options = []
    for group in ("EXIF", "XMP", "IPTC", "Photoshop", "PNG", "JFIF", "GIF", "Ducky"):
        listing = ElementTree.fromstring(run(EXIFTOOL or "", "-f", "-listx", f"-{group}:All").stdout)
        for of in listing:
            for tag in of:
                where = tag.get("g1") or of.get("g1", group)
                is_layout = "Unsafe" in tag.get("flags", "") and where != "InteropIFD"
                if tag.get("writable") == "true" and not is_layout and tag.get("name") not in LAYOUT:
                    where = where if group in ("EXIF", "XMP") and where != "All" else group
                    options.append(f"-{where}:{tag.get('name')}={value(tag)}")
    return [*options, *DENSITY, "-Comment=a comment"]


def value(tag: ElementTree.Element) -> str:
    """A value that fits the type of a tag."""
    name, kind, count = tag.get("name", ""), tag.get("type", "?"), int(tag.get("count", "1"))
    if "Date" in name or "Time" in name or name.endswith("Stamp"):
        return "2020:01:02 03:04:05"
    if kind in ("string", "lang-alt", "?", "undef", "Text") or kind.startswith(("string", "digits")):
        return "12345678"[: count if kind.startswith("digits") else 8]
    if kind == "boolean":
        return "True"
    if kind == "struct":
        return ""
    number = "1.5" if kind.startswith(("rational", "real", "double", "float")) else "1"
    return " ".join([number] * min(count, 16)) if count > 0 else number


def measure(suffix: str, folder: Path, tags: list[str], codec: TokenCodec) -> list[dict[str, Any]]:
    """The rows of one format: what a group of tags becomes in each format that is written."""
    source, options = folder / f"full.{suffix}", folder / "options"
    picture = Image.linear_gradient("L").resize((32, 24)).convert("RGB")
    picture.save(source, SOURCES[suffix])
    profile, thumbnail = folder / "profile.icc", folder / "thumbnail.jpg"
    profile.write_bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    picture.resize((8, 6)).save(thumbnail)
    files = [f"-ICC_Profile<={profile}", f"-ThumbnailImage<={thumbnail}"]
    options.write_text("\n".join(["-n", "-m", "-q", "-q", "-overwrite_original", *files, *tags, str(source)]))
    run(EXIFTOOL or "", "-@", options)
    if suffix == "bmp":
        source.write_bytes(with_profile(source.read_bytes(), profile.read_bytes()))
    loaded = pictures.load(source)
    back = decode_picture(codec, container.read(encode_picture(codec, loaded, 50).data))
    before = read(source)
    rows: dict[str, dict[str, Any]] = {
        group: {"from": suffix, "group": group, "tags": len(there), "formats": {}} for group, there in before.items()
    }
    for written in WRITTEN:
        output = folder / f"back.{written}"
        encoded, notes = pictures.encode(back, pictures.format_of(output))
        output.write_bytes(encoded)
        after = read(output)
        said = [*loaded.notes, *notes]
        for group, there in before.items():
            lost = [name for name in there if there[name] != after.get(group, {}).get(name)]
            words = re.compile("|".join(["no metadata", *(how for _, shown, how in GROUPS if shown == group)]))
            note = [line for line in said if words.search(line)]
            rows[group]["formats"][written] = {
                "kept": len(there) - len(lost),
                "lost": lost if len(lost) < len(there) else [],  # where some are kept, by name
                "said": note if lost else [],
                "silent": lost if lost and not note else [],
            }
    return list(rows.values())


def with_profile(bmp: bytes, profile: bytes) -> bytes:
    """A BMP with the fifth header and a profile inside, which exiftool cannot write."""
    header, pixels = bmp[14:54], bmp[54:]
    size = 14 + 124 + len(pixels)
    head = b"BM" + (size + len(profile)).to_bytes(4, "little") + bytes(4) + (14 + 124).to_bytes(4, "little")
    fifth = (124).to_bytes(4, "little") + header[4:40] + bytes(16) + b"DEBM" + bytes(48)
    fifth += (
        (4).to_bytes(4, "little") + (size - 14).to_bytes(4, "little") + len(profile).to_bytes(4, "little") + bytes(4)
    )
    return head + fifth + pixels + profile


def read(path: Path) -> dict[str, dict[str, str]]:
    """The tags of a file by the groups of the table; a profile as one tag, by its bytes, which Pillow reads."""
    answer = json.loads(run(EXIFTOOL or "", "-j", "-G1", "-n", "-b", path).stdout)[0]
    groups: dict[str, dict[str, str]] = {}
    for key, text in answer.items():
        where, _, name = key.rpartition(":")
        where = "Comment" if name == "Comment" and where == "File" else where
        for beginning, group, _ in GROUPS:
            if group != "ICC" and where.startswith(beginning) and name not in LAYOUT:
                groups.setdefault(group, {})[name if group in ("density", "comment") else key] = close(text)
                break
    with Image.open(path) as image:
        image.load()
        profile = image.info.get("icc_profile")
    if profile is None and path.name.startswith("full"):
        profile = any(key.startswith("ICC") for key in answer) or path.suffix == ".bmp"
        profile = path.with_name("profile.icc").read_bytes() if profile else None
    if profile:
        groups["ICC"] = {"profile": str(hash(profile))}
    return density_of(groups, path)


def density_of(groups: dict[str, dict[str, str]], path: Path) -> dict[str, dict[str, str]]:
    """The groups with the density as numbers that are the same in every format."""
    groups.pop("density", None)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        image.load()
        dpi = image.info.get("dpi")
        if path.suffix == ".webp":  # which has no other place for it
            dpi = [image.getexif().get(tag, 0) for tag in (0x011A, 0x011B)]
    if dpi and all(dpi) and path.suffix in (".png", ".jpg", ".webp", ".tif"):
        groups["density"] = {"dpi": " ".join(f"{float(number):.1f}" for number in dpi)}
    return groups


def close(value: Any) -> str:
    """A value as text, numbers to six places."""
    return re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.6g}", str(value))


def tables(rows: list[dict[str, Any]]) -> list[str]:
    """A row for each format and group, a column for each format that is written."""
    body = []
    for row in rows:
        cells = []
        for cell in row["formats"].values():
            if cell["silent"]:
                cells.append(f"lost, silent: {len(cell['silent'])} of {row['tags']}")
            elif cell["said"]:
                cells.append("said" if not cell["kept"] else f"kept {cell['kept']} of {row['tags']}, said")
            else:
                cells.append("kept")
        body.append([row["from"], f"{row['group']} ({row['tags']})", *cells])
    return table(["from", "tags", *(f"to {suffix}" for suffix in WRITTEN)], body)


if __name__ == "__main__":
    sys.exit(main())
