"""What a command takes with each engine, from start to end, beside imports in the same rounds; and what a loaded model
takes.

    python benchmarks/engines.py kodak/ -o benchmarks/results/engines.json

Rounds go through all commands, each with the next picture of the folder, so that other work on the machine falls on all
of them alike; figures are medians, in seconds of the clock and of the processor, a command's children included. Then a
model that is loaded once compresses and decompresses the same pictures, with each engine in a process of its own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe

from imgcodec.cli.bench import find_files

ENGINES = ("onnx", "torch")
IMPORTS = ("torch", "onnxruntime, numpy, PIL")
"""The second is what no command with ONNX Runtime can be faster than."""
# Modules are compiled once, as they are where a package is installed, also where Python was told not to keep that.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
SCRIPT = str(Path(sys.executable).with_name("imgcodec"))

# What a loaded model takes: seconds of the clock and of the processor for each picture, all of them once before.
LOADED = """
import json, sys, time
import imgcodec
from imgcodec.pictures import io

def timed(work, items):
    for item in items:
        work(item)
    seconds = []
    for item in items:
        start = time.perf_counter(), time.process_time()
        work(item)
        seconds.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return seconds

model = imgcodec.load_model(engine=sys.argv[1])
pixels = [io.load(path).pixels for path in sys.argv[2:]]
files = [model.compress(picture) for picture in pixels]
print(json.dumps({"compress": timed(model.compress, pixels), "decompress": timed(model.decompress, files)}))
"""


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds of the clock and of the processor that a command takes."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    seconds, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used


def medians(pairs: list[tuple[float, float]]) -> dict[str, float]:
    clock, processor = zip(*pairs, strict=True)
    return {"seconds": round(statistics.median(clock), 3), "processor": round(statistics.median(processor), 3)}


def commands(pictures: list[Path], rounds: int, folder: Path) -> dict[str, dict[str, float]]:
    """Medians by command and engine."""
    files = [folder / f"{number}.nic" for number in range(len(pictures))]
    for picture, file in zip(pictures, files, strict=True):
        subprocess.run([SCRIPT, "compress", picture, "-o", file, "--quiet"], check=True, env=ENVIRONMENT)
    seen: dict[str, list[tuple[float, float]]] = {}
    for turn in range(rounds):
        picture, file = pictures[turn % len(pictures)], files[turn % len(files)]
        lines = {f"import {what}": [sys.executable, "-c", f"import {what}"] for what in IMPORTS}
        for engine in ENGINES:
            for what, source, made in (("compress", picture, "out.nic"), ("decompress", file, "out.ppm")):
                line = [SCRIPT, what, str(source), "-fo", str(folder / made), "--engine", engine, "--quiet"]
                lines[f"{what} {engine}"] = line
        for name, line in lines.items():
            seen.setdefault(name, []).append(measured(line))
    return {name: medians(pairs) for name, pairs in seen.items()}


def loaded(pictures: list[Path]) -> dict[str, dict[str, float]]:
    """Medians by direction and engine."""
    found = {}
    for engine in ENGINES:
        program = [sys.executable, "-c", LOADED, engine, *map(str, pictures)]
        done = json.loads(subprocess.run(program, check=True, stdout=subprocess.PIPE).stdout)
        found |= {f"{direction} {engine}": medians(pairs) for direction, pairs in done.items()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, help="a folder")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--limit", type=int, default=6, help="pictures, the first ones")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    pictures = find_files(arguments.pictures)[: arguments.limit]
    with tempfile.TemporaryDirectory() as folder:
        of_commands = commands(pictures, arguments.rounds, Path(folder))
    report = {
        **describe(), "load_average": os.getloadavg()[0], "pictures": [path.name for path in pictures],
        "rounds": arguments.rounds, "commands": of_commands, "loaded": loaded(pictures),
    }  # fmt: skip
    text = json.dumps(report, indent=1) + "\n"
    if arguments.output:
        arguments.output.write_text(text)
    print(json.dumps({key: report[key] for key in ("load_average", "commands", "loaded")}, indent=1))


if __name__ == "__main__":
    main()
