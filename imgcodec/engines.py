"""What computes the nets of a model: PyTorch, or ONNX Runtime, which starts faster and is smaller."""

from functools import cache
from importlib.util import find_spec

from imgcodec.bitstream.errors import UsageError

ENGINES = ("auto", "onnx", "torch")

LARGE = 16_000_000
"""Pixels. In more, PyTorch saves in bfloat16 what it takes to import it, 1.5 seconds, and to load the model again."""


def chosen_engine(engine: str, device: object, has_graphs: bool) -> str:
    """onnx or torch, for a model that has graphs or has none. auto: onnx where it is installed, and the model has
    graphs and is to be on the CPU; a codec may then still change for large pictures (`torch_repays`). device: as
    `imgcodec.devices.resolve_device` takes it.

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


def torch_repays(pixels: int) -> bool:
    """Whether PyTorch is the faster engine on this CPU for a picture of so many pixels, its import included."""
    return pixels > LARGE and has_bfloat16() and is_installed("torch")


@cache
def has_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16, in which PyTorch computes transforms then and ONNX Runtime
    does not. Told without PyTorch, on Linux for x86-64; no elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as facts:
            flags = next((line for line in facts if line.startswith("flags")), "")
    except OSError:
        return False
    return "avx512_bf16" in flags.split()


INSTALL = {"onnx": "pip install onnxruntime", "torch": "pip install torch"}


def is_installed(engine: str) -> bool:
    """Whether an engine, onnx or torch, is there."""
    return find_spec({"onnx": "onnxruntime", "torch": "torch"}[engine]) is not None
