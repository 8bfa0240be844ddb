"""How many pictures a minute: one command for each, and one for all, with one process and with several.

    python benchmarks/many.py FOLDER [--count 200] [--alone 10] [-o benchmarks/results/many.json]

FOLDER has pictures; they are used again and again, under other names, until there are `count`. The commands of their
own are run for `alone` of them. In the end the command for all is killed (kill -9) when a third is done, and started
again; then every file is verified.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

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
        report = {"load": os.getloadavg()[0], "pictures a minute": measured(root, options.alone)}
        report["killed"] = killed_and_resumed(root)
    text = json.dumps(report, indent=1) + "\n"
    print(text, end="")
    if options.output:
        options.output.write_text(text)


def measured(root: Path, alone: int) -> dict[str, float]:
    """Pictures a minute. The ways take turns, for other work may be done on the machine."""
    photos = sorted((root / "photos").iterdir())
    began = time.monotonic()
    for path in photos[:alone]:
        run("compress", path, "-o", root / f"{path.stem}.nic")
    found = {"one by one": 60 * alone / (time.monotonic() - began)}
    for jobs in (1, 2):
        began = time.monotonic()
        run("compress", root / "photos", "-r", "-o", root / f"out{jobs}", "-j", str(jobs))
        found[f"-j {jobs}"] = 60 * len(photos) / (time.monotonic() - began)
    return found


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
