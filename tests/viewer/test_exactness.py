"""The page's decoder as a setting of `benchmarks/exactness.py`."""

from pathlib import Path

from fuzz.corpus import GOLDEN
from made_pictures import PHOTOGRAPH
from PIL import Image

ROOT = Path(__file__).parents[2]


def test_the_page_reads_the_same_tokens_in_one_thread_and_two(exactness, built, tmp_path, monkeypatch):
    monkeypatch.setattr(exactness, "QUALITIES", (90.0,))
    (tmp_path / "pictures").mkdir()
    Image.open(PHOTOGRAPH).convert("RGB").crop((400, 250, 521, 351)).save(tmp_path / "pictures" / "odd.png")
    settings = [exactness.cpu(), *exactness.page_settings(built)]
    model = str(GOLDEN / "tiny.safetensors")
    result = exactness.measure(settings, [model], tmp_path / "pictures", tmp_path / "files")
    assert exactness.is_exact(result)
    assert (result["files_written"], result["files_read"]) == (1, 3)
    stages = [2 * 2 * 4, 7 * 8 * 6]  # rows, columns and groups of the tiny model
    assert result["tokens_compared"] == 3 * sum(stages)
    assert [result["settings"][setting.name]["threads"] for setting in settings] == [1, 1, 2]
