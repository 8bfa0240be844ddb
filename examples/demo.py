"""Compresses a photograph at three qualities and compares each file with a JPEG of the same size.

    python examples/demo.py [PHOTOGRAPH] [--model NAME_OR_PATH]

Prints a table, and leaves files and pictures in demo/; demo/comparison.png has a detail of them side by side.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import imgcodec

QUALITIES = (10, 30, 60)
PHOTOGRAPH = Path(__file__).with_name("photo.png")
FOLDER = Path("demo")
DETAIL = 256  # pixels, the side of the detail in the comparison
HEADING = 18  # pixels


def main() -> None:
    arguments = argparse.ArgumentParser(description="Compress a photograph and compare with JPEG.")
    arguments.add_argument("photograph", nargs="?", type=Path, default=PHOTOGRAPH)
    arguments.add_argument("--model", default="photo", help="name or path of the model (default: photo)")
    options = arguments.parse_args()

    original = Image.open(options.photograph).convert("RGB")
    model = imgcodec.load_model(options.model)
    FOLDER.mkdir(exist_ok=True)
    original.save(FOLDER / "original.png")
    print(f"{options.photograph.name}: {original.width} x {original.height}\n")
    print("           imgcodec                      JPEG of the same size")
    print("quality    bytes     bpp  PSNR dB        bytes  PSNR dB   gain dB")

    rows = []
    for quality in QUALITIES:
        data = model.compress(original, quality=quality)
        decoded = model.decompress(data)
        jpeg_data = jpeg_of_size(original, len(data))
        jpeg = Image.open(io.BytesIO(jpeg_data))

        (FOLDER / f"quality{quality}.nic").write_bytes(data)
        (FOLDER / f"quality{quality}.jpg").write_bytes(jpeg_data)
        decoded.save(FOLDER / f"quality{quality}.png")
        ours, theirs = psnr(original, decoded), psnr(original, jpeg)
        bpp = 8 * len(data) / (original.width * original.height)
        print(
            f"{quality:7} {len(data):8} {bpp:7.3f} {ours:8.2f} {len(jpeg_data):12} {theirs:8.2f} {ours - theirs:+9.2f}"
        )
        rows.append((f"quality {quality}, {len(data)} bytes", decoded, f"JPEG, {len(jpeg_data)} bytes", jpeg))

    comparison(original, rows).save(FOLDER / "comparison.png")
    print(f"\nThe files and pictures are in {FOLDER}/; look at {FOLDER}/comparison.png first.")


def jpeg_of_size(image: Image.Image, size: int) -> bytes:
    """The best JPEG (4:2:0, optimized) of at most `size` bytes, or the smallest where none is so small."""
    low, high = 1, 95
    while low < high:
        middle = (low + high + 1) // 2
        if len(jpeg_of_quality(image, middle)) <= size:
            low = middle
        else:
            high = middle - 1
    return jpeg_of_quality(image, low)


def jpeg_of_quality(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
    return buffer.getvalue()


def psnr(first: Image.Image, second: Image.Image) -> float:
    """In dB, over all samples of two RGB images of one size."""
    difference = np.asarray(first, np.float64) - np.asarray(second.convert("RGB"), np.float64)
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


def comparison(original: Image.Image, rows: list[tuple[str, Image.Image, str, Image.Image]]) -> Image.Image:
    """A detail from the middle: a row for each quality; the original, ours and JPEG from left to right."""
    left, top = max(0, (original.width - DETAIL) // 2), max(0, (original.height - DETAIL) // 2)
    sheet = Image.new("RGB", (3 * DETAIL, len(rows) * (DETAIL + HEADING)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (our_title, ours, jpeg_title, jpeg) in enumerate(rows):
        y = row * (DETAIL + HEADING)
        for column, (title, picture) in enumerate((("original", original), (our_title, ours), (jpeg_title, jpeg))):
            draw.text((column * DETAIL + 4, y + 3), title, fill="black")
            detail = picture.crop((left, top, left + DETAIL, top + DETAIL))
            sheet.paste(detail, (column * DETAIL, y + HEADING))
    return sheet


if __name__ == "__main__":
    main()
