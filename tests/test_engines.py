"""Which engine computes: what is asked for, what there is, and what it can do."""

import pytest

from imgcodec import UsageError, engines
from imgcodec.engines import chosen_engine


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
