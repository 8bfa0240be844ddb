"""Which engine computes: what is asked for, what there is, and what it can do."""

import builtins
import io
from pathlib import Path

import numpy as np
import pytest

import imgcodec
from imgcodec import UsageError, engines
from imgcodec.engines import LARGE, chosen_engine, torch_repays


@pytest.fixture
def installed(monkeypatch):
    """Makes these engines all that are installed."""

    def only(*names):
        monkeypatch.setattr(engines, "is_installed", lambda name: name in names)

    return only


@pytest.mark.parametrize(
    ("engine", "device", "has_graphs", "expected"),
    [
        ("auto", "cpu", True, "onnx"),
        ("auto", "cpu", False, "torch"),
        ("auto", "cuda", True, "torch"),
        ("auto", "auto", True, "torch"),
        ("onnx", "cpu", True, "onnx"),
        ("torch", "cpu", True, "torch"),
        ("torch", "cuda:1", False, "torch"),
    ],
)
def test_each_is_chosen_for_what_it_can_do(installed, engine, device, has_graphs, expected):
    installed("onnx", "torch")
    assert chosen_engine(engine, device, has_graphs) == expected


def test_what_is_not_installed_is_not_chosen(installed):
    installed("torch")
    assert chosen_engine("auto", "cpu", True) == "torch"
    with pytest.raises(UsageError, match=r"^The engine onnx is not installed: pip install .+\.$"):
        chosen_engine("onnx", "cpu", True)
    installed("onnx")
    assert chosen_engine("auto", "cpu", True) == "onnx"
    with pytest.raises(UsageError, match=r"^The engine torch is not installed: pip install .+\.$"):
        chosen_engine("auto", "cpu", False)


@pytest.mark.parametrize(
    ("engine", "device", "has_graphs", "words"),
    [
        ("numpy", "cpu", True, "There is no engine 'numpy'; engines are auto, onnx and torch."),
        ("onnx", "cpu", False, "The engine onnx computes models of the profile photo alone."),
        ("onnx", "cuda", True, "The engine onnx computes on the CPU, not on cuda."),
    ],
)
def test_what_cannot_be_is_refused(installed, engine, device, has_graphs, words):
    installed("onnx", "torch")
    with pytest.raises(UsageError) as caught:
        chosen_engine(engine, device, has_graphs)
    assert str(caught.value) == words


def test_both_are_known_by_their_packages():
    assert engines.is_installed("torch")
    assert engines.is_installed("onnx")


@pytest.mark.parametrize(
    ("facts", "has_it"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16\nflags\t\t: fpu\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16_other\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", False),
        (None, False),
    ],
)
def test_bfloat16_is_told_without_pytorch(monkeypatch, facts, has_it):
    def opened(path, **how):
        assert path == "/proc/cpuinfo"
        if facts is None:
            raise FileNotFoundError
        return io.StringIO(facts)

    engines.has_bfloat16.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", opened)
        found = engines.has_bfloat16()
    engines.has_bfloat16.cache_clear()
    assert found == has_it


def test_pytorch_repays_for_large_pictures_where_it_computes_in_bfloat16(installed, monkeypatch):
    installed("onnx", "torch")
    monkeypatch.setattr(engines, "has_bfloat16", lambda: True)
    assert [torch_repays(pixels) for pixels in (1, LARGE, LARGE + 1)] == [False, False, True]
    installed("onnx")
    assert not torch_repays(LARGE + 1)
    installed("onnx", "torch")
    monkeypatch.setattr(engines, "has_bfloat16", lambda: False)
    assert not torch_repays(LARGE + 1)


@pytest.mark.parametrize(("engine", "seen"), [("auto", {"onnx": 1, "torch": 1}), ("onnx", {"onnx": 2, "torch": 0})])
def test_auto_takes_pytorch_for_large_pictures_alone(monkeypatch, engine, seen):
    from imgcodec.profiles.photo.onnx_transforms import OnnxTransforms
    from imgcodec.profiles.photo.torch_transforms import TorchTransforms

    count = {"onnx": 0, "torch": 0}
    for name, transforms in (("onnx", OnnxTransforms), ("torch", TorchTransforms)):

        def counted(self, *arguments, of=transforms.synthesise, name=name):
            count[name] += 1
            return of(self, *arguments)

        monkeypatch.setattr(transforms, "synthesise", counted)
    monkeypatch.setattr(engines, "LARGE", 90 * 90)
    monkeypatch.setattr(engines, "has_bfloat16", lambda: True)
    model = imgcodec.load_model(Path(__file__).parent / "golden" / "tiny.safetensors", engine=engine)
    rng = np.random.default_rng(0)
    for side in (90, 91):
        pixels = rng.integers(0, 256, (side, side, 3)).astype(np.uint8)
        data = model.compress(pixels, exact=False)
        assert model.read_tokens(data).header.width == side
        model.decompress(data)
    assert count == seen
