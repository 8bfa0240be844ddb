"""Pictures to files: what is said of each, and how far the work is."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError, InvalidFileError, ModelNotFoundError, UsageError
from imgcodec.bitstream.sections import SectionType
from imgcodec.codec import decode_picture
from imgcodec.metrics.reference import psnr
from imgcodec.pictures import io
from imgcodec.rate_control import RateTarget
from imgcodec.storage.pairs import Pair
from imgcodec.tasks.compress import Compressor, CompressSettings, open_compressor

GOLDEN = Path(__file__).parents[1] / "golden"
SETTINGS = CompressSettings(str(GOLDEN / "tiny.safetensors"))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Two tiles, with an alpha channel."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 110, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((1100, 50), Image.Resampling.BICUBIC)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture(scope="module")
def compressor() -> Compressor:
    return open_compressor(SETTINGS)


def test_a_file_is_written_and_its_facts_travel_between_processes(compressor, picture, tmp_path) -> None:
    made = compressor(Pair(str(picture), str(tmp_path / "a.nic")))
    data = (tmp_path / "a.nic").read_bytes()
    assert (made.width, made.height, made.bytes, made.input_bytes) == (1100, 50, len(data), picture.stat().st_size)
    assert made.bpp == 8 * len(data) / 55000
    assert made.summary == f"{tmp_path / 'a.nic'}: 1100 x 50, {len(data)} bytes, {made.bpp:.3f} bpp"
    assert pickle.loads(pickle.dumps(made)) == made
    assert pickle.loads(pickle.dumps(SETTINGS)) == SETTINGS
    assert any(section.type == SectionType.ALPHA for section in container.read(data).sections)
    with pytest.raises(CodecError, match="exists already"):
        compressor(Pair(str(picture), str(tmp_path / "a.nic")))
    with pytest.raises(InvalidFileError, match="file already; imgcodec decompress makes"):
        compressor(Pair(str(tmp_path / "a.nic"), str(tmp_path / "b.nic")))


@pytest.mark.parametrize("effort", [1, 2])
def test_shares_of_the_work_add_up(compressor, picture, tmp_path, effort) -> None:
    shares: list[float] = []
    how = replace(compressor, settings=replace(SETTINGS, effort=effort))
    how.compress(io.load(picture), Pair(str(picture), str(tmp_path / "a.nic")), shares.append)
    assert len(shares) > 3
    assert sum(shares) == pytest.approx(1, abs=0.02)
    assert how.codec is compressor.codec  # which nobody watches


def test_a_target_is_told_with_what_was_reached(compressor, picture, tmp_path) -> None:
    pixels = io.load(picture).pixels
    compressor(Pair(str(picture), str(tmp_path / "a.nic")))
    decoded = decode_picture(compressor.codec, container.read((tmp_path / "a.nic").read_bytes())).pixels
    settings = replace(SETTINGS, target=RateTarget("psnr", psnr(pixels, decoded) - 0.01))
    made = open_compressor(settings)(Pair(str(picture), str(tmp_path / "b.nic")))
    assert f", quality {made.quality:g}, {made.reached:.2f} dB" in made.summary
    assert made.to_json()["quality"] == made.quality


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"model": "none"}, ModelNotFoundError, "is not installed"),
        ({"quality": 101.0}, UsageError, "must be between 0 and 100"),
        ({"tune": "best"}, UsageError, "has no tune"),
        ({"effort": 12}, UsageError, "effort"),
        ({"features": "open_clip:x/y"}, UsageError, "--features goes with"),
        ({"features_model": SETTINGS.model}, UsageError, "takes a model of the profile semantic"),
    ],
)
def test_what_the_model_does_not_have_is_refused_when_it_is_opened(changes, kind, words) -> None:
    with pytest.raises(kind, match=words):
        open_compressor(replace(SETTINGS, **changes))
