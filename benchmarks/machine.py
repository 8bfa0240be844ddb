"""The conditions of a measurement: machine, versions, commit. Every benchmark writes them beside its figures."""

import platform
import subprocess
from datetime import date
from importlib import metadata
from pathlib import Path

from PIL import features

import imgcodec
from imgcodec.doctor import processor
from imgcodec.parallel import cores

PACKAGES = ("torch", "onnxruntime", "numpy", "scipy", "pillow", "constriction", "safetensors", "zstandard")


def describe() -> dict[str, object]:
    """Machine, versions and commit, ready for JSON."""
    import torch

    return {
        "date": date.today().isoformat(),
        "commit": commit(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": processor(),
            "cores": cores(),
            "torch_threads": torch.get_num_threads(),
            "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
        "versions": {
            "imgcodec": imgcodec.__version__,
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in PACKAGES},
            "libjpeg-turbo": features.version("libjpeg_turbo"),
            "libwebp": features.version("webp"),
            "libavif": features.version("avif"),
        },
    }


def commit() -> str | None:
    """The commit of the working tree, with a plus where files differ from it; None outside a repository."""
    try:
        head = _git("rev-parse", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
