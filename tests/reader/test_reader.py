"""Golden files, read from `docs/format.md` alone: plain Python integers get the same tokens out as the program."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_pictures import PHOTOGRAPH
from PIL import Image
from reader import integer_prior, nic_reader
from two_tunes import save_two_tunes

from imgcodec.bitstream import container
from imgcodec.codec import load_codec, tokenize
from imgcodec.encoder import encode_picture
from imgcodec.pictures.picture import Picture

GOLDEN = Path(__file__).parent.parent / "golden"
INDEX = json.loads((GOLDEN / "golden.json").read_text())


@pytest.fixture
def model():
    return integer_prior.read_model((GOLDEN / INDEX["model"]["file"]).read_bytes())


def test_the_id_of_a_model_follows_from_the_specification(model):
    assert model.id().hex() == INDEX["model"]["id"]


@pytest.mark.parametrize("name", INDEX["files"])
def test_the_independent_reader_reads_the_golden_tokens(model, name):
    tokens = integer_prior.read_tokens((GOLDEN / f"{name}.nic").read_bytes(), model)
    assert integer_prior.sha256(tokens) == INDEX["files"][name]["tokens_sha256"]


@pytest.mark.parametrize("tune", ["psnr", "visual"])
def test_the_independent_reader_reads_both_tunes(tune, tmp_path):
    save_two_tunes(tmp_path / "both.safetensors")
    codec = load_codec(tmp_path / "both.safetensors")
    pixels = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))[200:290, 100:210]
    data = encode_picture(codec, Picture(pixels), 37.5, tune=tune).data
    read = integer_prior.read_tokens(data, integer_prior.read_model((tmp_path / "both.safetensors").read_bytes()))
    assert integer_prior.sha256(read) == tokenize(codec, pixels, 37.5, tune).sha256()


def test_both_readers_skip_unknown_optional_sections(model):
    """Optional sections of tomorrow between all others, and one that must be known."""
    data = (GOLDEN / "everything.nic").read_bytes()
    file = nic_reader.read(data)
    assert (file.tile_size, file.tile_count) == (64, 6)
    assert [kind for kind, *_ in file.sections] == [128, *[1] * 12, 2, 129, 130, 131]
    entries = container.read(data).entries
    unknown = section(133, 7, 300, b"of tomorrow")
    crowded = data[: entries[0].offset]
    for entry in entries:
        crowded += unknown + data[entry.offset : entry.offset + entry.size]
    assert nic_reader.read(crowded) == file
    assert container.read(crowded).sections == container.read(data).sections
    damaged = crowded.replace(b"of tomorrow", b"of tomorrov", 1)
    critical = data[: entries[0].offset] + section(5, 0, 0, b"") + data[entries[0].offset :]
    for bad in (damaged, critical):
        with pytest.raises(ValueError, match=r"wrong checksum|must be known"):
            nic_reader.read(bad)


def section(kind: int, stage: int, tile: int, data: bytes) -> bytes:
    body = bytes([kind, stage, tile % 128 | 128, tile // 128] if tile > 127 else [kind, stage, tile])
    body += bytes([len(data)]) + data
    return body + nic_reader.crc32c(body).to_bytes(4, "little")


def test_a_file_of_another_model_is_refused(model):
    data = (GOLDEN / "one-pixel.nic").read_bytes()
    model.tensors["tables.shift"].data = bytes(1024)
    with pytest.raises(ValueError, match="not a file of this model"):
        integer_prior.read_tokens(data, model)


def test_the_reader_needs_nothing_but_python():
    program = f"import sys; sys.path.insert(0, {str(GOLDEN.parent)!r}); import reader.integer_prior"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)
