"""The same tokens and bytes under other instruction sets and numbers of threads, each in a process of its own.

PyTorch and oneDNN choose their kernels by the processor; the environment makes them choose those of others. What is
done under each setting, and the same over versions of PyTorch and on a GPU, is in `benchmarks/exactness.py`.
"""

import importlib.util
import sys
from pathlib import Path

import pytest
from PIL import Image

from imgcodec.model_file.find import installed_models

ROOT = Path(__file__).parent.parent
TINY = str(ROOT / "tests" / "golden" / "tiny.safetensors")
BSQ = str(ROOT / "tests" / "golden" / "bsq.safetensors")
MODELS = [TINY, BSQ, *(name for name in installed_models() if name == "photo")]
RATES = 3 + 1 + 2 * 3  # of these models: qualities, one rate, tunes and qualities


@pytest.fixture(scope="module")
def exactness():
    """The benchmark, as a module."""
    spec = importlib.util.spec_from_file_location("exactness", ROOT / "benchmarks" / "exactness.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["exactness"] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pictures(tmp_path):
    """Two parts of the example photograph, one of them no multiple of anything."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    photograph = Image.open(ROOT / "examples" / "photo.png").convert("RGB")
    photograph.crop((100, 200, 228, 328)).save(folder / "square.png")
    photograph.crop((400, 250, 501, 325)).save(folder / "odd.png")
    return folder


def assert_exact(result, settings):
    assert result["wrong_tokens"] == []
    assert result["other_bytes"] == []
    assert result["largest_pixel_difference"] <= 1
    written = len(settings) * 2 * RATES  # two pictures
    assert result["files_written"] == written
    assert result["files_read"] == written * len(settings)
    assert result["tokens_compared"] >= 100 * result["files_read"]


def test_files_decode_under_other_instruction_sets_and_threads(exactness, pictures, tmp_path):
    settings = [
        exactness.cpu(),
        exactness.cpu("default", "SSE41", threads=2),
        exactness.cpu("avx512", threads=2),
    ]
    result = exactness.measure(settings, MODELS, pictures, tmp_path / "files")
    assert_exact(result, settings)
    described = list(result["settings"].values())
    assert [d["threads"] for d in described] == [1, 2, 2]
    assert described[1]["capability"] in ("DEFAULT", "NO AVX")
    assert [d["onednn"] for d in described] == ["best", "SSE41", "best"]


@pytest.mark.slow
def test_files_decode_under_every_combination(exactness, pictures, tmp_path):
    settings = exactness.every_cpu_setting()
    assert_exact(exactness.measure(settings, MODELS, pictures, tmp_path / "files"), settings)


def test_a_difference_would_be_noticed(exactness, tmp_path):
    """The same measurement, with readers that lie."""

    class Liar(exactness.Setting):
        def run(self, what, *arguments):
            file = {"tokens": "aa", "token_count": 1, "sha256": "cc", "same_bytes": True, "largest_difference": 0}
            if what == "write":
                return {"under": {}, "files": {"m/p.nic": file}}
            return {"under": {}, "files": {f"{name}/m/p.nic": file | self.environment for name in ("one", "other")}}

    for lie in ({"tokens": "bb"}, {"same_bytes": False}, {"largest_difference": 2}):
        settings = [Liar("one"), Liar("other", lie)]
        assert not exactness.is_exact(exactness.measure(settings, [], tmp_path, tmp_path))
    honest = [Liar("one"), Liar("other")]
    assert exactness.is_exact(exactness.measure(honest, [], tmp_path, tmp_path))
