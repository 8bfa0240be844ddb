"""Facts of files: what a .nic file says of itself is what decoding it gives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_file import END, HEADER, SMALL_FILE, TOKENS, raw_section

import imgcodec
from imgcodec import InvalidFileError
from imgcodec.bitstream import container
from imgcodec.bitstream.container import write
from imgcodec.bitstream.header import Profile
from imgcodec.file_info import describe

GOLDEN = Path(__file__).parent / "golden"
NIC = GOLDEN / "odd-size.nic"


@pytest.mark.parametrize("name", ["everything", "gray", "alpha", "odd-size", "two-tiles", "bsq-odd-size"])
def test_info_is_what_decoding_gives(name):
    path = GOLDEN / f"{name}.nic"
    found, file = imgcodec.info(path), container.read(path.read_bytes())
    expected = Image.open(GOLDEN / f"{name}.png")
    assert (found.size, found.mode, found.bit_depth) == (expected.size, expected.mode, 8)
    assert found.bytes == path.stat().st_size == found.header_bytes + sum(s.bytes for s in found.sections)
    assert [s.name for s in found.sections] == [entry.name for entry in file.entries]
    assert found.model_id == file.header.codebook_id.hex()
    assert found.model is None
    if name.startswith("bsq"):
        assert (found.profile, found.quality, found.tune) == ("raster", None, None)
    else:
        assert (found.profile, found.quality, found.tune) == ("photo", file.header.quality / 256, "psnr")
    assert found.bpp == 8 * found.bytes / (expected.width * expected.height)


def test_info_names_the_installed_model():
    data = imgcodec.compress(np.zeros((9, 9, 3), np.uint8), model="bsq")
    assert imgcodec.info(data).model == "bsq"


def test_info_refuses_what_is_no_whole_file():
    data = NIC.read_bytes()
    for wrong in (b"", data[:-1], data[:50] + bytes([data[50] ^ 1]) + data[51:], b"GIF89a"):
        with pytest.raises(InvalidFileError):
            imgcodec.info(wrong)
    with pytest.raises(InvalidFileError, match="over the limit of 99 pixels"):
        imgcodec.info(NIC, max_pixels=99)


def test_a_section_of_tomorrow_has_its_number_for_a_name():
    found = describe(container.read(SMALL_FILE[:-8] + raw_section(200, 0, 0, b"of tomorrow") + END))
    assert [section.name for section in found.sections] == ["icc", "tokens", "tokens", "type 200", "end"]
    assert found.sections[3].data_bytes == len(b"of tomorrow")


def test_a_file_of_a_model_that_is_not_installed_and_of_a_profile_of_one_rate():
    found = describe(container.read(write(replace(HEADER, profile=Profile.SEMANTIC), TOKENS)))
    assert (found.model, found.model_id, found.profile) == (None, HEADER.codebook_id.hex(), "semantic")
    assert (found.quality, found.tune) == (None, None)
