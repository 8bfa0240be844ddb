"""`imgcodec doctor`: what there is on this machine, whether it works, and how fast."""

import json
from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgcodec.bitstream.errors import CodecError, UnusableModelError
from imgcodec.cli.options import Device, leave, printable, say, working

if TYPE_CHECKING:
    from imgcodec.doctor import Machine, ModelHealth, Speed

WIDTH, NAME = 80, 22  # columns


def doctor(
    device: Device = "cpu", as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False
) -> None:
    """Show versions, processor, devices, models and whether they work here, missing extras, and speed.

    Exit code 4 if a model is damaged or computes something else here than it should.
    """
    from imgcodec import doctor as examination
    from imgcodec.devices import resolve_device

    resolve_device(device)
    versions, machine = examination.versions(), examination.machine()
    missing = examination.missing_extras()
    with working("Examining models"):
        models = examination.models(device)
    speeds: list[Speed] = []
    with working("Measuring speed"):
        try:
            speeds = examination.speeds("photo", device)
        except CodecError as error:  # which is told of the model, too
            say(f"imgcodec: Speed is not known: {error}")

    if as_json:
        report: dict[str, Any] = {
            "versions": versions,
            **asdict(machine),
            "device": device,
            "models": [asdict(model) for model in models],
            "missing_extras": missing,
            "speeds": [asdict(speed) for speed in speeds],
        }
        typer.echo(json.dumps(report, indent=1, allow_nan=False))
    else:
        sections = [
            row("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
            *machine_lines(machine),
            *model_lines(models, device),
            *extra_lines(missing, examination.PURPOSES),
            *speed_lines(speeds),
        ]
        typer.echo("\n".join(printable(line) for section in sections for line in section))
    failures: list[CodecError] = [UnusableModelError(model.problem) for model in models if model.problem]
    for failure in failures:
        say(f"imgcodec: {failure}")
    leave(failures)


def row(name: str, text: str) -> list[str]:
    """A name and what there is, in two columns."""
    lines = wrap(text, WIDTH - NAME, break_on_hyphens=False) or ["-"]
    return [f"{name:{NAME}}{lines[0]}", *(f"{'':{NAME}}{line}" for line in lines[1:])]


def machine_lines(machine: "Machine") -> list[list[str]]:
    environment = "".join(f", {name}={value}" for name, value in machine.environment.items())
    return [
        row("system", machine.system),
        row("processor", f"{machine.processor}, {machine.cores} cores"),
        row("instruction sets", ", ".join(machine.instructions)),
        row("PyTorch uses", f"{machine.uses}, threads: {machine.threads}{environment}"),
        *(row(f"device {name}", what) for name, what in machine.devices.items()),
    ]


def model_lines(models: list["ModelHealth"], device: str) -> list[list[str]]:
    lines = []
    for model in models:
        if not model.whole:
            text = "damaged"
        else:
            text = f"whole, known answer {'right' if model.computes else 'wrong'} on {device}, {model.id}"
        lines.append(row(f"model {model.name}", text))
    return lines


def extra_lines(missing: dict[str, list[str]], purposes: dict[str, str]) -> list[list[str]]:
    if not missing:
        return [row("extras", "all are installed")]
    return [
        row(f"missing extra {extra}", f"{purposes[extra]}: pip install 'imgcodec[{extra}]' ({', '.join(packages)})")
        for extra, packages in missing.items()
    ]


def speed_lines(speeds: list["Speed"]) -> list[list[str]]:
    return [
        row(
            "speed",
            f"{speed.codec}: {speed.encode_mp_per_second:.2f} MP/s encoded, {speed.decode_mp_per_second:.2f} decoded, "
            f"at {speed.bpp:.2f} bpp",
        )
        for speed in speeds
    ]
