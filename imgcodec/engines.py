"""What computes the nets of a model: PyTorch, or ONNX Runtime, which starts faster and is smaller."""

from importlib.util import find_spec

from imgcodec.bitstream.errors import UsageError

ENGINES = ("auto", "onnx", "torch")


def chosen_engine(engine: str, device: object, has_graphs: bool) -> str:
    """onnx or torch, for a model that has graphs or has none. auto: onnx where it is installed, and the model has
    graphs and is to be on the CPU. device: as `imgcodec.devices.resolve_device` takes it.

    Raises UsageError for what there is not, here or at all.
    """
    if engine not in ENGINES:
        raise UsageError(
            f"There is no engine {engine!r:.100}; engines are {', '.join(ENGINES[:-1])} and {ENGINES[-1]}."
        )
    on_cpu = str(device) == "cpu"
    if engine == "auto":
        engine = "onnx" if has_graphs and on_cpu and is_installed("onnx") else "torch"
    if engine == "onnx" and not has_graphs:
        raise UsageError("The engine onnx computes models of the profile photo alone.")
    if engine == "onnx" and not on_cpu:
        raise UsageError(f"The engine onnx computes on the CPU, not on {str(device)[:40]}.")
    if not is_installed(engine):
        raise UsageError(f"The engine {engine} is not installed: {INSTALL[engine]}.")
    return engine


INSTALL = {"onnx": "pip install onnxruntime", "torch": "pip install torch"}


def is_installed(engine: str) -> bool:
    """Whether an engine, onnx or torch, is there."""
    return find_spec({"onnx": "onnxruntime", "torch": "torch"}[engine]) is not None
