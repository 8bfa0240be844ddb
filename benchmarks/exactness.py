"""Do files decode to the same tokens everywhere? Writes files under every setting and reads each under every other.

    python benchmarks/exactness.py kodak/ --model photo -o benchmarks/results/exactness.json
    python benchmarks/exactness.py kodak/ --model photo --torch 2.6.0 --python /elsewhere/bin/python -o ...
    python benchmarks/exactness.py kodak/ --model photo --onnxruntime 1.20.1 --few -o ...
    node viewer/build.mjs /tmp/page --tests
    python benchmarks/exactness.py kodak/ --model photo --page /tmp/page -o ...

A setting is a Python interpreter, a device, a number of threads, an engine, and of PyTorch the instruction sets that it
and oneDNN may use, of ONNX Runtime how far it may change graphs. Each runs in processes of its own, first to write,
then to read what all have written:

    write   compress each picture at each quality; keep the file, the hash of its tokens, and the picture it decodes to
    read    for each file of each setting: are the tokens those of the writer? does writing them again give the same
            bytes? how far are the pixels from the writer's?

Settings are those that the processor has; instruction sets that it lacks are named on stderr and in the result.
Encoders may choose other tokens (what is left of them is float); so there can be more than one file of a picture.
`--torch VERSION` makes a virtual environment in a temporary folder and installs that version and this package in it;
`--onnxruntime VERSION` puts that version before the installed one. `--few` leaves out what PyTorch has between its
oldest and its newest instruction sets. ONNX Runtime cannot be told which instructions to use: `--emulate CPU` runs it
in QEMU, on one that has others.
`--page FOLDER` compares with one setting of PyTorch the decoder of the browser's page, under Node, in one thread and in
two: WebAssembly with its SIMD instructions. It reads files and writes none.
CUDA is among the settings where there is one. The exit code is 1 if anything but pixels within one gray level differs.
"""

import argparse
import base64
import json
import os
import struct
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
WORKER = Path(__file__).with_name("exactness_worker.py")
QUALITIES = (10.0, 50.0, 90.0)
CAPABILITIES = ("default", "avx2", "avx512")  # of PyTorch's own kernels; a processor that has one has those before it
ONEDNN = ("", "SSE41", "AVX2")  # of oneDNN's, which takes no more than the processor has; empty: all of that
LEVELS = ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")
"""How far ONNX Runtime may change graphs."""
INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True)
class Setting:
    """Under what a file is written or read."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable
    device: str = "cpu"
    engine: str = "torch"
    level: str = ""
    emulator: tuple[str, ...] = ()

    def run(self, *arguments: str | Path) -> dict[str, Any]:
        """What `exactness_worker.py` says in a process under this setting."""
        command = [*self.emulator, self.python, str(WORKER), *map(str, arguments), "--device", self.device]
        command += ["--engine", self.engine, *(["--level", self.level] if self.level else [])]
        result = subprocess.run(command, env={**os.environ, **self.environment}, stdout=subprocess.PIPE, check=True)
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer


@dataclass(frozen=True)
class Page(Setting):
    """The decoder of the page, in a folder that `node viewer/build.mjs FOLDER --tests` made, under Node."""

    folder: Path = Path()
    threads: int = 1

    def run(self, *arguments: str | Path) -> dict[str, Any]:
        """What it reads; it writes nothing."""
        what, *models = arguments
        if what == "write":
            return {"under": self._under(), "files": {}}
        at = models.index("--from")
        return {"under": self._under(), "files": self._read(list(map(str, models[:at])), Path(models[at + 1]))}

    def _under(self) -> dict[str, Any]:
        node = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        packages = json.loads((ROOT / "viewer" / "package.json").read_text())["dependencies"]
        return {"node": node, "onnxruntime-web": packages["onnxruntime-web"], "threads": self.threads, "device": "wasm"}

    def _read(self, models: Sequence[str], folder: Path) -> dict[str, Any]:
        import numpy as np
        from PIL import Image

        from imgcodec.model_file.contents import open_contents
        from imgcodec.model_file.graph_folder import export_graphs

        files: dict[str, Any] = {}
        with tempfile.TemporaryDirectory() as graphs:
            for contents in map(open_contents, models):
                if contents.config["profile"] != "photo":
                    continue
                export_graphs(contents, Path(graphs) / f"{contents.id.hex()}.nicm", force=False)
                paths = sorted(folder.glob(f"*/{contents.name}/*.nic"))
                for path, found in zip(paths, self._pictures(paths, graphs), strict=True):
                    expected = np.asarray(Image.open(path.with_suffix(".png"))).astype(int)
                    pixels = np.frombuffer(base64.b64decode(found["pixels"]), np.uint8).reshape(expected.shape)
                    files[path.relative_to(folder).as_posix()] = {
                        "tokens": found["sha256"],
                        "token_count": found["count"],
                        "same_bytes": None,  # it is not asked to write them
                        "largest_difference": int(np.abs(pixels - expected).max()),
                    }
        return files

    def _pictures(self, paths: Sequence[Path], graphs: str) -> list[dict[str, Any]]:
        """What the page's decoder says of each file, all in one process."""
        given = b"".join(struct.pack("<I", path.stat().st_size) + path.read_bytes() for path in paths)
        command = ["node", str(self.folder / "tool.mjs"), "picture", graphs, str(self.threads)]
        told = subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True).stdout
        return [json.loads(line) for line in told.splitlines()][:-1]


def page_settings(folder: Path) -> list[Setting]:
    """In one thread, and in two."""
    return [Page(f"page-{threads}threads", folder=folder.resolve(), threads=threads) for threads in (1, 2)]


def cpu(capability: str = "", onednn: str = "", threads: int = 1, python: str = sys.executable) -> Setting:
    """A setting by its instruction sets, empty for the best there is, and number of threads."""
    # threads that sleep while they wait, for those that spin stand in each other's way on a busy machine
    environment = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    if capability:
        environment["ATEN_CPU_CAPABILITY"] = capability
    if onednn:
        environment["ONEDNN_MAX_CPU_ISA"] = onednn
    name = "-".join([capability or "best", onednn or "best", f"{threads}threads"])
    return Setting(name, environment, python)


def runs_on(capability: str) -> tuple[str, ...]:
    """Which of CAPABILITIES a processor has, by what `torch.backends.cpu.get_cpu_capability` says of it.

    PyTorch does as it is told: with one that the processor lacks, the process dies of an illegal instruction.
    """
    best = capability.lower()
    return CAPABILITIES[: CAPABILITIES.index(best) + 1] if best in CAPABILITIES else CAPABILITIES[:1]


def every_cpu_setting(capability: str, python: str = sys.executable) -> list[Setting]:
    """All combinations of the instruction sets of a processor, with one thread and with two."""
    return [cpu(*choice, python) for choice in product(runs_on(capability), ONEDNN, (1, 2))]


def few_cpu_settings(capability: str, python: str = sys.executable) -> list[Setting]:
    """The oldest and the newest instruction sets of a processor."""
    oldest, newest = runs_on(capability)[0], runs_on(capability)[-1]
    return [cpu(oldest, ONEDNN[1], 1, python), cpu(newest, "", 2, python)]


def every_onnx_setting(folders: Sequence[str], emulated: Sequence[str]) -> list[Setting]:
    """ONNX Runtime as it is installed and as it lies in each folder, at each level of optimization, with one thread and
    with two; and on each of these processors of QEMU, without optimization and with all."""
    settings = []
    for folder, level, threads in product(("", *folders), LEVELS, (1, 2)):
        before = {"PYTHONPATH": folder} if folder else {}
        name = f"onnx{Path(folder).name if folder else ''}-{level}-{threads}threads"
        settings.append(Setting(name, cpu(threads=threads).environment | before, engine="onnx", level=level))
    for processor, level in product(emulated, (LEVELS[0], LEVELS[-1])):
        emulator = ("qemu-x86_64", "-cpu", processor)
        name = f"onnx-{level}-{processor}"
        settings.append(Setting(name, cpu().environment, engine="onnx", level=level, emulator=emulator))
    return settings


def left_out(capability: str) -> list[str]:
    """The instruction sets of CAPABILITIES that a processor lacks."""
    return [name for name in CAPABILITIES if name not in runs_on(capability)]


def measure(settings: Sequence[Setting], models: Sequence[str], pictures: Path, folder: Path) -> dict[str, Any]:
    """The whole matrix. models: names or paths; pictures: a folder; folder: for the files, empty."""
    qualities = ",".join(map(str, QUALITIES))
    arguments = [*models, "--pictures", pictures, "--qualities", qualities, "--into"]
    written = {s.name: s.run("write", *arguments, folder / s.name) for s in settings}
    read = {s.name: s.run("read", *models, "--from", folder) for s in settings}
    wrong_tokens, other_bytes, difference, readings, compared = [], [], 0, 0, 0
    for reader, answer in read.items():
        for file, found in answer["files"].items():
            writer, name = file.split("/", 1)
            readings += 1
            compared += found["token_count"]
            if found["tokens"] != written[writer]["files"][name]["tokens"]:
                wrong_tokens.append(f"{file} under {reader}")
            if found["same_bytes"] is False:
                other_bytes.append(f"{file} under {reader}")
            difference = max(difference, found["largest_difference"])
    names = list(next(iter(written.values()))["files"])
    versions = {
        name: len({w["files"][name]["sha256"] for w in written.values() if name in w["files"]}) for name in names
    }
    return {
        "settings": {name: answer["under"] for name, answer in written.items()},
        "files_written": sum(len(answer["files"]) for answer in written.values()),
        "files_read": readings,
        "tokens_compared": compared,
        "wrong_tokens": wrong_tokens,
        "other_bytes": other_bytes,
        "largest_pixel_difference": difference,
        "pictures_whose_encoders_chose_different_tokens": {name: n for name, n in versions.items() if n > 1},
    }


def is_exact(result: dict[str, Any]) -> bool:
    """Whether all that must be the same is, and pixels are within one gray level."""
    return not result["wrong_tokens"] and not result["other_bytes"] and result["largest_pixel_difference"] <= 1


# The command


def environment_with(version: str, index: str, folder: Path) -> str:
    """A virtual environment with that version of torch and this package; the path of its interpreter."""
    print(f"installing torch {version}", file=sys.stderr)
    venv.create(folder, with_pip=True)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    for arguments in (["--index-url", index, f"torch=={version}"], ["--editable", str(ROOT)]):
        subprocess.run([python, "-m", "pip", "install", "--quiet", *arguments], check=True, stdout=sys.stderr)
    return python


def folder_with(version: str, folder: Path) -> str:
    """A folder with that version of ONNX Runtime, for PYTHONPATH."""
    print(f"installing onnxruntime {version}", file=sys.stderr)
    line = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        folder,
        f"onnxruntime=={version}",
    ]
    subprocess.run(line, check=True, stdout=sys.stderr)
    return str(folder)


def has_cuda(python: str) -> bool:
    program = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([python, "-c", program], check=False).returncode == 0


def matrix(arguments: argparse.Namespace) -> int:
    import torch
    from machine import describe  # lies beside this file

    capability = torch.backends.cpu.get_cpu_capability()
    for name in left_out(capability):
        print(f"left out, because the processor lacks it: {name}", file=sys.stderr)
    models = [str(Path(m).resolve()) if m.endswith(".safetensors") else m for m in arguments.model]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pythons = {"": sys.executable}
        pythons |= {f"python{i}-": python for i, python in enumerate(arguments.python, 1)}
        for version in arguments.torch:
            pythons[f"torch{version}-"] = environment_with(version, arguments.index, folder / f"torch-{version}")
        settings = []
        for prefix, python in pythons.items() if arguments.page is None else ():
            of_python = few_cpu_settings(capability, python) if arguments.few else every_cpu_setting(capability, python)
            if has_cuda(python):
                of_python.append(Setting("cuda", {}, python, "cuda"))
            settings += [replace(s, name=prefix + s.name) for s in of_python]
        folders = [folder_with(version, folder / version) for version in arguments.onnxruntime]
        if arguments.page is None:
            settings += every_onnx_setting(folders, arguments.emulate)
        else:
            settings += [cpu(), *page_settings(arguments.page)]
        result = measure(settings, models, arguments.pictures, folder / "files")
    report = {
        **describe(), "models": arguments.model, "left_out": left_out(capability), "exact": is_exact(result), **result
    }  # fmt: skip
    text = json.dumps(report, indent=1) + "\n"
    if arguments.output:
        arguments.output.write_text(text)
    summary = {key: value for key, value in report.items() if key not in ("settings", "machine", "versions")}
    print(json.dumps(summary, indent=1))
    return 0 if report["exact"] else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, help="a folder")
    parser.add_argument("--model", action="append", required=True, help="a name or a file; may be given again")
    parser.add_argument("--python", action="append", default=[], help="an interpreter that has imgcodec")
    parser.add_argument("--torch", action="append", default=[], help="a version to install and test")
    parser.add_argument("--onnxruntime", action="append", default=[], help="a version to install and test")
    parser.add_argument("--emulate", action="append", default=[], help="a processor of qemu-x86_64, such as Haswell")
    parser.add_argument("--page", type=Path, help="a built folder of the page, with its tests")
    parser.add_argument("--few", action="store_true", help="of PyTorch only the oldest and the newest instructions")
    parser.add_argument("--index", default=INDEX, help="where pip gets torch")
    parser.add_argument("-o", "--output", type=Path)
    return matrix(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
