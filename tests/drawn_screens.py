"""Screenshots that are drawn, not kept: text in several sizes and two fonts, dithering, checkerboards, gradients,
icons, charts. For the tests and for `benchmarks/lossless.py`."""

from random import Random

import numpy as np
from made_pictures import PHOTOGRAPH
from PIL import Image, ImageDraw, ImageFont

COUNT = 30
_WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "lazy",
    "dog",
    "File",
    "Edit",
    "View",
    "Search",
    "Tools",
    "Window",
    "Help",
    "compress",
    "picture",
    "quality",
    "tokens",
    "section",
    "result",
    "0123456789",
    "error",
    "warning",
    "Cancel",
    "OK",
    "Apply",
    "settings",
    "network",
    "downloaded",
    "bytes",
    "minutes",
    "remaining",
]


def screen(seed: int, scale: float = 1.0) -> Image.Image:
    """One of a kind: `seed` modulo 6 says which. scale: of its sides, 200 to 700 and 150 to 500 pixels."""
    random = Random(seed)
    width, height = int(random.randrange(200, 700) * scale), int(random.randrange(150, 500) * scale)
    kinds = (_text, _text, _dithered, _gradient, _chart, _toolbar)
    return kinds[seed % 6](random, width, height)


def _sentence(random: Random, count: int) -> str:
    return " ".join(random.choice(_WORDS) for _ in range(count))


def _colour(random: Random) -> tuple[int, int, int]:
    return random.randrange(256), random.randrange(256), random.randrange(256)


def _text(random: Random, width: int, height: int) -> Image.Image:
    paper = random.choice([255, 255, 240, 30, random.randrange(256)])
    image = Image.new("RGB", (width, height), (paper,) * 3)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, 24), fill=(60, 90, 160))
    draw.text((6, 4), _sentence(random, 4), fill="white", font=ImageFont.load_default(13))
    is_bitmap, y = random.random() < 0.4, 30
    while y < height - 20:
        size = random.choice([10, 11, 12, 14, 18, 24])
        font = ImageFont.load_default_imagefont() if is_bitmap else ImageFont.load_default(size)
        ink = random.choice(["black" if paper > 128 else "white", (200, 30, 30), (30, 30, 200)])
        draw.text((10 + random.choice([0, 0, 20]), y), _sentence(random, random.randrange(3, 14)), fill=ink, font=font)
        y += size + 6
    return image


def _dithered(random: Random, width: int, height: int) -> Image.Image:
    ramp = np.broadcast_to(np.arange(width) * 255 // width, (height, width)).astype(np.uint8)
    colours = Image.merge("RGB", [Image.fromarray(ramp), Image.fromarray(255 - ramp), Image.fromarray(ramp // 2)])
    mode = random.choice(["1", "P"])
    image = colours.convert(mode, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB")
    for _ in range(4):
        place = random.randrange(max(1, width - 60)), random.randrange(max(1, height - 60))
        checks = np.indices((60, 60)).sum(0) // random.choice([1, 2, 4]) % 2 * 255
        image.paste(Image.fromarray(checks.astype(np.uint8)), place)
    ImageDraw.Draw(image).text((10, 10), _sentence(random, 5), fill="red", font=ImageFont.load_default(16))
    return image


def _gradient(random: Random, width: int, height: int) -> Image.Image:
    rows, columns = np.indices((height, width))
    share = (rows / height if random.random() < 0.5 else (rows + columns) / (height + width))[..., None]
    ends = np.array(_colour(random)), np.array(_colour(random))
    image = Image.fromarray(np.rint(ends[0] * (1 - share) + ends[1] * share).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for number in range(12):
        x, y = 20 + number % 6 * max(1, width - 60) // 6, 20 + number // 6 * 80
        draw.rounded_rectangle((x, y, x + 40, y + 40), 8, fill=_colour(random))
        draw.ellipse((x + 8, y + 8, x + 32, y + 32), fill=_colour(random))
        draw.text((x, y + 44), random.choice(_WORDS), fill="white", font=ImageFont.load_default(11))
    return image


def _chart(random: Random, width: int, height: int) -> Image.Image:
    large = Image.new("RGB", (4 * width, 4 * height), "white")
    draw = ImageDraw.Draw(large)
    for _ in range(3):
        y, points = random.randrange(4 * height), []
        for x in range(0, 4 * width, 40):
            y += random.randrange(-60, 61)
            points.append((x, y))
        draw.line(points, fill=_colour(random), width=6)
    image = large.resize((width, height), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(image)
    for x in range(0, width, 50):
        draw.line((x, 0, x, height), fill=(220, 220, 220))
        draw.text((x + 2, height - 14), str(x), fill=(90, 90, 90), font=ImageFont.load_default(10))
    for y in range(0, height, 40):
        draw.line((0, y, width, y), fill=(220, 220, 220))
        draw.text((2, y), str(height - y), fill=(90, 90, 90), font=ImageFont.load_default(10))
    return image


def _toolbar(random: Random, width: int, height: int) -> Image.Image:
    image = _text(random, width, height)
    draw = ImageDraw.Draw(image)
    for number in range(8):
        x = 10 + number * 36
        draw.rectangle((x, 30, x + 30, 60), outline=(120, 120, 120), fill=(235, 235, 235))
        draw.ellipse((x + 6, 36, x + 24, 54), fill=_colour(random), outline="black")
    return image


def slide() -> Image.Image:
    """640 x 400 pixels of small text, with a photograph in it."""
    random = Random(1)
    image = Image.new("RGB", (640, 400), "white")
    draw = ImageDraw.Draw(image)
    for y in range(6, 396, 13):
        draw.text((8, y), _sentence(random, 16), fill="black", font=ImageFont.load_default(10))
    with Image.open(PHOTOGRAPH) as photograph:
        image.paste(photograph.convert("RGB").crop((200, 100, 440, 340)), (352, 80))
    return image
