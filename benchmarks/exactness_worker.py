"""What runs under a setting of `exactness.py`: writes files of pictures, or reads those of all settings, and says what
they are, as JSON.

    python exactness_worker.py write photo --pictures kodak/ --qualities 10,50 --into new/ --device cpu --engine onnx
    python exactness_worker.py read photo --from files/ --device cpu --engine torch

The engine may be any version of it, and with ONNX Runtime there may be no PyTorch: they are imported when it is known.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def opened(models: Iterable[str], setting: argparse.Namespace) -> Iterator[Any]:
    """Those of the models that the engine of a setting computes."""
    import imgcodec

    if setting.level:
        use_level(setting.level)
    for name in models:
        try:
            yield imgcodec.load_model(name, device=setting.device, engine=setting.engine)
        except imgcodec.UsageError:
            if setting.engine != "onnx":
                raise


def use_level(name: str) -> None:
    """Makes ONNX Runtime change all graphs so far, whatever this package asks for."""
    import onnxruntime

    make, level = onnxruntime.InferenceSession, getattr(onnxruntime.GraphOptimizationLevel, name)

    def with_level(graph: bytes, options: Any, **others: Any) -> Any:
        options.graph_optimization_level = level
        return make(graph, options, **others)

    onnxruntime.InferenceSession = with_level


def write(
    models: Iterable[str], pictures: Path, qualities: Iterable[float], folder: Path, setting: argparse.Namespace
) -> dict[str, Any]:
    """Compresses everything into `folder`, with the decoded pictures beside the files."""
    files = {}
    for model in opened(models, setting):
        for path in sorted(p for p in pictures.iterdir() if p.suffix.lower() in (".png", ".jpg", ".webp")):
            pixels = np.asarray(Image.open(path).convert("RGB"))
            rates = list(product(model.tunes, qualities)) if model.has_qualities else [(None, None)]
            for tune, quality in rates:
                file = Path(model.name) / f"{path.stem}-{tune}-{quality}.nic"
                data = model.compress(pixels, quality=quality, tune=tune)
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(data)
                model.decompress(data).save((folder / file).with_suffix(".png"))
                files[str(file)] = {"tokens": model.read_tokens(data).sha256(), "sha256": sha256(data).hexdigest()}
    return {"under": describe_setting(setting), "files": files}


def read(models: Iterable[str], folder: Path, setting: argparse.Namespace) -> dict[str, Any]:
    """Decodes the files of all settings. The same bytes are decoded once."""
    files = {}
    for model in opened(models, setting):
        decoded: dict[bytes, tuple[str, int, bool, Any]] = {}
        for path in sorted(folder.glob(f"*/{model.name}/*.nic")):
            data = path.read_bytes()
            if data not in decoded:
                tokens = model.read_tokens(data)
                same = model.write_tokens(tokens) == data
                count = sum(stage.size for stage in tokens.stages)
                decoded[data] = tokens.sha256(), count, same, np.asarray(model.decompress(data)).astype(int)
            sha256, count, same, pixels = decoded[data]
            difference = np.abs(pixels - np.asarray(Image.open(path.with_suffix(".png"))))
            files[path.relative_to(folder).as_posix()] = {
                "tokens": sha256,
                "token_count": count,
                "same_bytes": same,
                "largest_difference": int(difference.max()),
            }
    return {"under": describe_setting(setting), "files": files}


def describe_setting(setting: argparse.Namespace) -> dict[str, object]:
    device = setting.device
    if setting.engine == "onnx":
        import onnxruntime

        from imgcodec.runtime import thread_count

        assert "torch" not in sys.modules
        return {
            "python": platform.python_version(),
            "onnxruntime": onnxruntime.__version__,
            "level": setting.level,
            "threads": thread_count(),
            "device": device,
        }
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "onednn": os.environ.get("ONEDNN_MAX_CPU_ISA", "best"),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else device,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("write", "read"))
    parser.add_argument("models", nargs="+")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--qualities", type=lambda text: [float(q) for q in text.split(",")])
    parser.add_argument("--into", type=Path)
    parser.add_argument("--from", type=Path, dest="source")
    parser.add_argument("--device", required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--level", default="")
    given = parser.parse_args()
    if given.what == "write":
        answer = write(given.models, given.pictures, given.qualities, given.into, given)
    else:
        answer = read(given.models, given.source, given)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
