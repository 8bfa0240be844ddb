"""What all tests share: patience on busy machines, and a small model."""

import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait stand in each other's way
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parents[1] / ".hypothesis"))

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in the background of a script; commands would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

# In CI the same examples every time: what a change did not break does not fail there. Everywhere else, new ones.
settings.register_profile(
    "imgcodec", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("imgcodec")


@pytest.fixture(autouse=True)
def _interrupts_stay_possible():
    """A test that left SIGINT ignored would make others wait for ever, far from it."""
    yield
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    if sys.platform != "win32":
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.fixture(scope="session")
def tiny_model():
    """The frozen model of the golden files, loaded."""
    import imgcodec

    return imgcodec.load_model(Path(__file__).parent / "golden" / "tiny.safetensors")


@pytest.fixture(scope="session")
def tiny_codec():
    """The same, as what works inside of it."""
    from imgcodec.codec import load_codec

    return load_codec(Path(__file__).parent / "golden" / "tiny.safetensors")


@pytest.fixture(scope="session")
def semantic_path(tmp_path_factory):
    """The path of a small semantic model that no training has seen."""
    from small_semantic import save_small_model

    return save_small_model(tmp_path_factory.mktemp("semantic") / "small.safetensors")


@pytest.fixture
def contents():
    """Tensors and metadata of the tiny model, free to be changed."""
    from safetensors import safe_open

    with safe_open(Path(__file__).parent / "golden" / "tiny.safetensors", framework="pt") as file:
        return {name: file.get_tensor(name).clone() for name in file.keys()}, dict(file.metadata())  # noqa: SIM118


@pytest.fixture
def saved(tmp_path):
    """Writes a model file named `changed`, and gives its path."""
    from safetensors.torch import save_file

    def save(tensors, metadata):
        path = tmp_path / "changed.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
        return str(path)

    return save


@pytest.fixture(scope="module")
def exactness():
    """The benchmark of that name, as a module."""
    spec = importlib.util.spec_from_file_location(
        "exactness", Path(__file__).parents[1] / "benchmarks" / "exactness.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["exactness"] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module
