"""Hours of rough use in minutes: what is killed, full, late or long must leave files whole or absent, and nothing else.

    python benchmarks/soak.py -o benchmarks/results/soak.json       # about 10 minutes on two idle cores
    python benchmarks/soak.py --minutes 1                           # a tenth of the work

    commands   8 processes work in one folder, 200 pictures each: compress, decompress, verify. A third of the commands
               are killed at a random moment, a ninth while somebody writes, by SIGKILL or SIGTERM. The clock jumps: the
               time that a command sees is wrong by up to ten years either way, differently at each look, and files get
               modification times as wrong. Every output has to be whole or absent; the next command removes what the
               killed ones left half written.
    full disk  the same commands on a disk of 2 MB (a tmpfs, where it may be mounted) and under a limit on the size of a
               file (RLIMIT_FSIZE), without -f and with it
    threads    24 threads with one model: the bytes of one thread
    memory     10,000 round trips in one process, which may grow by 50 MiB

Commands run in forks of a process that has imported torch. Pictures have 64 to 128 pixels a side, in every mode. The
model is the small one of the golden files, unless another is named. Needs a system with fork. The exit code is 1 if
anything is not as it should be; the failures are in the report.
"""

import argparse
import io
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as many threads as processors in each of the processes is too many
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from forked import Done, command, kill_after, kill_while_it_writes, set_wrong_time, temporaries  # lies beside this file
from machine import describe  # and this
from PIL import Image

import imgcodec
from imgcodec.cli.commands import make_app

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "tiny.safetensors"
PROCESSES, PICTURES, ROUND_TRIPS = 8, 200, 10_000  # in ten minutes
KINDS = 40  # different pictures
MODES = ("RGB", "L", "RGBA", "P", "I;16", "LA")
THREADS = 24
DISK = 2 * 2**20  # bytes
LARGEST_FILE = 2**14  # bytes, of the limit on files: many of the pictures are larger
LARGEST_GROWTH = 50.0  # MiB
STEPS = ("compress", "decompress", "verify")
KILLS = (signal.SIGKILL, signal.SIGTERM)


@dataclass(frozen=True)
class Case:
    """A picture, and what its file and the picture decoded from it have to be."""

    png: bytes
    quality: int
    nic: bytes
    decoded: bytes

    def is_file(self, data: bytes) -> bool:
        return data == self.nic

    def is_decoded(self, data: bytes) -> bool:
        """Whether an image file shows the decoded picture."""
        try:
            with Image.open(io.BytesIO(data)) as image:
                return pixels_of(image) == self.decoded
        except (OSError, SyntaxError):
            return False


@dataclass
class Counts:
    """What happened, and what should not have."""

    events: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        self.events.update(other.events)
        self.failures.extend(other.failures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="how much to do; 10 by default")
    parser.add_argument("--model", type=Path, default=GOLDEN, help="a .safetensors file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="JSON")
    arguments = parser.parse_args()
    model, share = arguments.model.resolve(), arguments.minutes / 10
    cases = make_cases(imgcodec.load_model(model), arguments.seed)
    make_app(["verify"])(
        ["verify", str(GOLDEN.with_name("gray.nic"))], standalone_mode=False
    )  # its imports, for all forks
    report: dict[str, Any] = {**describe(), "minutes": arguments.minutes, "model": model.name, "seed": arguments.seed}
    for name, part in (
        ("commands", lambda: killed_commands(cases, model, max(1, round(PICTURES * share)), arguments.seed)),
        ("full_disk", lambda: full_disks(cases, model, max(1, round(60 * share)), arguments.seed)),
        ("threads", lambda: many_threads(cases, model, max(1, round(200 * share)))),
        ("memory", lambda: long_life(cases, model, max(200, round(ROUND_TRIPS * share)))),
    ):
        start = time.monotonic()
        report[name] = {**part(), "seconds": round(time.monotonic() - start, 1)}
        print(json.dumps({name: report[name]}), flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    return any(report[name]["failures"] for name in ("commands", "full_disk", "threads", "memory"))


def make_cases(model: imgcodec.Model, seed: int) -> list[Case]:
    """Pictures of 64 to 128 pixels a side, half of each smooth and half noise."""
    rng, cases = np.random.default_rng(seed), []
    for number in range(KINDS):
        height, width = rng.integers(64, 129, 2)
        coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 4), dtype=np.uint8)).resize((width, height))
        pixels = np.asarray(coarse).copy()
        pixels[: height // 2] = rng.integers(0, 256, (height // 2, width, 4))
        mode, quality = MODES[number % len(MODES)], int(rng.integers(101))
        image = Image.fromarray(pixels)
        if mode == "I;16":
            image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
        else:
            image = image.convert("RGB").convert(mode) if mode == "P" else image.convert(mode)
        png = io.BytesIO()
        image.save(png, "PNG")
        with quiet():
            nic = model.compress(png.getvalue(), quality=quality)
        cases.append(Case(png.getvalue(), quality, nic, pixels_of(model.decompress(nic))))
    return cases


def pixels_of(image: Image.Image) -> bytes:
    return image.mode.encode() + bytes(str(image.size), "ascii") + image.tobytes()


@contextmanager
def quiet() -> Iterator[None]:
    """16 bits are reduced to 8, which is said."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", imgcodec.LossWarning)
        yield


# The parts


def killed_commands(cases: list[Case], model: Path, pictures: int, seed: int) -> dict[str, Any]:
    counts, left = Counts(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
            work = [(cases, model, folder, pictures, seed, worker) for worker in range(PROCESSES)]
            for result in pool.starmap(killed_worker, work):
                counts.add(result)
        left = len(temporaries(folder))
        (folder / "last.png").write_bytes(cases[0].png)
        done = command("compress", folder / "last.png", "-o", folder / "last.nic", "--model", model)
        if done.code != 0:
            counts.failures.append(f"last command: {done}")
        if temporaries(folder):
            counts.failures.append(f"{len(temporaries(folder))} temporary files are left")
        unknown = [p.name for p in folder.iterdir() if p.suffix not in (".png", ".nic")]
        if unknown:
            counts.failures.append(f"left behind: {unknown}")
    return {
        "processes": PROCESSES,
        "pictures": PROCESSES * pictures,
        "clock": "time.time of each command, and modification times, wrong by up to ten years",
        **counts.events,
        "temporary_files_before_the_last_command": left,
        "temporary_files_after_it": 0 if not counts.failures else None,
        "failures": counts.failures[:20],
    }


def killed_worker(cases: list[Case], model: Path, folder: Path, pictures: int, seed: int, worker: int) -> Counts:
    """What one of the processes does. Every fourth picture is written to a file that all of them write to."""
    rng, counts, usual = random.Random(seed * PROCESSES + worker), Counts(), dict.fromkeys(STEPS, 0.3)
    allowed = {case.nic for case in cases}
    for number in range(pictures):
        case = rng.choice(cases)
        shared = number % 4 == 3
        source, back = folder / f"{worker}-in.png", folder / f"{worker}-{number}.png"
        nic = folder / ("shared.nic" if shared else f"{worker}-{number}.nic")
        source.write_bytes(case.png)
        commands = (
            (["compress", source, "-o", nic, "-f", "-q", case.quality], nic),
            (["decompress", nic, "-o", back], back),
            (["verify", "--decode", nic], None),
        )
        for step, (words, output) in zip(STEPS, commands, strict=True):
            if step != "compress" and not nic.exists():
                counts.events["skipped"] += 1
                continue
            for path in (source, nic, *temporaries(folder)):
                set_wrong_time(path, rng)
            kill, by = None, rng.choice(KILLS)
            match rng.randrange(6):
                case 0 | 1:
                    kill = kill_after(rng.uniform(0, 1.3 * usual[step]), by)
                case 2 if output:
                    kill = kill_while_it_writes(folder, by)
            done = command(*words, "--model", model, kill=kill, clock=True)
            if kill is None:
                usual[step] = 0.8 * usual[step] + 0.2 * done.seconds
            counts.events[step] += 1
            counts.events["killed" if done.code is None else "ended"] += 1
            where = f"{worker}-{number} {step}"
            if done.code not in (0, None) or "Traceback" in done.stderr:
                counts.failures.append(f"{where}: exit code {done.code}: {done.stderr[:200]}")
            if done.code == 0 and output and not output.exists():
                counts.failures.append(f"{where}: no output")
            if output == nic and nic.exists():
                found = nic.read_bytes()
                if found not in allowed if shared else found != case.nic:
                    counts.failures.append(f"{where}: a file of {len(found)} bytes is not whole")
            if output == back and back.exists() and not shared and not case.is_decoded(back.read_bytes()):
                counts.failures.append(f"{where}: a picture is not whole")
        if not shared:
            nic.unlink(missing_ok=True)
        back.unlink(missing_ok=True)
    return counts


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """A folder on a tmpfs of 2 MB; None where none may be mounted."""
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "imgcodec-soak", folder]
        mounted = sys.platform == "linux" and subprocess.run(mount, capture_output=True, check=False).returncode == 0
        try:
            yield Path(folder) if mounted else None
        finally:
            if mounted:
                subprocess.run(["umount", folder], check=True)


def full_disks(cases: list[Case], model: Path, rounds: int, seed: int) -> dict[str, Any]:
    counts = Counts()
    with small_disk() as disk:
        if disk:
            counts.add(until_full(cases, model, disk, rounds, seed))
    limited = Counts()
    with tempfile.TemporaryDirectory() as folder:
        limited.add(limited_files(cases, model, Path(folder), rounds))
    return {
        "disk": "tmpfs of 2 MB" if disk else "no tmpfs could be mounted",
        **counts.events,
        "file_limit": {"bytes": LARGEST_FILE, **limited.events},
        "failures": (counts.failures + limited.failures)[:20],
    }


def until_full(cases: list[Case], model: Path, disk: Path, rounds: int, seed: int) -> Counts:
    """Fills the disk to within a few pages, so that some outputs fit and others do not."""
    rng, counts = random.Random(seed), Counts()
    elsewhere = Path(tempfile.mkdtemp())
    for number in range(rounds):
        case = rng.choice(cases)
        (elsewhere / "in.png").write_bytes(case.png)
        (elsewhere / "in.nic").write_bytes(case.nic)
        old = rng.choice([None, b"old"])
        for words, output, is_whole in (
            (["compress", elsewhere / "in.png", "-q", case.quality], disk / "out.nic", case.is_file),
            (["decompress", elsewhere / "in.nic"], disk / "out.tiff", case.is_decoded),
        ):
            output.unlink(missing_ok=True)
            (disk / "ballast").unlink(missing_ok=True)
            if old:
                output.write_bytes(old)
            free = shutil.disk_usage(disk).free - rng.randrange(0, 48 * 1024)
            (disk / "ballast").write_bytes(bytes(max(0, free)))
            done = command(*words, "-o", output, *(["-f"] if old else []), "--model", model)
            check_output(counts, f"disk {number} {words[0]}", done, output, old, is_whole, "no space left on device")
            if temporaries(disk):
                counts.failures.append(f"disk {number} {words[0]}: a temporary file is left")
    shutil.rmtree(elsewhere)
    return counts


def limited_files(cases: list[Case], model: Path, folder: Path, rounds: int) -> Counts:
    """The same where files may not grow beyond a limit, at which a write ends half done."""
    counts = Counts()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))

    for number in range(rounds):
        case = cases[number % len(cases)]
        (folder / "in.nic").write_bytes(case.nic)
        output, old = folder / "out.tiff", (None, b"old")[number % 2]
        output.unlink(missing_ok=True)
        if old:
            output.write_bytes(old)
        words = ["decompress", folder / "in.nic", "-o", output, *(["-f"] if old else []), "--model", model]
        done = command(*words, prepare=limit)
        check_output(counts, f"limit {number}", done, output, old, case.is_decoded, "file too large")
        if temporaries(folder):
            counts.failures.append(f"limit {number}: a temporary file is left")
    return counts


def check_output(
    counts: Counts, where: str, done: Done, output: Path, old: bytes | None, is_whole: Callable[[bytes], bool], why: str
) -> None:
    """Counts a command that either has written a whole output or has left what was there, with one sentence. Before it
    may be a word on what the picture loses."""
    said, left = done.stderr.splitlines(), output.read_bytes() if output.exists() else None
    counts.events["written" if done.code == 0 else "refused"] += 1
    if done.code == 0:
        if left is None or not is_whole(left):
            counts.failures.append(f"{where}: an output is not whole")
    elif done.code != 1 or len(said) > 2 or not said or not said[-1].startswith("imgcodec: ") or why not in said[-1]:
        counts.failures.append(f"{where}: exit code {done.code}: {done.stderr[:200]}")
    elif left != old:
        counts.failures.append(f"{where}: what was there before is not there any more")


def many_threads(cases: list[Case], path: Path, jobs: int) -> dict[str, Any]:
    """jobs: of each thread."""
    model, counts = imgcodec.load_model(path), Counts()

    def work(thread: int) -> Counts:
        rng, found = random.Random(thread), Counts()
        for number in range(jobs):
            case = rng.choice(cases)
            if model.compress(case.png, quality=case.quality) != case.nic:
                found.failures.append(f"thread {thread}, {number}: other bytes")
            if pixels_of(model.decompress(case.nic)) != case.decoded:
                found.failures.append(f"thread {thread}, {number}: other pixels")
            found.events["round_trips"] += 1
        return found

    with quiet(), ThreadPoolExecutor(THREADS) as threads:
        for found in threads.map(work, range(THREADS)):
            counts.add(found)
    return {"threads": THREADS, **counts.events, "failures": counts.failures[:20]}


def long_life(cases: list[Case], path: Path, trips: int) -> dict[str, Any]:
    """Round trips in a process of its own, so that it starts small."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        peaks: list[float] = pool.apply(round_trips, (cases, path, trips))
    settled = peaks[len(peaks) // 10]  # caches are full by then
    growth = max(peaks) - settled
    return {
        "round_trips": trips,
        "resident_mib": [round(peak, 1) for peak in peaks],
        "growth_mib": round(growth, 1),
        "failures": [] if growth <= LARGEST_GROWTH else [f"memory has grown by {growth:.1f} MiB"],
    }


def round_trips(cases: list[Case], path: Path, trips: int) -> list[float]:
    """MiB resident at the start and after each twentieth of the round trips."""
    model, sizes = imgcodec.load_model(path), [resident_mib()]
    with quiet():
        for number in range(trips):
            case = cases[number % len(cases)]
            pixels = model.decompress(model.compress(case.png, quality=number % 101))
            assert pixels.size[0] > 0
            if (number + 1) % max(1, trips // 20) == 0:
                sizes.append(resident_mib())
    return sizes


def resident_mib() -> float:
    """Of this process now; its peak where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    sys.exit(main())
