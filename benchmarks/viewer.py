"""How long the viewer's page takes in Chromium, and whether it stays awake meanwhile.

    python benchmarks/viewer.py kodak/ -o benchmarks/results/viewer.json

Of a picture of the folder and of one of 12 megapixels, put together from those of the folder: seconds until a preview
and until all pixels are seen, and until the page is done, with the known-answer test behind the first piece, in a page
that has just been opened (so the runtime is compiled and the model fetched), then of the same file opened again; the
longest time between two frames of the page, which is how long it did
not answer; processor seconds of the browser. Seconds are those of a clock, and other work on the machine adds to them:
`load` is how many processes wanted the processor on the average of the last minute. `import torch` is timed in the same
run.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from statistics import median

from large import photograph
from machine import describe
from playwright.sync_api import Page, sync_playwright

import imgcodec
from imgcodec.cli.bench import find_files
from imgcodec.viewing import served

SEEN = "#save:not([hidden]), #fault:not([hidden])"
# Frames of the page, when the canvas was shown first, and when all pieces were on it.
WATCH = """() => {
  const now = performance.now();
  const told = (window.told = { frame: now, longest: 0, began: now, preview: 0, pixels: 0 });
  const watch = now => {
    told.longest = Math.max(told.longest, now - told.frame);
    told.frame = now;
    if (!told.preview && !document.getElementById("canvas").hidden) told.preview = now - told.began;
    const progress = document.getElementById("progress");
    if (!told.pixels && !progress.hidden && progress.value === 1) told.pixels = now - told.began;
    requestAnimationFrame(watch);
  };
  requestAnimationFrame(watch);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--megapixels", type=float, default=12)
    arguments = parser.parse_args()
    paths = find_files(arguments.folder)
    pictures = {
        "one picture": paths[0],
        f"{arguments.megapixels:g} megapixels": photograph(paths, arguments.megapixels),
    }
    files = {name: imgcodec.compress(picture, exact=False) for name, picture in pictures.items()}
    report = {name: measure(data, arguments.runs) for name, data in files.items()}
    torch = median(seconds([sys.executable, "-c", "import torch"]) for _ in range(arguments.runs))
    result = {**describe(), "load": os.getloadavg()[0], "import_torch": round(torch, 2), "pages": report}
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")


def measure(data: bytes, runs: int) -> dict[str, object]:
    """Medians over runs, each in a browser of its own."""
    width, height = imgcodec.info(data).size
    found = [one_run(data) for _ in range(runs)]
    kinds = {kind: {name: median(run[kind][name] for run in found) for name in found[0][kind]} for kind in found[0]}
    return {"width": width, "height": height, "bytes": len(data), **kinds}


def one_run(data: bytes) -> dict[str, dict[str, float]]:
    with sync_playwright() as driver, served(("picture.nic", data)) as address:
        id = imgcodec.info(data).model_id
        urllib.request.urlopen(f"{address.partition('?')[0]}models/{id}.nicm/model.json").close()  # graphs are made now
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page()
        page.set_default_timeout(600_000)
        page.add_init_script(f"({WATCH})()")
        before = processor_seconds()
        first = opened(page, address)
        first["processor"] = processor_seconds() - before
        before = processor_seconds()
        page.evaluate("() => { document.getElementById('canvas').hidden = true; }")  # the picture that is there
        page.evaluate(WATCH)
        began = time.perf_counter()
        page.locator("#file").set_input_files(
            {"name": "again.nic", "mimeType": "application/octet-stream", "buffer": data}
        )
        page.wait_for_selector("#name:text('again.nic')")
        second = told(page, began)
        second["processor"] = processor_seconds() - before
        browser.close()
    return {"first": rounded(first), "again": rounded(second)}


def opened(page: Page, address: str) -> dict[str, float]:
    page.set_default_timeout(600_000)
    began = time.perf_counter()
    page.goto(address)
    return told(page, began)


def told(page: Page, began: float) -> dict[str, float]:
    page.wait_for_selector(SEEN)
    whole = time.perf_counter() - began
    if page.locator("#fault").is_visible():
        sys.exit(page.locator("#fault").inner_text())
    watched = page.evaluate("window.told ?? { preview: 0, pixels: 0, longest: 0 }")
    found = {name: watched[name] / 1000 for name in ("preview", "pixels", "longest")}
    found["pixels"] = found["pixels"] or whole  # both in one frame, where the known answer was there before
    return {"preview": found["preview"], "pixels": found["pixels"], "whole": whole, "longest_frame": found["longest"]}


def rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def processor_seconds() -> float:
    """Of all processes of Chromium that this one has started, so far; those that have ended are not counted."""
    children: dict[int, list[tuple[int, float]]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        ticks = int(fields[11]) + int(fields[12])
        children.setdefault(int(fields[1]), []).append((int(entry.name), ticks / os.sysconf("SC_CLK_TCK")))
    total, parents = 0.0, [os.getpid()]
    while parents:
        for process, used in children.get(parents.pop(), []):
            total += used
            parents.append(process)
    return total


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
