"""Writes the figures into the README, the comparison and the model's card, from the results that other scripts left.

    python benchmarks/report.py

Reads benchmarks/results/{rd,rd_effort,peers,coding,speed,speed-amd,speed-avx2,memory,integers,export,exactness,exactness-onnx,exactness-page}.json and replaces what stands
between `<!-- figures -->` and `<!-- end of figures -->` in README.md, docs/comparison.md, docs/choosing.md and models/photo.md. So no figure
there is typed by hand. `peers.json` has the points of codecs that `rd.py` does not run, measured on the same pictures with
the same metrics (docs/comparison.md says how), in the form that `rd.py plot --points` takes.
"""

# ruff: noqa: E501  (the lines of the report are as long as they are)
import json
from pathlib import Path
from typing import Any

from imgcodec.evaluation.bd import bd_rate, quality_at

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def main() -> None:
    results = {name: json.loads((RESULTS / f"{name}.json").read_text()) for name in (
        "rd", "rd_effort", "peers", "coding", *SPEEDS, "memory", "integers", "export", *MATRICES
    )}  # fmt: skip
    fast = [*speed([results[name] for name in SPEEDS]), *memory(results["memory"])]
    replace(ROOT / "README.md", summary(results["rd"], results["rd_effort"]))
    compared = [*peers(results["rd"], results["rd_effort"]), *elsewhere(results["rd"], results["peers"])]
    replace(ROOT / "docs" / "comparison.md", [*compared, *fast, *exactness(results)])
    replace(ROOT / "docs" / "choosing.md", choosing(results["rd"]))
    curves = [*curve(results["rd"], "imgcodec psnr"), *curve(results["rd"], "imgcodec visual")]
    card = [*curves, *stages(results["coding"]), *coder(results["coding"])]
    replace(ROOT / "models" / "photo.md", [*card, *integers(results["integers"], results["export"])])


def replace(path: Path, lines: list[str]) -> None:
    before, _, rest = path.read_text().partition(BEGIN)
    path.write_text(before + "\n".join([BEGIN, "", *lines, END]) + rest.partition(END)[2])


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in [head, ["---"] + ["---:"] * (len(head) - 1), *rows]] + [""]


def number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


NAMES = {
    "imgcodec visual": "imgcodec visual (the default)",
    "imgcodec psnr": "imgcodec psnr",
    "imgcodec visual -e5": "imgcodec visual -e5",
    "imgcodec psnr -e5": "imgcodec psnr -e5",
    "avif": "AVIF",
    "webp": "WebP",
    "jpeg": "JPEG",
}
"""What was measured with JPEG, in the order of the tables, and what it is called there."""

ELSEWHERE = {
    "vvc-medium": "VVC (vvenc, medium)",
    "avif-444-psnr-s4": "AVIF tuned for PSNR, 4:4:4, speed 4",
    "heic": "HEIC (x265)",
    "jxl": "JPEG XL, effort 7",
    "jxl-e9": "JPEG XL, effort 9",
    "mozjpeg": "mozjpeg",
}


def summary(rd: dict[str, Any], effort: dict[str, Any]) -> list[str]:
    """BD-rates alone."""
    against = rd["bd_rate_against_jpeg"] | {n: v for n, v in effort["bd_rate_against_jpeg"].items() if " -e" in n}
    rows = [[title, *percents(against[name])] for name, title in NAMES.items() if name != "jpeg"]
    return [
        f"Bytes against JPEG of the same likeness, in %, on {len(rd['pictures'])} photographs (Kodak), every byte of real files counted;",
        "`visual` and `psnr` are the tunes, `-e5` is `--effort 5`:",
        "",
        *table(["codec", "by SSIMULACRA2", "by MS-SSIM", "by PSNR"], rows),
    ]


def percents(against: dict[str, Any]) -> list[str]:
    return [number(against[metric]["percent"], 1) for metric in ("ssimulacra2", "ms_ssim_db", "psnr")]


def peers(rd: dict[str, Any], effort: dict[str, Any]) -> list[str]:
    """BD-rates and quality at fixed rates, beside what was measured in the same run, and with more effort in another."""
    assert effort["pictures"] == rd["pictures"]
    rates, ats = effort["bd_rate_against_jpeg"] | rd["bd_rate_against_jpeg"], effort["at_bpp"] | rd["at_bpp"]
    rows = [[title, *percents(rates[name]), *at_rates(ats[name])] for name, title in NAMES.items()]
    low, high = rd["bd_rate_bpp"]
    return [
        f"Rate and distortion on {len(rd['pictures'])} pictures (Kodak), every byte of real files counted: BD-rate against",
        f"JPEG in % (less is better; {low:g} to {high:g} bpp), SSIMULACRA2 at 0.5 bpp, PSNR in dB at 0.25 / 0.5 / 1 bpp.",
        "JPEG, WebP and AVIF as Pillow makes them; `-e5` is `--effort 5`, which takes seconds where the",
        "others take tenths of them (`benchmarks/rd.py measure`).",
        "",
        *table(RATES_HEAD, rows),
    ]


RATES_HEAD = ["codec", "SSIMULACRA2", "MS-SSIM", "PSNR", "SSIMULACRA2 at .5", "dB at .25 / .5 / 1"]


def at_rates(at: dict[str, Any]) -> list[str]:
    decibels = [number(at[rate]["psnr"]) for rate in ("0.25", "0.5", "1")]
    return [number(at["0.5"]["ssimulacra2"], 1), " / ".join(decibels)]


def elsewhere(rd: dict[str, Any], points: dict[str, Any]) -> list[str]:
    """The same columns of codecs of `peers.json`."""
    rows = []
    for name, title in ELSEWHERE.items():
        against, at = {}, {f"{rate:g}": {} for rate in (0.25, 0.5, 1)}
        for metric, column in {"psnr": "psnr", "ms_ssim_db": "msssim_db", "ssimulacra2": "ssimulacra2"}.items():
            jpeg = [(point["bpp"], point[metric]) for point in rd["curves"]["jpeg"]]
            theirs = [(point["bpp"], point[column]) for point in points[name]]
            against[metric] = {"percent": bd_rate(jpeg, theirs, tuple(rd["bd_rate_bpp"])).percent}
            for rate in at:
                at[rate][metric] = quality_at(theirs, float(rate))
        rows.append([title, *percents(against), *at_rates(at)])
    return [
        "The same of codecs that Pillow does not have, or not so, measured on the same pictures:",
        "",
        *table(RATES_HEAD, rows),
    ]


SPEEDS = ("speed", "speed-amd", "speed-avx2")
"""Results of `benchmarks/speed.py` on several machines."""


def speed(results: list[dict[str, Any]]) -> list[str]:
    """Megapixels a second beside the peers of the same run, where the time goes, whole commands; a row for each codec and
    machine."""
    titles = {"imgcodec": NAMES["imgcodec visual"], "jpeg": "JPEG", "avif": "AVIF", "jxl": "JPEG XL"}
    rows, notes = [], []
    for result in results:
        instructions = instruction_set(result)
        for name, title in titles.items():
            codec = result[name]
            both = [number(codec[direction]["mp_per_second"], 1) for direction in ("encode", "decode")]
            alone = [number(codec[direction].get("mp_per_processor_second"), 2) for direction in ("encode", "decode")]
            rows.append([title, instructions, number(codec["bpp"]), *both, *alone])
        notes += where_it_goes(result, instructions)
    return [
        "Speed on a large photograph, model loaded, in megapixels a second of the clock, all cores working, and",
        "in megapixels for each second that one core works (`benchmarks/speed.py`); compare rows of one machine:",
        "",
        *table(["codec", "processor", "bpp", "encode", "decode", "encode, a core", "decode, a core"], rows),
        *notes,
    ]


def instruction_set(result: dict[str, Any]) -> str:
    """What PyTorch calls it, as it is written, and whose processor it is."""
    machine = result["machine"]
    return f"{machine['torch_cpu_capability'].replace('AVX512', 'AVX-512')}, {machine['processor'].split()[0].removesuffix('(R)')}"


def where_it_goes(result: dict[str, Any], instructions: str) -> list[str]:
    """A paragraph about the machine, the stages and whole commands."""
    machine, commands, shares = result["machine"], result["commands"], {}
    for direction in ("encode", "decode"):
        largest = list(result["imgcodec"][direction]["share_by_file"].items())[:4]
        shares[direction] = ", ".join(f"`{file}` {share:.0%}" for file, share in largest)
    load = result.get("load_average", 0)
    busy = f", while other work kept it busy (a load of {load:.0f} before)" if load > 1 else ""
    return [
        f"{instructions}: {machine['processor']}, {machine['cores']} cores, on {result['date']}{busy}; {result['width']} x {result['height']} pixels.",
        f"Encoding goes to {shares['encode']};",
        f"decoding to {shares['decode']}.",
        f"A whole command on a 768 x 512 picture takes {commands['compress']['seconds']:.2f} s (compress) and",
        f"{commands['decompress']['seconds']:.2f} s (decompress), where `python -c 'import torch'` takes",
        f"{commands['import torch']['seconds']:.2f} s; `compress -e 5` takes {commands['compress -e 5']['seconds']:.1f} s, `imgcodec --help` {commands['--help']['seconds']:.2f} s.",
        "",
    ]


def memory(result: dict[str, Any]) -> list[str]:
    """Peaks by size."""
    peaks = result["peaks"]
    sizes = ["", *(f"{row['megapixels']} MP" for row in peaks)]
    rows = [[way, *(number(row[f"{way}_mib"], 0) for row in peaks)] for way in ("encode", "decode")]
    return [
        f"Peak memory of the process in MiB, {result['base_mib']:.0f} of them with nothing done but to load the model",
        "(`benchmarks/memory.py`):",
        "",
        *table(sizes, rows),
        f"With effort, whatever the size: {result['effort']['psnr']:.0f} MiB in the tune psnr, {result['effort']['visual']:.0f} in the visual one.",
        "",
    ]


MATRICES = {
    "exactness": "instruction sets of PyTorch and oneDNN, threads, versions of PyTorch",
    "exactness-onnx": "PyTorch and ONNX Runtime, its versions, threads and levels of optimization",
    "exactness-page": "PyTorch, and the browser's page in WebAssembly, with one thread and two",
}
"""Results of `benchmarks/exactness.py`, and what their settings are."""


def exactness(results: dict[str, Any]) -> list[str]:
    """Each matrix in a row."""
    rows = []
    for name, settings in MATRICES.items():
        result = results[name]
        of_files = [result["files_read"], f"{result['tokens_compared'] / 1e6:.0f} million"]
        faults = [len(result["wrong_tokens"]), len(result["other_bytes"]), result["largest_pixel_difference"]]
        rows.append([settings, *map(str, [result["date"], len(result["settings"]), *of_files, *faults])])
    return [
        "Exactness: files written under each of some settings, and read under every other (`benchmarks/exactness.py`), each",
        "matrix with the weights of its day. Files with other tokens, files with other bytes when they are written again, and the",
        "largest difference of a pixel in gray levels:",
        "",
        *table(["settings", "date", "number", "readings", "tokens", "other tokens", "other bytes", "pixels"], rows),
    ]


USES = {
    15: "previews",
    35: "pictures that are seen small",
    50: "the default: fine at arm's length",
    65: "hard to tell apart without the original",
    80: "hard to tell apart with it",
    95: "the most that makes sense: JPEG XL and AVIF do as well here",
}
"""What some qualities are for."""


def choosing(rd: dict[str, Any]) -> list[str]:
    """What qualities of the default tune mean."""
    points = {point["quality"]: point for point in rd["curves"]["imgcodec visual"]}
    rows = [[f"{q}", number(points[q]["bpp"]), number(points[q]["ssimulacra2"], 0), use] for q, use in USES.items()]
    return table(["quality", "bits per pixel", "SSIMULACRA2", "what for"], rows)


def curve(rd: dict[str, Any], codec: str) -> list[str]:
    """Our points on Kodak."""
    rows = []
    for point in rd["curves"][codec]:
        values = [number(point["bpp"], 3), number(point["psnr"]), number(point["ms_ssim_db"])]
        rows.append([f"{point['quality']:g}", *values, number(point["ssimulacra2"], 1)])
    return [
        f"Kodak, tune {'visual' if 'visual' in codec else 'psnr'}, means over 24 pictures, real files (`benchmarks/rd.py measure`):",
        "",
        *table(["quality", "bpp", "PSNR (dB)", "MS-SSIM (dB)", "SSIMULACRA2"], rows),
    ]


def stages(coding: dict[str, Any]) -> list[str]:
    """What each prefix of stages decodes to."""
    rows = [
        [f"{q['quality']:g}", number(q["stage_0_share_percent"], 1), number(q["stage_0_psnr"]), number(q["psnr"])]
        for q in coding["qualities"]
    ]
    return [
        "PSNR of the picture decoded from each prefix of stages, Kodak (`benchmarks/coding.py`):",
        "",
        *table(["quality", "stage 0: % of bits", "stage 0 alone (dB)", "both (dB)"], rows),
    ]


def coder(coding: dict[str, Any]) -> list[str]:
    """What is lost between the model's cross-entropy and the file, near 0.25 bpp."""
    near = min(coding["qualities"], key=lambda q: abs(q["bpp"] - 0.25))
    return [
        f"At {near['bpp']:.3f} bpp the coder adds {near['coding_loss_percent']:.2f} % to the cross-entropy of the model's",
        f"tables, coder and container together {near['file_loss_percent']:.2f} %.",
        "",
    ]


def integers(cost: dict[str, Any], export: dict[str, float]) -> list[str]:
    """What integers cost in bits and in time."""
    loss = 100 * (export["integer_bpp"] / export["float_bpp"] - 1)
    return [
        f"Float prior {export['float_bpp']:.4f} bpp, integer prior with fitted tables {export['integer_bpp']:.4f} bpp on",
        f"development pictures ({loss:+.2f} %). The integer prior takes {cost['ratio']:.2f} times as long as the same",
        "layers in float32 (`benchmarks/integers.py`).",
        "",
    ]


if __name__ == "__main__":
    main()
