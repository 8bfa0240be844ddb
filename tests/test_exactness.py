"""The same tokens and bytes under other instruction sets and numbers of threads, each in a process of its own.

PyTorch and oneDNN choose their kernels by the processor; the environment makes them choose those of others. What is
done under each setting, and the same over versions of PyTorch and on a GPU, is in `benchmarks/exactness.py`.
"""

import json
import os
import warnings
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from made_pictures import PHOTOGRAPH
from PIL import Image

from imgcodec.model_file.find import installed_models

ROOT = Path(__file__).parent.parent
TINY = str(ROOT / "tests" / "golden" / "tiny.safetensors")
BSQ = str(ROOT / "tests" / "golden" / "bsq.safetensors")
MODELS = [TINY, BSQ, *(name for name in installed_models() if name == "photo")]


@pytest.fixture
def pictures(tmp_path):
    """Two parts of the example photograph, one of them no multiple of anything."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    photograph = Image.open(PHOTOGRAPH).convert("RGB")
    photograph.crop((100, 200, 164, 264)).save(folder / "square.png")
    photograph.crop((400, 250, 471, 301)).save(folder / "odd.png")
    return folder


def assert_exact(result, settings, qualities):
    assert result["wrong_tokens"] == []
    assert result["other_bytes"] == []
    assert result["largest_pixel_difference"] <= 1
    rates = len(qualities) + 1 + 2 * len(qualities)  # of these models: qualities, one rate, tunes and qualities
    written = len(settings) * 2 * rates  # two pictures
    assert result["files_written"] == written
    assert result["files_read"] == written * len(settings)
    assert result["tokens_compared"] >= 100 * result["files_read"]


@pytest.fixture
def settings(exactness):
    """All that this processor has; the rest is named in the summary of the tests."""
    capability = torch.backends.cpu.get_cpu_capability()
    if lacking := exactness.left_out(capability):
        warnings.warn(f"not tested, because the processor lacks it: {', '.join(lacking)}", stacklevel=1)
    return exactness.every_cpu_setting(capability)


def test_files_decode_under_other_instruction_sets_and_threads(exactness, pictures, tmp_path, monkeypatch):
    """The newest against the oldest, at a quality at which encoders choose different tokens."""
    monkeypatch.setattr(exactness, "QUALITIES", (90.0,))
    settings = [exactness.cpu(), exactness.cpu("default", "SSE41", threads=2)]
    result = exactness.measure(settings, MODELS, pictures, tmp_path / "files")
    assert_exact(result, settings, exactness.QUALITIES)
    for setting in settings:
        described, environment = result["settings"][setting.name], {**os.environ, **setting.environment}
        assert described["threads"] == int(environment["OMP_NUM_THREADS"])
        assert described["onednn"] == environment.get("ONEDNN_MAX_CPU_ISA", "best")
        if (wanted := environment.get("ATEN_CPU_CAPABILITY")) is not None:
            assert exactness.runs_on(described["capability"])[-1] == wanted


def test_files_of_both_engines_decode_under_both(exactness, pictures, tmp_path, monkeypatch):
    """Without and with all that ONNX Runtime may do to a graph."""
    monkeypatch.setattr(exactness, "QUALITIES", (90.0,))
    onnx = exactness.every_onnx_setting([], [])
    settings = [exactness.cpu("default", "SSE41"), onnx[0], onnx[-1]]
    photos = [name for name in MODELS if name != BSQ]
    result = exactness.measure(settings, photos, pictures, tmp_path / "files")
    assert exactness.is_exact(result)
    assert result["files_written"] == 3 * 2 * 3  # settings, pictures, and one tune of the tiny model and two of photo
    assert result["files_read"] == 3 * result["files_written"]
    assert [result["settings"][s.name]["level"] for s in onnx[:1] + onnx[-1:]] == ["ORT_DISABLE_ALL", "ORT_ENABLE_ALL"]
    assert [result["settings"][s.name]["threads"] for s in onnx[:1] + onnx[-1:]] == [1, 2]


@pytest.mark.slow
@pytest.mark.timeout(10 * 3600)
def test_files_decode_under_every_combination(exactness, settings, pictures, tmp_path):
    result = exactness.measure(settings, MODELS, pictures, tmp_path / "files")
    assert_exact(result, settings, exactness.QUALITIES)


@pytest.mark.parametrize(
    ("capability", "has", "lacks"),
    [
        ("AVX512", {"default", "avx2", "avx512"}, []),
        ("AVX2", {"default", "avx2"}, ["avx512"]),
        ("DEFAULT", {"default"}, ["avx2", "avx512"]),
        ("NO AVX", {"default"}, ["avx2", "avx512"]),
        ("SVE256", {"default"}, ["avx2", "avx512"]),
    ],
)
def test_only_instruction_sets_of_the_processor_are_asked_for(exactness, capability, has, lacks):
    """With another one the process would die."""
    settings = exactness.every_cpu_setting(capability)
    assert {setting.environment["ATEN_CPU_CAPABILITY"] for setting in settings} == has
    assert exactness.left_out(capability) == lacks


def test_what_was_left_out_is_said_and_recorded(exactness, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # for machine.py, beside the benchmark
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    run = []

    def measure(settings, *_):
        run.extend(settings)
        return {"wrong_tokens": [], "other_bytes": [], "largest_pixel_difference": 0}

    monkeypatch.setattr(exactness, "measure", measure)
    monkeypatch.setattr(exactness, "has_cuda", lambda python: False)
    output = tmp_path / "exactness.json"
    arguments = Namespace(
        model=[TINY], python=[], torch=[], onnxruntime=[], emulate=[], few=False, index="", pictures=tmp_path,
        output=output, page=None,
    )  # fmt: skip
    assert exactness.matrix(arguments) == 0
    assert [setting.name for setting in run if "avx512" in setting.name] == []
    assert "left out, because the processor lacks it: avx512\n" in capsys.readouterr().err
    assert json.loads(output.read_text())["left_out"] == ["avx512"]


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
