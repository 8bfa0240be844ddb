"""Pictures a second on a Ray cluster of this machine, with one actor and with two, and what a killed actor loses.

    python benchmarks/scale.py FOLDER [--count 200] [--model photo] [-o benchmarks/results/scale.json]

FOLDER has pictures; they are used again and again, under other names, until there are `count`. The cluster is started
once. A rate is that between the first file and the last, so without the start of actors, which `seconds to the first`
has. Every file is compared with that of a command without a cluster. Then an actor is killed (kill -9) when a third is
done.
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
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

from machine import describe

COMMAND = [str(Path(sys.executable).with_name("imgcodec"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--model", default="photo")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "photos").mkdir()
        originals = sorted(path for path in options.folder.iterdir() if path.suffix.lower() in (".png", ".jpg"))
        for index, path in enumerate(islice(cycle(originals), options.count)):
            shutil.copy(path, root / "photos" / f"{index:05d}{path.suffix}")
        model = shutil.copy(options.model, root) if options.model.endswith(".safetensors") else options.model
        line = [*COMMAND, "compress", str(root / "photos"), "-r", "--json", "--model", str(model)]
        report = {"machine": describe(), "load": os.getloadavg()[0], "pictures": options.count, "model": options.model}
        report["without a cluster"] = timed([*line, "-o", str(root / "alone")])
        wanted = contents(root / "alone")
        assert len(wanted) == options.count
        cluster = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
        os.environ["RAY_ADDRESS"] = cluster.address_info["gcs_address"]
        line += ["--engine", "ray"]
        for actors in (1, 2):
            out = root / f"{actors}"
            report[f"{actors} actors"] = timed([*line, "-o", str(out), "-j", str(actors)])
            assert contents(out) == wanted
        killed: list[int] = []

        def kill_one(done: int) -> None:
            if not killed and done >= options.count // 3:
                killed.append(an_actor())
                os.kill(killed[0], signal.SIGKILL)

        report["2 actors, one killed"] = timed([*line, "-o", str(root / "killed"), "-j", "2"], kill_one)
        assert killed
        assert contents(root / "killed") == wanted
        ray.shutdown()
    report["files that were others, or lost"] = 0  # or it would not have come so far
    text = json.dumps(report, indent=1) + "\n"
    print(text, end="")
    if options.output:
        options.output.write_text(text)


def timed(line: list[str], watch: Callable[[int], None] = lambda done: None) -> dict[str, float]:
    """Runs a command that prints a line for each file. watch: is told how many there are already."""
    began = time.monotonic()
    with subprocess.Popen(line, stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process:
        assert process.stdout is not None
        times = []
        for _ in process.stdout:
            times.append(time.monotonic())
            watch(len(times))
    assert process.returncode == 0
    rate = (len(times) - 1) / (times[-1] - times[0])
    return {"pictures a second": round(rate, 2), "seconds to the first": round(times[0] - began, 1)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def an_actor() -> int:
    """A process of our cluster that works: its parent is the raylet, which is a child of this one."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and b"MapWorker" in (folder / "cmdline").read_bytes():
            raylet = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            above = Path("/proc", raylet, "stat").read_text().rpartition(")")[2].split()[1]
            if int(above) == os.getpid():
                return int(folder.name)
    raise RuntimeError("no actor of this cluster was found")


if __name__ == "__main__":
    main()
