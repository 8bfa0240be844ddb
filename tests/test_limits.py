"""Limits: each refuses what is one beyond it, before anything of the size is made, and takes what is at it."""

import io
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from in_process import invoke, invoke_silent
from PIL import Image

import imgcodec
from imgcodec import InvalidFileError, api
from imgcodec.bitstream import container
from imgcodec.bitstream.container import write
from imgcodec.bitstream.header import Header, Profile, write_header
from imgcodec.bitstream.payload import pack_bytes
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.pictures import io as image
from imgcodec.pictures.io import Picture
from imgcodec.pictures.sections import apply_sections
from imgcodec.profiles.decodable import check_decodable, check_header, read_decodable
from imgcodec.profiles.layout import LARGEST_TILE
from imgcodec.storage import files

GOLDEN = Path(__file__).parent / "golden"
DATA = (GOLDEN / "odd-size.nic").read_bytes()  # 100 x 75
FILE = container.read(DATA)


def refusal(call, *arguments) -> str:
    with pytest.raises(InvalidFileError) as caught:
        call(*arguments)
    return str(caught.value)


def header_of(width: int, height: int, tile_size: int = 0) -> Header:
    return replace(FILE.header, width=width, height=height, tile_size=tile_size)


def test_pixels_to_the_one(tiny_model):
    assert tiny_model.decompress(DATA, max_pixels=7500).size == (100, 75)
    assert tiny_model.read_tokens(DATA, max_pixels=7500).header.width == 100
    for call in (tiny_model.decompress, tiny_model.read_tokens, imgcodec.decompress, imgcodec.read_tokens):
        with pytest.raises(InvalidFileError, match="100 x 75 pixels is over the limit of 7499 pixels"):
            call(DATA, max_pixels=7499)


def test_a_limit_may_be_raised():
    header = header_of(2**15, 2**14, 1024)
    tokens = [Section(SectionType.TOKENS, stage, tile, b"") for stage in range(2) for tile in range(512)]
    data = write(header, tokens)
    assert "over the limit of 268435456 pixels" in refusal(container.read, data)
    assert read_decodable(data, 2**29).header == header


def test_a_narrow_tile_is_counted_with_its_padding():
    """A tile of 1 x 2^22 pixels would be 2^18 times what a window is for the prior."""
    for width, height in ((2048, 2048), (1, 2**14), (2**12, 2**10)):
        check_header(header_of(width, height))
    for width, height in ((2048, 2049), (1, 2**14 + 1), (2**13, 513)):
        assert "over the limit of 4194304 pixels" in refusal(check_header, header_of(width, height))
    check_header(header_of(2**14, 2**14, 2048))
    assert "tiles of 2112 x 2112" in refusal(check_header, header_of(2**14, 2**14, 2112))
    assert LARGEST_TILE == 2**22


def test_profile_and_stages_are_checked_before_a_model_is_looked_for(monkeypatch):
    monkeypatch.setattr(api, "find_model_by_id", lambda _: pytest.fail("a model was looked for"))
    for change, words in (({"profile": Profile.SEMANTIC}, "semantic"), ({"stage_count": 1}, "1 stages")):
        header = replace(FILE.header, **change)
        data = write(header, FILE.sections[: header.stage_count])
        assert words in refusal(imgcodec.decompress, data)
        assert words in refusal(imgcodec.read_tokens, data)


@pytest.mark.parametrize("kind", [SectionType.ICC, SectionType.EXIF, SectionType.XMP, SectionType.ALPHA])
def test_what_unpacks_to_too_much_is_refused_before_a_model_is_looked_for(monkeypatch, kind):
    monkeypatch.setattr(api, "find_model_by_id", lambda _: pytest.fail("a model was looked for"))
    limit = 7500 if kind == SectionType.ALPHA else 2**24
    bomb = pack_bytes(bytes(limit + 1))
    assert len(bomb) < 2000
    for data in (bomb, pack_bytes(bytes(limit))[:2], b"no frame"):
        file = write(FILE.header, [*FILE.sections, Section(kind, 0, 0, data)])
        assert "compressed section" in refusal(imgcodec.decompress, file)
    check_decodable(container.read(write(FILE.header, [*FILE.sections, Section(kind, 0, 0, pack_bytes(bytes(limit)))])))


def test_alpha_of_another_size_is_refused_before_a_model_is_looked_for(monkeypatch):
    monkeypatch.setattr(api, "find_model_by_id", lambda _: pytest.fail("a model was looked for"))
    data = write(FILE.header, [*FILE.sections, Section(SectionType.ALPHA, 0, 0, pack_bytes(bytes(7499)))])
    assert "alpha section does not have the size" in refusal(imgcodec.decompress, data)


def test_an_endless_input_is_refused(tmp_path, monkeypatch):
    (tmp_path / "long").write_bytes(bytes(3000))
    assert len(files.read(tmp_path / "long", 3000)) == 3000
    assert "long has more than the limit of 2999 bytes." in refusal(files.read, tmp_path / "long", 2999)
    assert "/dev/zero has more than the limit" in refusal(files.read, "/dev/zero", 2**21)
    read, write_end = os.pipe()
    os.write(write_end, bytes(5000))
    os.close(write_end)
    with os.fdopen(read, "r") as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        assert "Standard input has more than the limit of 4999 bytes." in refusal(files.read, "-", 4999)


def test_nothing_is_made_of_the_size_that_a_refused_file_asks_for(tiny_model):
    tokens = [Section(SectionType.TOKENS, stage, 0, b"") for stage in range(2)]
    hostile = [
        write_header(header_of(2**32 - 1, 2**32 - 1)),
        write_header(header_of(1, 2**28, 64)),
        write(header_of(2**14, 2**14), tokens),
        write(FILE.header, [*FILE.sections, Section(SectionType.ICC, 0, 0, pack_bytes(bytes(2**24 + 1)))]),
    ]
    tracemalloc.start()
    try:
        for data in hostile:
            refusal(tiny_model.decompress, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_the_memory_of_gray_is_that_of_colour():
    """The weights of luma are real numbers: of the whole picture at once they took twelve bytes a pixel."""
    pixels = np.random.default_rng(1).integers(0, 256, (2048, 512, 3), np.uint8)
    header = replace(header_of(512, 2048), colour_mode=0)
    file = container.Container(header, (), 0, ())
    tracemalloc.start()
    try:
        gray = apply_sections(pixels, file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert gray.gray
    assert peak < 1.5 * pixels.nbytes


@pytest.mark.parametrize("command", ["compress", "decompress", "info"])
def test_max_pixels_of_the_command_line(tmp_path, command):
    (tmp_path / "a.nic").write_bytes(DATA)
    (tmp_path / "a.png").write_bytes(image.encode(Picture(np.zeros((75, 100, 3), np.uint8)), "PNG")[0])
    source = tmp_path / ("a.png" if command == "compress" else "a.nic")
    output = [] if command == "info" else ["-o", tmp_path / ("b.nic" if command == "compress" else "b.png")]
    model = ["--model", GOLDEN / "tiny.safetensors"]
    code, told = invoke_silent(command, source, *output, *model, "--max-pixels", 7499)
    assert code == 3
    assert "over the limit of 7499 pixels" in told
    assert told.count("\n") == 1
    assert invoke(command, source, *output, *model, "--max-pixels", 7500)[0] == 0
    assert invoke(command, source, "--max-pixels", 0)[0] == 2


def test_the_guard_of_a_command_is_above_pillows(tmp_path):
    """90 megapixels, of which Pillow would warn, and 180, which it would refuse, are a matter of the limit alone."""
    for side, limit in ((9500, 2**20), (13500, 2**27)):
        buffer = io.BytesIO()
        Image.new("1", (side, side)).save(buffer, "PNG")
        assert f"over the limit of {limit} pixels" in refusal(image.load, buffer.getvalue(), limit)
