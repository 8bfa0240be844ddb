"""Exact pixels are read the same from the page alone."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from exact.contents import CONTENTS, make
from made_pictures import PHOTOGRAPH
from PIL import Image
from reader import exact_reader, nic_reader

from imgcodec.bitstream.entropy import TOTAL
from imgcodec.encoder import encode_picture
from imgcodec.exact import predicted, tile, vp8l
from imgcodec.exact.tables import frequency_tables
from imgcodec.pictures.picture import Picture

GOLDEN = Path(__file__).parent.parent / "golden"
EXACT = json.loads((GOLDEN / "exact.json").read_text())


def test_the_tables_follow_from_the_page():
    cumulative, shifts = exact_reader.TABLES
    tables = frequency_tables()
    assert shifts == tables.shift.tolist()
    counts = np.diff(np.array(cumulative))
    assert (counts.sum(1) == TOTAL).all()
    np.testing.assert_array_equal(counts, tables.weights.astype(int) + 1)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 9), (2, 6, 1), (3, 2, 3), (3, 33, 18), (4, 17, 40)])
@pytest.mark.parametrize("depth", [8, 12])
@pytest.mark.parametrize("content", CONTENTS)
def test_predicted_samples_are_read_from_the_page_alone(shape, depth, content):
    found = make(content, shape, 2**depth - 1, 7).astype(np.uint8 if depth == 8 else np.uint16)
    data = predicted.encode(found)
    channels, height, width = shape
    assert exact_reader.read_predicted(data, channels, width, height, depth) == found.tolist()


def test_fitted_weights_are_read_from_the_page_alone():
    found = make("smooth", (3, 90, 80), 255, 7).astype(np.uint8)
    data = b"\1" + predicted.encode(found)
    assert any(data[1:8])  # there are some
    assert exact_reader.read_tile(data, 3, 80, 90, 8) == found.tolist()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("content", CONTENTS)
def test_vp8l_is_read_by_a_reader_of_its_own(channels, content):
    found = make(content, (channels, 40, 61), 255, 7).astype(np.uint8)
    assert exact_reader.read_tile(b"\0" + vp8l.encode(found), channels, 61, 40, 8) == found.tolist()


@pytest.mark.parametrize("name", EXACT["files"])
def test_golden_files_are_read_from_the_page_alone(name):
    samples = exact_reader.read_samples((GOLDEN / f"{name}.nic").read_bytes())
    found = np.array(samples, np.uint16 if name.endswith(("bits", "line")) else np.uint8)
    digest = hashlib.sha256(np.array(found.shape, "<i4").tobytes() + found.tobytes())
    assert digest.hexdigest() == EXACT["files"][name]["samples_sha256"]


def test_both_readers_refuse_the_same_methods():
    assert tile.encode(np.zeros((1, 2, 2), np.uint8))[0] in (0, 1)
    for data, depth in ((b"", 8), (b"\2", 8), (b"\0", 16)):
        with pytest.raises(ValueError, match=r"method|more than 8 bits"):
            exact_reader.read_tile(data, 1, 2, 2, depth)


def test_exact_blocks_are_read_from_the_page_alone(tiny_codec):
    pixels = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))[100:292, 200:456].copy()
    pixels[64:128, 128:192] = make("two values", (3, 64, 64), 255, 3).transpose(1, 2, 0)
    pixels[128:192, 64:128] = make("checks", (3, 64, 64), 255, 3).transpose(1, 2, 0)
    file = nic_reader.read(encode_picture(tiny_codec, Picture(pixels), 50).data)
    found = exact_reader.read_blocks(file, 0)
    assert len(found) == 2 * 64 * 64
    assert all(tuple(pixels[place].tolist()) == colour for place, colour in found.items())
