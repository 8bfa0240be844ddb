"""Every picture in and out, with everything in it: what the real command line keeps of a folder of awkward files.

    python benchmarks/hard.py hard/ -o benchmarks/results/hard.json --page docs/pictures.md [--model NAME|PATH]

Each file is compressed, then decompressed to PNG, JPEG, WebP and TIFF. What comes out is read back by programs that
know nothing of ours: pixels, alpha, ICC profile and density by Pillow, EXIF and XMP tag by tag by exiftool, or by
Pillow where there is no exiftool (the result says which). PSNR is between sRGB pictures, each taken there through its
own profile, upright, where they are not transparent. The exit code is 1 if a command fails or a traceback shows.
"""

import argparse
import io
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe  # lies beside this file
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

SCRIPT = Path(sys.executable).with_name("imgcodec")
FORMATS = ("png", "jpg", "webp", "tiff")
EXIFTOOL = shutil.which("exiftool")
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
# Tags that say how a file is laid out, or that have to change: a picture that was turned is upright.
LAYOUT = ("Orientation", "ThumbnailOffset", "OtherImageStart", "PreviewImageStart", "XMPToolkit")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--quality", type=float, default=75)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--page", type=Path, help="Markdown to put the table into")
    arguments = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None
    pictures = []
    for path in sorted(arguments.folder.iterdir()):
        with tempfile.TemporaryDirectory() as folder:
            pictures.append(measure(path, Path(folder), arguments.model, arguments.quality))
        print(json.dumps(pictures[-1]), file=sys.stderr, flush=True)
    report = {
        **describe(),
        "model": arguments.model,
        "quality": arguments.quality,
        "tags_read_by": f"exiftool {run(EXIFTOOL, '-ver').stdout.decode().strip()}" if EXIFTOOL else "Pillow",
        "pictures": pictures,
    }
    if arguments.output:
        arguments.output.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    lines = tables(report)
    if arguments.page:
        before, _, rest = arguments.page.read_text().partition(BEGIN)
        arguments.page.write_text(before + "\n".join([BEGIN, "", *lines, END]) + rest.partition(END)[2])
    print("\n".join(lines))
    return any(picture["failures"] for picture in pictures)


def run(*command: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, check=False)


def measure(path: Path, folder: Path, model: str, quality: float) -> dict[str, Any]:
    """One picture there, and back to each format."""
    nic = folder / "a.nic"
    made = run(SCRIPT, "compress", path, "-o", nic, "-q", str(quality), "--model", model, "--json")
    result: dict[str, Any] = {"file": path.name, "input_bytes": path.stat().st_size, "failures": failures(made)}
    if made.returncode:
        return result
    summary = json.loads(made.stdout)
    result |= {key: summary[key] for key in ("width", "height", "bytes", "bpp", "notes")}
    sections = json.loads(run(SCRIPT, "info", nic, "--json").stdout)["sections"]
    result["alpha_bytes"] = sum(section["bytes"] for section in sections if section["type"] == "alpha")
    original, result["formats"] = look(path), {}
    for suffix in FORMATS:
        output = folder / f"a.{suffix}"
        back = run(SCRIPT, "decompress", nic, "-o", output, "--model", model)
        result["failures"] += failures(back)
        if back.returncode == 0:
            notes = [line.split(": ", 1)[1] for line in back.stderr.decode().splitlines()]
            result["formats"][suffix] = compare(original, look(output)) | {"notes": notes}
    return result


def failures(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    text = done.stderr.decode()
    return [text] if done.returncode or "Traceback" in text else []


def look(path: Path) -> dict[str, Any]:
    """What a file shows and carries, by Pillow and exiftool."""
    with Image.open(path) as opened:
        opened.load()
        icc, dpi, gray = opened.info.get("icc_profile"), opened.info.get("dpi"), opened.mode in ("1", "L", "LA", "I;16")
        image = opened.copy()
        try:
            image = ImageOps.exif_transpose(opened)
            exif = opened.getexif()
            if not dpi and exif.get(0x0128, 2) == 2:  # inches; WebP has no other place for it
                dpi = exif.get(0x011A), exif.get(0x011B)
        except Exception as error:  # Pillow raises for the EXIF of some of these
            print(f"Pillow on the EXIF of {path.name}: {error}", file=sys.stderr)
        seen = shown(image, icc)
    alpha = np.asarray(image.convert("RGBA").getchannel("A")) if image.has_transparency_data else None
    return {
        "pixels": seen,
        "alpha": alpha,
        "gray": gray,
        "icc": icc,
        "dpi": dpi if dpi and all(dpi) else None,
        **tags(path),
    }


def shown(image: Image.Image, icc: bytes | None) -> NDArray[np.uint8]:
    """The colours that a colour-managed viewer shows, as sRGB (H, W, 3)."""
    mode = image.mode if image.mode in ("L", "CMYK", "RGB") else "RGB"
    image = image.convert("L").convert("RGB") if mode == "L" and not icc else image.convert(mode)
    if icc:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        managed = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        assert managed is not None
        image = managed
    return np.asarray(image.convert("RGB"))


def tags(path: Path) -> dict[str, Any]:
    """EXIF and XMP as flat dictionaries, and the orientation."""
    if EXIFTOOL:
        answer = json.loads(run(EXIFTOOL, "-j", "-G1", "-n", "-EXIF:all", "-XMP:all", path).stdout)[0]
        found = {key: str(value) for key, value in answer.items() if ":" in key}
        xmp = {key: value for key, value in found.items() if key.startswith("XMP-")}
        exif = {key: value for key, value in found.items() if key not in xmp}
        return {"exif": exif, "xmp": xmp, "orientation": exif.get("IFD0:Orientation", "1")}
    with Image.open(path) as image:
        image.load()
        try:
            parsed = image.getexif()
        except ValueError:  # Pillow reads hexadecimal EXIF of old PNG files as it is, line ends and all
            parsed = Image.Exif()
        exif = {f"{ifd}:{tag}": str(value) for ifd in (0x8769, 0x8825) for tag, value in parsed.get_ifd(ifd).items()}
        exif |= {f"IFD0:{tag}": str(value) for tag, value in parsed.items() if tag != 0x0112}
        xmp = {"packet": str(image.info["xmp"])} if "xmp" in image.info else {}
        return {"exif": exif, "xmp": xmp, "orientation": str(parsed.get(0x0112, 1))}


def compare(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What of the original is in a file that came out; None where the original has no such thing."""
    same_size = before["pixels"].shape == after["pixels"].shape
    opaque = np.ones(before["pixels"].shape[:2], bool) if before["alpha"] is None else before["alpha"] > 0
    error = None
    if same_size and opaque.any():
        error = float(np.square(before["pixels"][opaque].astype(float) - after["pixels"][opaque]).mean())
    return {
        "size": same_size,
        "upright": after["orientation"] == "1",
        "gray": bool((after["pixels"] == after["pixels"][..., :1]).all()) if before["gray"] else None,
        "psnr": None if error is None else round(-10 * float(np.log10(max(error, 1e-9) / 255**2)), 2),
        "alpha": None if before["alpha"] is None else equal(before["alpha"], after["alpha"]),
        "icc": before["icc"] == after["icc"] if before["icc"] else None,
        "dpi": None if not before["dpi"] else close(before["dpi"], after["dpi"]),
        "exif": counted(before["exif"], after["exif"]),
        "xmp": counted(before["xmp"], after["xmp"]),
    }


def equal(before: NDArray[np.uint8], after: NDArray[np.uint8] | None) -> bool:
    return bool(np.array_equal(before, np.full_like(before, 255) if after is None else after))


def close(before: Any, after: Any) -> bool:
    """Within what whole pixels a metre, or an inch, can tell."""
    return bool(after) and all(abs(float(a) - float(b)) <= 0.02 for a, b in zip(before, after, strict=True))


def counted(before: dict[str, str], after: dict[str, str]) -> dict[str, Any] | None:
    """How many tags came back with the same value, of how many; and which did not."""
    names = [name for name in before if not name.endswith(LAYOUT)]
    lost = [name for name in names if before[name] != after.get(name)]
    return {"kept": len(names) - len(lost), "of": len(names), "lost": lost} if names else None


def tables(report: dict[str, Any]) -> list[str]:
    """A row a picture, as PNG; then the formats; then all that was not kept, by name."""
    done = [picture for picture in report["pictures"] if "bytes" in picture]
    rows = []
    for picture in done:
        png = picture["formats"]["png"]
        larger = " (larger)" if picture["bytes"] > picture["input_bytes"] else ""
        sizes = f"{picture['input_bytes']} → {picture['bytes']}{larger}"
        fields = [cell(png[name]) for name in ("gray", "alpha", "icc", "exif", "xmp", "dpi")]
        upright = f"{picture['width']} x {picture['height']}" if png["size"] and png["upright"] else "wrong"
        rows.append([picture["file"], upright, sizes, f"{png['psnr']}", *fields, "; ".join(picture["notes"]) or "-"])
    head = ["picture", "size, upright", "bytes", "dB", "gray", "alpha", "ICC", "EXIF", "XMP", "DPI", "said on stderr"]
    lines = [f"Quality {report['quality']:g}, decompressed to PNG; tags read by {report['tags_read_by']}.", ""]
    lines += table(head, rows)
    rows = []
    for suffix in FORMATS:
        of = [picture["formats"][suffix] for picture in done]
        rows.append([suffix, *(total([one[name] for one in of]) for name in ("size", "upright", *KEPT))])
    lines += ["All pictures, by format:", "", *table(["format", "size", "upright", *KEPT], rows), "Not kept:", ""]
    for picture in done:
        for suffix, one in picture["formats"].items():
            lost = [name for name in KEPT if one[name] is False]
            lost += [tag for name in ("exif", "xmp") if one[name] for tag in one[name]["lost"]]
            if lost:
                said = f" ({'; '.join(one['notes'])})" if one["notes"] else ""
                lines.append(f"- {picture['file']} as {suffix}: {', '.join(lost)}{said}")
    return [*lines, ""]


KEPT = ("gray", "alpha", "icc", "exif", "xmp", "dpi")


def cell(value: Any) -> str:
    """A fact for a table: a dash where the original has no such thing."""
    if value is None:
        return "-"
    if isinstance(value, dict):
        return f"{value['kept']} of {value['of']}"
    return "kept" if value else "lost"


def total(values: list[Any]) -> str:
    """The same of many pictures: how many have it, or how many tags."""
    there = [value for value in values if value is not None]
    if there and isinstance(there[0], dict):
        return f"{sum(v['kept'] for v in there)} of {sum(v['of'] for v in there)} tags"
    return f"{sum(there)} of {len(there)}"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]] + [""]


if __name__ == "__main__":
    sys.exit(main())
