"""The viewer's reader of the container agrees with the program's, on whole files and on hostile ones."""

from random import Random

import google_crc32c
import pytest
from fuzz.corpus import seeds
from fuzz.structure import mutate

from imgcodec.bitstream import container
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.limits import Limits
from imgcodec.bitstream.sections import unpack_fields

SEEDS = dict(seeds())
LIMITS = Limits(pixels=2**26)  # the page's
HOSTILE = 1000
MOST_MEMORY = 2**28  # bytes of Node: it takes 85 MB
EXTRAS = ("alpha", "icc", "exif", "xmp", "density")


def told(data: bytes) -> dict | None:
    """What the program's reader says of a file, as the viewer's does; None where it refuses the file."""
    try:
        file = container.read(data, limits=LIMITS)
        fields = unpack_fields(file.sections, file.header)
    except InvalidFileError:
        return None
    header = file.header
    extras = {}
    for name in EXTRAS:
        if fields.get(name) is not None:
            value = fields[name]
            extras[name] = list(value) if name == "density" else crc(bytes(value))
    return {
        "header": {
            "version": header.version, "width": header.width, "height": header.height,
            "isGray": header.colour_mode.is_gray, "hasAlpha": header.colour_mode.has_alpha,
            "bitDepth": header.bit_depth, "profile": header.profile.name.lower(), "tune": int(header.tune),
            "quality": header.quality, "tileSize": header.tile_size, "stages": header.stage_count,
            "firstCalls": header.first_calls, "codebookId": header.codebook_id.hex(),
        },
        "tiles": [[[part.first, part.end, crc(part.data)] for part in tile.parts] for tile in file.tokens()],
        "extras": extras,
        "entries": [[entry.name, entry.offset, entry.size] for entry in file.entries],
    }  # fmt: skip


def crc(data: bytes) -> int:
    return int(google_crc32c.value(data))


def test_whole_files(ask):
    *answers, _ = ask("container", SEEDS.values())
    for (name, data), answer in zip(SEEDS.items(), answers, strict=True):
        expected = told(data)
        if expected is None:
            assert answer["kind"] == "file", name
        else:
            assert answer == expected, name


def test_hostile_files_get_the_same_verdict_and_little_memory(ask):
    """Files of the fuzzing corpus with their structure changed, and with bytes replaced."""
    random = Random(17)
    files = [mutate(random.choice(list(SEEDS.values())), random) for _ in range(HOSTILE // 2)]
    files += [with_damage(random.choice(list(SEEDS.values())), random) for _ in range(HOSTILE // 2)]
    expected = [told(data) for data in files]
    *answers, memory = ask("container", files, timeout=60)
    assert [None if "error" in answer else answer for answer in answers] == expected
    assert all(answer["error"].endswith(".") for answer in answers if "error" in answer)
    assert 50 < sum(map(bool, expected)) < HOSTILE  # some get through
    assert memory["peak"] < MOST_MEMORY


def with_damage(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + random.randbytes(random.randint(0, 6)) + data[at + random.randint(0, 4) :]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "not a .nic file"),
        (b"\x8fNIC\n\x1a\n" + bytes(30), "text mode"),
        (SEEDS["odd-size"][:-9], "cut short"),
        (SEEDS["odd-size"] + b"\0", "goes on"),
    ],
)
def test_what_is_wrong_is_said(ask, data, word):
    answer, _ = ask("container", [data])
    assert word in answer["error"]
