"""Files to pictures: the model of each, what is left of damaged ones, and how far the work is."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from imgcodec.bitstream.errors import InvalidFileError, ModelNotFoundError, UsageError
from imgcodec.storage.pairs import Pair
from imgcodec.tasks.decompress import DecompressSettings, open_decompressor, open_file

GOLDEN = Path(__file__).parents[1] / "golden"
SETTINGS = DecompressSettings(str(GOLDEN / "tiny.safetensors"))


def test_pictures_are_written_and_their_facts_travel_between_processes(tmp_path: Path) -> None:
    source, output = GOLDEN / "two-tiles.nic", tmp_path / "a.png"
    shares: list[float] = []
    made = open_decompressor(SETTINGS).decompress(
        open_file(str(source), SETTINGS), Pair(str(source), str(output)), shares.append
    )
    assert (made.width, made.height) == Image.open(output).size == (1100, 40)
    assert (made.bytes, made.input_bytes, made.is_whole) == (output.stat().st_size, source.stat().st_size, True)
    assert made.lines == []
    assert pickle.loads(pickle.dumps(made)) == made
    assert pickle.loads(pickle.dumps(SETTINGS)) == SETTINGS
    assert len(shares) > 3
    assert sum(shares) == pytest.approx(1, abs=0.02)


def test_each_file_has_the_model_that_it_names(tmp_path: Path) -> None:
    decompress = open_decompressor(DecompressSettings())
    with pytest.raises(ModelNotFoundError):
        decompress(Pair(str(GOLDEN / "odd-size.nic"), str(tmp_path / "a.png")))
    named = open_decompressor(SETTINGS)
    for name in ("odd-size", "gray"):
        named(Pair(str(GOLDEN / f"{name}.nic"), str(tmp_path / f"{name}.png")))
    assert len(named.models.loaded) == 1  # once for both


def test_what_is_left_of_a_file_is_no_whole_one(tmp_path: Path) -> None:
    cut, output = tmp_path / "cut.nic", str(tmp_path / "a.jpg")
    cut.write_bytes((GOLDEN / "two-tiles.nic").read_bytes()[:-40])
    with pytest.raises(InvalidFileError):
        open_file(str(cut), SETTINGS)
    for changes, is_whole in (({"allow_partial": True}, True), ({"allow_damaged": True}, False)):
        made = open_decompressor(replace(SETTINGS, **changes))(Pair(str(cut), output, replace=True))
        assert made.is_whole == is_whole
        assert any("cut short" in line for line in made.lines)


def test_drawing_is_for_what_is_drawn() -> None:
    with pytest.raises(UsageError, match="--steps is for files of the profile semantic"):
        open_file(str(GOLDEN / "gray.nic"), replace(SETTINGS, drawing={"steps": 3}))
