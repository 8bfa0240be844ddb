"""What there is on this machine: versions, processor, devices, models and whether they work, extras, speed.

Everything is looked at, and nothing is changed.
"""

import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from PIL import Image, features

import imgcodec
from imgcodec.bitstream.errors import CodecError
from imgcodec.codec import load_codec
from imgcodec.evaluation import bench
from imgcodec.evaluation.ours import codecs_of_model
from imgcodec.evaluation.panels import QUALITY, nearest_in_bytes
from imgcodec.evaluation.peers import Codec, peers_named
from imgcodec.metrics.reference import Reference, RGBPixels
from imgcodec.model_file import inventory
from imgcodec.model_file.find import installed_models
from imgcodec.parallel import cores

PURPOSES = {
    "train": "to train models: the teacher of the profile semantic, TensorBoard for figures",
    "clip": "to keep CLIP features in files, and to measure with them",
    "search": "to search large stores with Faiss",
    "eval": "to measure SSIM and LPIPS with imgcodec eval",
    "remote": "to read and write files at addresses, as s3:// and https://",
    "hub": "to load models from Hugging Face, as hf://owner/name",
    "ray": "to work on a cluster, with --engine ray",
    "bench": "to compare with JPEG XL, and to plot",
}
"""The extras for users of the package, by what they are for."""

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")
"""Of the environment, which decide over threads and instructions."""

LIBRARIES = {"libjpeg-turbo": "libjpeg_turbo", "libwebp": "webp", "libavif": "avif"}
"""In Pillow, by its names for them."""

SIDE = 768  # pixels of the picture that is timed


@dataclass(frozen=True)
class Machine:
    """instructions: what the processor has, as PyTorch names them; none where it cannot tell. uses: what PyTorch makes
    use of. cores: that this process may run on. environment: those of `VARIABLES` that are set. devices: the name of
    each, as --device takes it, and what it is."""

    system: str
    processor: str
    instructions: list[str]
    uses: str
    cores: int
    threads: int
    environment: dict[str, str]
    devices: dict[str, str]


@dataclass(frozen=True)
class ModelHealth:
    """An installed model. whole: its numbers are those that it was saved with. id: of a whole one. computes: here, on
    the device that was asked for, it gives the known answer. problem: what is wrong."""

    name: str
    id: str | None
    whole: bool
    computes: bool
    problem: str | None


@dataclass(frozen=True)
class Speed:
    """Of a codec on one made picture, in megapixels a second each way."""

    codec: str
    bpp: float
    encode_mp_per_second: float
    decode_mp_per_second: float


def versions() -> dict[str, str]:
    """Of the package, of Python, of what the package needs, and of Pillow's libraries."""
    needed = {name: metadata.version(name) for name, extra in _requirements() if extra is None}
    libraries = {name: features.version(feature) or "none" for name, feature in LIBRARIES.items()}
    return {"imgcodec": imgcodec.__version__, "python": platform.python_version(), **needed, **libraries}


def machine() -> Machine:
    """What runs models here."""
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older releases do not have it
    return Machine(
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        processor=processor(),
        instructions=sorted(name for name, has in known.items() if has is True),
        uses=torch.backends.cpu.get_cpu_capability(),
        cores=cores(),
        threads=torch.get_num_threads(),
        environment={name: os.environ[name] for name in VARIABLES if name in os.environ},
        devices=devices(),
    )


def processor() -> str:
    """The processor's own name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def devices() -> dict[str, str]:
    """The devices on which models can run, and what each is."""
    found = {"cpu": processor()}
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(number)
            found[f"cuda:{number}"] = f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = "Apple's GPU"
    return found


def models(device: str) -> list[ModelHealth]:
    """Each installed model: read whole, built on a device, and asked for its known answer."""
    return [_health(name, device) for name in installed_models()]


def _health(name: str, device: str) -> ModelHealth:
    try:
        facts = inventory.describe(name)
    except CodecError as error:
        return ModelHealth(name, None, False, False, _sentence(error))
    try:
        inventory.check(facts, lambda path: load_codec(path, device))
    except CodecError as error:
        return ModelHealth(name, facts.id, True, False, _sentence(error))
    return ModelHealth(name, facts.id, True, True, None)


def _sentence(error: CodecError) -> str:
    return " ".join(str(error).split())


def missing_extras() -> dict[str, list[str]]:
    """Of those of `PURPOSES` that are not installed, or not whole, the packages that are missing."""
    missing: dict[str, list[str]] = {}
    for name, extra in _requirements():
        if extra in PURPOSES and not _is_installed(name):
            missing.setdefault(extra, []).append(name)
    return missing


def _requirements() -> Iterator[tuple[str, str | None]]:
    """The packages that this one names, each with the extra that it is for."""
    for line in metadata.requires("imgcodec") or []:
        package, extra = re.match(r"[\w.-]+", line), re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if package:
            yield package[0], extra[1] if extra else None


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def speeds(model: str, device: str) -> list[Speed]:
    """Of a model at its default quality, and of Pillow's AVIF at the same bytes where it has that, on a picture that is
    made here. Raises what loading a model raises."""
    pixels = made_picture(SIDE)
    reference = Reference(pixels)
    ours = codecs_of_model(model, device, None, None)[-1]
    quality = min(ours.qualities, key=lambda quality: abs(quality - QUALITY))
    ours.compress(pixels, quality)  # the first time is not counted
    found = [_speed(bench.measure("made", reference, ours, quality))]
    for codec in peers_named(["avif"])[0]:
        found.append(_speed(bench.measure("made", reference, codec, _same_bytes(codec, pixels, found[0].bpp))))
    return found


def _same_bytes(codec: Codec, pixels: RGBPixels, bpp: float) -> int:
    return nearest_in_bytes(lambda q: codec.compress(pixels, q), round(bpp * pixels.shape[0] * pixels.shape[1] / 8))[0]


def _speed(sample: bench.Sample) -> Speed:
    megapixels = sample.width * sample.height / 1e6
    return Speed(sample.codec, sample.bpp, megapixels / sample.encode_seconds, megapixels / sample.decode_seconds)


def made_picture(side: int) -> RGBPixels:
    """Clouds of all sizes with edges between them, about as hard to code as a photograph: (side, side, 3)."""
    random = np.random.default_rng(1)
    total = np.zeros((side, side, 3))
    cells = 4
    while cells <= side:
        noise = Image.fromarray((random.random((cells, cells, 3)) * 255).astype(np.uint8))
        total += (np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC)) / 255.0 - 0.5) / cells**0.9
        cells *= 2
    edges = np.sign(total[..., :1] - total[..., 1:2]) * 40
    return (128 + total * 900 + edges).clip(0, 255).astype(np.uint8)
