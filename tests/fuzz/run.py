"""The long runs, guided by coverage: needs `pip install 'imgcodec[fuzz]'`, which exists for Linux.

    python tests/fuzz/run.py container --runs 1000000
    python tests/fuzz/run.py decoder --runs 50000
    python tests/fuzz/run.py exact --runs 100000

Stops at the first exception, at an input that takes over 10 seconds of the processor, and at memory over the limit, and
leaves the input in `build/fuzz/`. It becomes a test of its own in `tests/`, named for what it shows. What was found
interesting stays in `build/fuzz/TARGET/`, for the next run to begin with; the counts are in `build/fuzz/TARGET.json`.
"""

import argparse
import json
import resource
import signal
import sys
import time
from pathlib import Path
from random import Random
from typing import NoReturn

import atheris

ROOT = Path(__file__).parents[2]
SECONDS = 10  # of the processor, for an input
HANGING = 3600  # by the clock, which runs on while a busy machine stands still
MEMORY = {
    "container": 128,
    "decoder": 1024,
    "exact": 1024,
}  # MiB resident, of which Python alone takes 50, and with torch 290
ADDRESSES = 16  # times that; threads and libraries reserve what they never touch
LONGEST = 4000  # bytes of an input: exact blocks take 2000; the four largest seeds, exact files, are cut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=MEMORY)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    with atheris.instrument_imports(include=["imgcodec"]):
        from fuzz.corpus import exact_seeds, seeds
        from fuzz.structure import mutate, mutate_exact
        from fuzz.targets import TARGETS, tiny_codec

        if arguments.target == "decoder":
            tiny_codec()

    folder = ROOT / "build" / "fuzz" / arguments.target
    folder.mkdir(parents=True, exist_ok=True)
    is_exact = arguments.target == "exact"
    for name, data in exact_seeds() if is_exact else seeds():
        (folder / name).write_bytes(data)
    limit = MEMORY[arguments.target] * 2**20 * ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGPROF, too_slow)
    target = Counted(TARGETS[arguments.target], arguments.runs, folder.with_suffix(".json"))

    def mutated(data: bytes, longest: int, seed: int) -> bytes:
        random = Random(seed)
        changed = mutate_exact if is_exact else mutate
        return (changed(data, random) if random.random() < 0.8 else atheris.Mutate(data, longest))[:longest]

    options = {
        "runs": arguments.runs, "seed": arguments.seed, "timeout": HANGING, "rss_limit_mb": MEMORY[arguments.target],
        "max_len": LONGEST, "len_control": 0, "mutate_depth": 2, "print_final_stats": 1,
        "artifact_prefix": f"{folder.parent}/",
    }  # fmt: skip
    atheris.Setup(
        [sys.argv[0], str(folder), *(f"-{name}={value}" for name, value in options.items())],
        target,
        custom_mutator=mutated,
    )
    atheris.Fuzz()


def too_slow(*_: object) -> NoReturn:
    raise TimeoutError(f"an input took over {SECONDS} seconds")


class Counted:
    """A target that keeps count, because libFuzzer leaves without a word to Python."""

    def __init__(self, target, runs: int, report: Path) -> None:
        self.target, self.runs, self.report = target, runs, report
        self.done = self.deep = 0
        self.slowest = 0.0

    def __call__(self, data: bytes) -> None:
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        deep = self.target(data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.slowest = max(self.slowest, time.process_time() - start)
        self.done += 1
        self.deep += deep
        if self.done % 1000 == 0 or self.done >= self.runs:
            megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            counts = {
                "executions": self.done,
                "past_the_first_checks": self.deep,
                "slowest_seconds": round(self.slowest, 3),
            }
            self.report.write_text(json.dumps({**counts, "peak_megabytes": megabytes}) + "\n")


if __name__ == "__main__":
    main()
