"""The viewer's reader of exact pixels, under Node: those of the program, to the bit."""

import base64
import io
import json
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from drawn_screens import COUNT, screen
from exact.contents import CONTENTS, make
from fuzz.corpus import GOLDEN, seeds
from fuzz.structure import mend, mutate, put_together, take_apart
from made_pictures import PHOTOGRAPH
from PIL import Image

import imgcodec
from imgcodec.bitstream import container
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.codec import decode_picture
from imgcodec.exact import predicted, tile, vp8l
from imgcodec.pictures import io as pictures
from imgcodec.profiles.exact.codec import ExactCodec

EXACT = json.loads((GOLDEN / "exact.json").read_text())["files"]
TINY_ID = bytes.fromhex(json.loads((GOLDEN / "golden.json").read_text())["model"]["id"])
MOST_MEMORY = 2**30  # bytes
MOST_PIXELS = 2**16


def pixels_of(answer: dict) -> np.ndarray:
    """(H, W, channels), without an axis of one channel."""
    shape = answer["height"], answer["width"], answer.get("channels", 3)
    found = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8).reshape(shape)
    return found[..., 0] if shape[2] == 1 else found


def request(data: bytes, shape: tuple[int, int, int], depth: int) -> bytes:
    head = {"channels": shape[0], "height": shape[1], "width": shape[2], "depth": depth}
    return json.dumps(head).encode() + b"\n" + data


def assert_read(ask, cases: list[tuple[bytes, np.ndarray, int]]) -> None:
    """Data of tiles, the samples that they must give, and their depths."""
    *answers, _ = ask("tile", [request(data, samples.shape, depth) for data, samples, depth in cases])
    for answer, (_, samples, _) in zip(answers, cases, strict=True):
        np.testing.assert_array_equal(np.reshape(answer, samples.shape), samples)


@pytest.fixture(scope="module")
def decoded(ask, models):
    """What becomes of the golden files, by their names."""
    *answers, _ = ask("picture", [(GOLDEN / f"{name}.nic").read_bytes() for name in EXACT], str(models))
    return dict(zip(EXACT, answers, strict=True))


@pytest.mark.parametrize("name", EXACT)
def test_golden_files_come_to_their_samples_and_pixels(decoded, name):
    answer, data = decoded[name], (GOLDEN / f"{name}.nic").read_bytes()
    assert answer["sha256"] == EXACT[name]["samples_sha256"]
    np.testing.assert_array_equal(pixels_of(answer), np.asarray(imgcodec.decompress(data)))
    # and the PNG has all of their bits
    written, _ = pictures.encode(decode_picture(ExactCodec(), container.read(data)), "PNG")
    found, expected = (pictures.load(io.BytesIO(png)) for png in (base64.b64decode(answer["png"]), written))
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert (found.alpha is None) == (expected.alpha is None)
    assert (found.wide is not None) == (imgcodec.info(data).bit_depth > 8)
    np.testing.assert_array_equal(found.wide, expected.wide)


@pytest.mark.parametrize("depth", [8, 12, 16])
def test_differences_from_predictions(ask, depth):
    """All channels, sides around powers of two and lines, and weights that are fitted."""
    cases = []
    shapes = [(c, h, w) for c in (1, 2, 3, 4) for h, w in ((1, 1), (1, 9), (6, 1), (2, 3), (17, 33))]
    shapes += [(3, 80, 70), (4, 64, 65)]  # large enough for weights
    for number, shape in enumerate(shapes):
        for content in CONTENTS[number % 2 :: 2]:
            samples = make(content, shape, 2**depth - 1, number).astype(np.uint8 if depth == 8 else np.uint16)
            cases.append((b"\1" + predicted.encode(samples), samples, depth))
    assert sum(any(data[1 : 1 + 2 * samples.shape[0]]) for data, samples, _ in cases) > 4  # some have weights
    assert_read(ask, cases)


def test_bitstreams_of_webp(ask):
    """Drawings and photographs, of all efforts that the library has: all transforms, copies, caches and groups."""
    photograph = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))[200:330, 300:500]
    sources = [photograph, *(np.asarray(screen(seed, 0.4).convert("RGB")) for seed in range(0, COUNT, 4))]
    sources += [make(content, (4, 45, 70), 255, 5).astype(np.uint8).transpose(1, 2, 0) for content in CONTENTS]
    cases, transforms = [], set()
    for pixels in sources:
        for method, quality in ((0, 0), (4, 80), (6, 100)):
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, exact=True, method=method, quality=quality)
            file = buffer.getvalue()
            assert file[12:16] == b"VP8L"
            bits = int.from_bytes(file[20:29], "little") >> 40
            transforms.add((bits & 1) * (1 + (bits >> 1 & 3)))
            data = file[20 : 20 + int.from_bytes(file[16:20], "little")]
            cases.append((b"\0" + data, pixels.transpose(2, 0, 1), 8))
    assert len(transforms) > 2
    assert_read(ask, cases)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels_of_bitstreams(ask, channels):
    cases = [(make(content, (channels, 33, 18), 255, 2)).astype(np.uint8) for content in CONTENTS]
    assert_read(ask, [(b"\0" + vp8l.encode(samples), samples, 8) for samples in cases])


def test_exact_blocks_are_laid_over_what_is_decoded(ask, models, tiny_model):
    """Of the golden file, and of pictures of several tiles, in colours and gray."""
    pixels = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))[100:300, 150:500].copy()
    for left, content in ((0, "two values"), (128, "checks"), (320, "noise")):
        cut = pixels[64:128, left : left + 64]
        cut[:] = make(content, (3, *cut.shape[:2]), 255, 3).transpose(1, 2, 0)
    files = [(GOLDEN / "exact-blocks.nic").read_bytes(), tiny_model.compress(pixels, quality=50)]
    gray = np.asarray(Image.fromarray(pixels).convert("L"))
    files.append(tiny_model.compress(gray, quality=50))
    *answers, _ = ask("picture", files, str(models))
    for data, answer in zip(files, answers, strict=True):
        assert any(section.name == "exact" for section in imgcodec.info(data).sections)
        expected = np.asarray(tiny_model.decompress(data).convert("RGB"), int)
        found = pixels_of(answer).astype(int)
        assert np.abs(found - expected).max() <= 1
        assert answer["sha256"] == tiny_model.read_tokens(data).sha256()
    for answer, original in zip(answers[1:], (pixels, np.repeat(gray[..., None], 3, 2)), strict=True):
        np.testing.assert_array_equal(pixels_of(answer)[64:128, :64], original[64:128, :64])


def verdict(data: bytes, shape: tuple[int, int, int], depth: int) -> np.ndarray | None:
    try:
        return tile.decode(data, shape, depth)
    except InvalidFileError:
        return None


def test_damaged_tiles_get_the_verdict_of_the_program(ask):
    """Bytes changed, cut off and added; what comes through has the same samples."""
    random, cases = Random(5), []
    for number in range(400):
        depth = random.choice((8, 8, 8, 12))
        shape = random.randint(1, 4), random.randint(1, 24), random.randint(1, 24)
        samples = make(random.choice(CONTENTS), shape, 2**depth - 1, number)
        samples = samples.astype(np.uint8) if depth == 8 else samples
        is_drawn = depth == 8 and number % 4
        data = b"\0" + vp8l.encode(samples) if is_drawn else b"\1" + predicted.encode(samples)
        cases.append((damaged(data, random), shape, depth))
    *answers, memory = ask("tile", [request(*case) for case in cases])
    refused = 0
    for answer, case in zip(answers, cases, strict=True):
        expected = verdict(*case)
        if expected is None:
            refused += 1
            assert "error" in answer, case
            assert answer["error"].endswith(".")
        else:
            np.testing.assert_array_equal(np.reshape(answer, case[1]), expected)
    assert 50 < refused < 350
    assert memory["peak"] < MOST_MEMORY


def damaged(data: bytes, random: Random) -> bytes:
    at = random.randrange(1, len(data))
    match random.randrange(4):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + random.randbytes(random.randint(1, 4)) + data[at + random.randint(0, 4) :]
        case 2:
            return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
        case _:
            return data + random.randbytes(3)


def test_hostile_files_end_in_a_sentence_or_a_picture(ask, models):
    """Relatives of exact files, and of one with exact blocks."""
    random = Random(11)
    corpus = [data for name, data in seeds() if name.startswith("exact")]
    files = []
    for _ in range(500):
        data = random.choice(corpus)
        changed = mutate(data, random)
        files.append(small(mend(changed, TINY_ID) if data == corpus[-1] else mend(changed)))
    *answers, memory = ask("picture", files, str(models), timeout=600)
    assert all(answer["error"].endswith(".") for answer in answers if "error" in answer)
    assert 50 < sum("pixels" in answer for answer in answers) < 450
    assert memory["peak"] < MOST_MEMORY


def small(data: bytes) -> bytes:
    """The file, or one of no pixels where it says that it has many, whose decoding takes long and is no hang."""
    try:
        parts = take_apart(data)
    except ValueError:
        return data
    return data if parts.width * parts.height <= MOST_PIXELS else data[:9] + b"\0\0" + data[11:]


def test_alpha_twice_is_refused(ask, models):
    """Which the format does not have: alpha is a channel here."""
    parts = take_apart((GOLDEN / "exact-gray.nic").read_bytes())
    alpha = take_apart((GOLDEN / "alpha.nic").read_bytes()).sections
    section = next(part for part in alpha if part.kind == 2)
    data = put_together(replace(parts, sections=(*parts.sections[:-1], section, parts.sections[-1])))
    answer, _ = ask("picture", [data], str(models))
    assert "alpha" in answer["error"]
