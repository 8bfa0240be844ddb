"""How many pictures a minute: one command for each, and one for all, with one process and with several.

    python benchmarks/many.py FOLDER [--count 200] [--alone 10] [-o benchmarks/results/many.json]

FOLDER has pictures; they are used again and again, under other names, until there are `count`. The commands of their
own are run for `alone` of them. What other work the machine has counts in the minutes; the seconds of its processor
that each picture takes hardly depend on that. In the end the command for all is killed (kill -9) when a third is done,
and started again; then every file is verified.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from machine import describe

COMMAND = [str(Path(sys.executable).with_name("imgcodec"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--alone", type=int, default=10)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "photos").mkdir()
        originals = sorted(path for path in options.folder.iterdir() if path.suffix.lower() in (".png", ".jpg"))
        for index, path in enumerate(islice(cycle(originals), options.count)):
            shutil.copy(path, root / "photos" / f"{index:04d}{path.suffix}")
        minutes, seconds = measured(root, options.alone)
        report = {
            "machine": describe(),
            "load": os.getloadavg()[0],
            "pictures a minute": minutes,
            "processor seconds a picture": seconds,
            "killed": killed_and_resumed(root),
        }
    text = json.dumps(report, indent=1) + "\n"
    print(text, end="")
    if options.output:
        options.output.write_text(text)


def measured(root: Path, alone: int) -> tuple[dict[str, float], dict[str, float]]:
    """Pictures a minute, and seconds of the processor for each, of each way."""
    photos = sorted((root / "photos").iterdir())
    minutes, seconds = {}, {}

    def note(way: str, count: int, lines: list[list[object]]) -> None:
        began, used = time.monotonic(), processor_seconds()
        for line in lines:
            run("compress", *line)
        minutes[way] = round(60 * count / (time.monotonic() - began), 2)
        seconds[way] = round((processor_seconds() - used) / count, 3)

    note("one by one", alone, [[path, "-o", root / f"{path.stem}.nic"] for path in photos[:alone]])
    for jobs in (1, 2):
        note(f"-j {jobs}", len(photos), [[root / "photos", "-r", "-o", root / f"out{jobs}", "-j", jobs]])
    return minutes, seconds


def processor_seconds() -> float:
    """Of all commands that have ended, and of their processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def killed_and_resumed(root: Path) -> dict[str, int]:
    """How many files there were after a kill, and after the second run; all of them are sound then."""
    count, out = len(list((root / "photos").iterdir())), root / "killed"
    line = [*COMMAND, "compress", str(root / "photos"), "-r", "-o", str(out), "-j", "2"]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as process:
        while len(list(out.glob("*.nic"))) < count // 3:
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
    time.sleep(3)
    there = len(list(out.glob("*.nic")))
    run(*line[1:])
    run("verify", out, "-r")
    assert not list(out.glob(".*"))
    return {"after the kill": there, "after the second run": len(list(out.glob("*.nic")))}


def run(*arguments: object) -> None:
    subprocess.run([*COMMAND, *map(str, arguments)], check=True, capture_output=True)


if __name__ == "__main__":
    main()
