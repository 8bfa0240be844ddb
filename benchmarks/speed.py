"""How fast ours is on a large photograph, beside JPEG and AVIF in the same run, and where the time goes.

    python benchmarks/speed.py kodak/ -o benchmarks/speed.json

The photograph (12 megapixels unless told otherwise) is put together from the pictures of a folder, so that it has
the detail of real ones. Every codec is given the highest quality at which it takes at most `--bpp` bits per pixel for
it. Each direction of ours runs in a process of its own, with the model loaded and after one turn that does not count;
its peak memory is that process's, with Python, torch and the model. Then the commands are timed whole, from their start
to their end, on the first picture of the folder.

A machine that is doing something else gives other figures. So the file has the load, and beside the seconds of the
clock those of the processor, all threads together, which other work moves less.
"""

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import FrameType

import numpy as np
import pillow_jxl  # noqa: F401  (Pillow knows JPEG XL once it is imported)
from large import photograph
from machine import describe
from PIL import Image

import imgcodec
from imgcodec import bitstream
from imgcodec.cli.bench import find_files
from imgcodec.evaluation import peers
from imgcodec.metrics.reference import RGBPixels, psnr

PEERS: dict[str, dict[str, object]] = {  # Pillow's options: its defaults, but for JPEG XL, which a plugin brings
    "JPEG": {},
    "AVIF": {},
    "JXL": {"effort": 7, "lossless": False},
}
MAXRSS_IN_MIB = 2**20 if sys.platform == "darwin" else 2**10

# Runs a command and prints what it took. In a small process of its own, because on Linux the peak memory of a child is
# at least what its parent had.
WATCH = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "maxrss": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}))
sys.exit(code)
"""


class StageClock:
    """Seconds that pass inside each file of the package, with whatever it calls outside (numpy, torch) counted to it.

    Only the main thread is followed, so engines are given one. Following it costs some time itself, so these are
    shares, not speeds.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        # bitstream/ may be installed in the package or lie beside it, so it is looked for first.
        self._homes = [Path(str(module.__file__)).parent for module in (bitstream, imgcodec)]
        self._known: dict[str, str | None] = {}
        self._owners = ["elsewhere"]
        self._since = 0.0

    def _owner(self, file: str) -> str | None:
        """`bitstream/entropy.py` and the like, None for a file that is none of ours."""
        path = Path(file)
        home = next((home for home in self._homes if path.is_relative_to(home)), None)
        return path.relative_to(home.parent).as_posix() if home else None

    def _event(self, frame: FrameType, event: str, argument: object) -> None:
        if event not in ("call", "return"):
            return
        now = time.perf_counter()
        self.seconds[self._owners[-1]] += now - self._since
        if event == "call":
            file = frame.f_code.co_filename
            if file not in self._known:
                self._known[file] = self._owner(file)
            self._owners.append(self._known[file] or self._owners[-1])
        elif len(self._owners) > 1:
            self._owners.pop()
        self._since = time.perf_counter()  # what this bookkeeping took is no part of any stage

    def run(self, work: Callable[[], object]) -> dict[str, float]:
        """The share of each file in `work`, largest first; shares under one in a hundred are left out."""
        self._since = time.perf_counter()
        sys.setprofile(self._event)
        try:
            work()
        finally:
            sys.setprofile(None)
        total = sum(self.seconds.values())
        shares = sorted(((seconds / total, name) for name, seconds in self.seconds.items()), reverse=True)
        return {name: round(share, 3) for share, name in shares if share >= 0.01}


def measure_ours(
    direction: str, pixels: RGBPixels, data: bytes | None, arguments: argparse.Namespace
) -> dict[str, object]:
    """One direction of ours, in a process of its own. `data` is the file to decode."""
    start = time.perf_counter()
    model = imgcodec.load_model(arguments.model, device=arguments.device)
    load_seconds = time.perf_counter() - start
    work: Callable[[], object]
    if direction == "encode":
        quality = imgcodec.info(model.compress(pixels, target_size=most_bytes(pixels, arguments.bpp))).quality
        work = lambda: model.compress(pixels, quality=quality)  # noqa: E731
    else:
        assert data is not None
        work = lambda: model.decompress(data)  # noqa: E731
    result = work()
    figures = {
        **timing(work, pixels, arguments.repeat),
        "load_seconds": load_seconds,
        # Before the stages are followed, which takes memory too.
        "peak_memory_mib": peak_memory_mib(),
        "share_by_file": shares_of_one_thread(work),
    }
    if isinstance(result, bytes):
        return figures | {"data": result}
    return figures | {"psnr": psnr(pixels, np.asarray(result))}


def shares_of_one_thread(work: Callable[[], object]) -> dict[str, float]:
    """As `StageClock.run`. It is the last that a process does: engines stay with one thread."""
    import torch  # behind imgcodec, which says how its threads wait

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    work()  # sessions of one thread have to be made
    return StageClock().run(work)


def most_bytes(pixels: RGBPixels, bpp: float) -> int:
    """Of a file of `bpp` bits per pixel."""
    return int(bpp * pixels.shape[0] * pixels.shape[1] / 8)


def measure_peer(format: str, pixels: RGBPixels, arguments: argparse.Namespace) -> dict[str, object]:
    """Pillow's codec; AVIF and JPEG XL use all cores, JPEG one."""
    picture, repeat = Image.fromarray(pixels), arguments.repeat

    def encode_at(quality: int) -> bytes:
        file = io.BytesIO()
        picture.save(file, format, quality=quality, **PEERS[format])
        return file.getvalue()

    low, high = 1, 100
    while high - low > 1:  # files grow with quality
        middle = (low + high) // 2
        fits = len(encode_at(middle)) <= most_bytes(pixels, arguments.bpp)
        low, high = (middle, high) if fits else (low, middle)

    def encode() -> bytes:
        return encode_at(low)

    data = encode()
    return {
        "quality": low,
        "bytes": len(data),
        "bpp": 8 * len(data) / (pixels.shape[0] * pixels.shape[1]),
        "psnr": psnr(pixels, peers.decode(data)),
        "encode": timing(encode, pixels, repeat),
        "decode": timing(lambda: peers.decode(data), pixels, repeat),
    }


def timing(work: Callable[[], object], pixels: RGBPixels, repeat: int) -> dict[str, object]:
    """Seconds of each turn, of the clock and of the processor, and megapixels per second by their medians."""
    seconds, processor = [], []
    for _ in range(repeat):
        start = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    megapixels = pixels.shape[0] * pixels.shape[1] / 1e6
    return {
        "seconds": seconds,
        "mp_per_second": megapixels / statistics.median(seconds),
        "processor_seconds": processor,
        "mp_per_processor_second": megapixels / statistics.median(processor),
    }


def peak_memory_mib() -> float:
    """Of this process. Linux counts the parent's memory at the time of the fork in ru_maxrss, so that comes second."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 2**10
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MAXRSS_IN_MIB


def measure_commands(picture: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """Whole processes of the installed command, start-up included: the best of some, and the memory of each.

    times_python: their seconds as multiples of what Python alone takes, which says the same on every machine.
    """
    command = Path(sysconfig.get_path("scripts")) / "imgcodec"
    with tempfile.TemporaryDirectory() as folder:
        small, back = Path(folder, "picture.nic"), Path(folder, "back.png")
        model = ["--model", arguments.model]
        device = ["--device", arguments.device]
        lines = {
            "pass": [sys.executable, "-c", "pass"],
            "import torch": [sys.executable, "-c", "import torch"],
            "--help": [command, "--help"],
            "compress -e 5": [command, "compress", picture, "-o", small, "-f", "-e", "5", *model, *device],
            "compress": [command, "compress", picture, "-o", small, "-f", *model, *device],
            "decompress": [command, "decompress", small, "-o", back, "-f", *model, *device],
        }
        figures = {name: measure_process(line, arguments.repeat) for name, line in lines.items()}
    python = figures["pass"]["seconds"]
    return {name: {**taken, "times_python": taken["seconds"] / python} for name, taken in figures.items()}


def measure_process(line: list[str | Path], repeat: int) -> dict[str, float]:
    """Best seconds and largest memory of some runs."""
    runs = []
    for _ in range(repeat):
        watched = [sys.executable, "-c", WATCH, *map(str, line)]
        process = subprocess.run(watched, stdout=subprocess.PIPE, text=True)
        if process.returncode:
            sys.exit(f"{' '.join(map(str, line))} failed.")
        runs.append(json.loads(process.stdout.splitlines()[-1]))
    return {
        "seconds": min(run["seconds"] for run in runs),
        "peak_memory_mib": max(run["maxrss"] for run in runs) / MAXRSS_IN_MIB,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs to put the large one together from")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--bpp", type=float, default=0.5)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()

    files = find_files(arguments.folder)
    pixels = photograph(files, arguments.megapixels)
    result: dict[str, object] = {
        **describe(),
        "load_average": os.getloadavg()[0],
        "model": arguments.model,
        "device": arguments.device,
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "at_most_bpp": arguments.bpp,
    }

    def in_own_process(direction: str, data: bytes | None) -> dict[str, object]:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(measure_ours, direction, pixels, data, arguments).result()

    encode = in_own_process("encode", None)
    data = encode.pop("data")
    assert isinstance(data, bytes)
    decode = in_own_process("decode", data)
    result["imgcodec"] = {
        "bytes": len(data),
        "bpp": 8 * len(data) / (pixels.shape[0] * pixels.shape[1]),
        "psnr": decode.pop("psnr"),
        "encode": encode,
        "decode": decode,
    }
    for format in PEERS:
        result[format.lower()] = measure_peer(format, pixels, arguments)
    result["commands"] = {"picture": files[0].name, **measure_commands(files[0], arguments)}
    arguments.output.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    print(json.dumps({name: result[name] for name in ("imgcodec", "jpeg", "avif", "jxl", "commands")}, indent=1))


if __name__ == "__main__":
    main()
