"""Limits: each refuses what is one beyond it, before anything of the size is made, and takes what is at it."""

import io
import os
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from in_process import invoke, invoke_silent
from odd_size import DATA, FILE, GOLDEN, header_of, refusal
from PIL import Image

import imgcodec
from imgcodec import InvalidFileError
from imgcodec.bitstream import container
from imgcodec.bitstream.container import write
from imgcodec.bitstream.header import ColourMode, write_header
from imgcodec.bitstream.payload import pack_bytes
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.pictures import io as image
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.sections import apply_sections
from imgcodec.storage import files


def test_the_limit_on_pixels_is_exact(tiny_model):
    assert tiny_model.decompress(DATA, max_pixels=7500).size == (100, 75)
    assert tiny_model.read_tokens(DATA, max_pixels=7500).header.width == 100
    for call in (tiny_model.decompress, tiny_model.read_tokens, imgcodec.decompress, imgcodec.read_tokens):
        with pytest.raises(InvalidFileError, match="100 x 75 pixels is over the limit of 7499 pixels"):
            call(DATA, max_pixels=7499)


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


def test_a_refused_file_allocates_nothing_of_its_size(tiny_model):
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


def test_gray_pictures_take_no_more_memory_than_colour():
    """The weights of luma are real numbers: of the whole picture at once they took twelve bytes a pixel."""
    pixels = np.random.default_rng(1).integers(0, 256, (2048, 512, 3), np.uint8)
    header = replace(header_of(512, 2048), colour_mode=ColourMode.GRAY)
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
def test_the_option_max_pixels(tmp_path, command):
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


def test_pictures_over_pillows_limit_are_read_up_to_ours(tmp_path):
    """90 megapixels, of which Pillow would warn, and 180, which it would refuse, are a matter of the limit alone."""
    for side, limit in ((9500, 2**20), (13500, 2**27)):
        buffer = io.BytesIO()
        Image.new("1", (side, side)).save(buffer, "PNG")
        assert f"over the limit of {limit} pixels" in refusal(image.load, buffer.getvalue(), limit)
