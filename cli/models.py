"""`imgcodec models`: what models there are, what is in one, whether they are sound; their recipes, and repositories of
the hub made of them."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.cli.options import Force, leave, printable, say

if TYPE_CHECKING:
    from imgcodec.model_file.inventory import Facts

Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
NAME = "Name or path of a model, or hf://owner/name."


def list_models(as_json: Json = False) -> None:
    """Show the installed models: profile, id, bytes, bits per pixel of its files, what it is for."""
    from imgcodec.model_file.find import installed_models
    from imgcodec.model_file.inventory import describe

    found, failures = [], []
    for name in installed_models():
        try:
            found.append(describe(name))
        except CodecError as error:
            failures.append(error)
            say(f"imgcodec: {name}: {error}")
    if as_json:
        echo_json([summary(model) for model in found])
    else:
        width = max((len(model.name) for model in found), default=4)
        typer.echo(f"{'name':{width}}  {'profile':10}{'id':18}{'bytes':>10}  {'bpp':15}what it is for")
        for model in found:
            bpp = "{:g} to {:g}".format(*model.card.bpp) if model.card.bpp else "-"
            line = f"{model.name:{width}}  {model.profile:10}{model.id:18}{model.bytes:>10}  {bpp:15}"
            typer.echo(printable(line + (model.card.purpose or "-")))
    leave(failures)


def show(name: Annotated[str, typer.Argument(help=NAME, show_default=False)], as_json: Json = False) -> None:
    """Show all of a model: configuration, parameters, and whether it computes here what it should."""
    from imgcodec.model_file import inventory

    model = inventory.describe(name)
    failures = check(model)
    known_answer = str(failures[0]) if failures else "as it should be"
    if as_json:
        report = {
            **summary(model),
            "path": str(model.path),
            "digest": model.has_digest,
            "config": model.config,
            "parameters": model.parameters,
            "sound": not failures,
            "known_answer": known_answer,
        }
        echo_json(report)
    else:
        typer.echo("\n".join(map(printable, lines(model, known_answer))))
    leave(failures)


def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names, paths or hf://owner/name; all that are installed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute each model's id, build it, prove its bounds and run its known-answer test.

    Exit code 4 if any is damaged or not there.
    """
    from imgcodec.codec import load_codec
    from imgcodec.model_file import inventory
    from imgcodec.model_file.find import installed_models

    reports: list[dict[str, Any]] = []
    failures: list[CodecError] = []
    for name in names or installed_models():
        try:
            model = inventory.describe(name)
            inventory.check(model, load_codec)
        except CodecError as error:
            failures.append(error)
            say(f"imgcodec: {name}: {' '.join(str(error).split())}")
            reports.append({"model": name, "sound": False, "error": str(error)})
        else:
            if not as_json:
                typer.echo(f"{printable(name)}: sound, {model.id}")
            reports.append({"model": name, "sound": True, "id": model.id})
    if as_json:
        echo_json(reports)
    leave(failures)


def export(
    name: Annotated[str, typer.Argument(help=NAME, show_default=False)],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="The folder to write; by its suffix .nicm, one of ONNX graphs."
        ),
    ],
    license: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Licence of the weights, as apache-2.0. Default: that in the model's card."),
    ] = None,
    force: Force = False,
) -> None:
    """Write a model for others: as a repository of the Hugging Face hub, or as graphs for programs without PyTorch.

    A repository holds the model's file, and its card as README.md; others then use it as --model hf://OWNER/NAME. A
    folder named FOLDER.nicm gets the nets of a model of the profile photo as ONNX, with their tables.
    """
    from imgcodec.codec import load_codec
    from imgcodec.model_file import inventory
    from imgcodec.model_file.export import export_model
    from imgcodec.model_file.graph_folder import SUFFIX

    if output.suffix == SUFFIX:
        if license is not None:
            raise UsageError("--license goes with a repository of the hub: graphs have no card.")
        write_graphs(name, output, force)
        return
    model = inventory.describe(name)
    inventory.check(model, load_codec)
    if export_model(model, output, license, force) is None:
        say(f"{output}: the card names no licence; give one with --license.")
    say(f"{output}: {model.path.name}, {model.bytes} bytes, and its card, README.md")


def write_graphs(name: str, folder: Path, force: bool) -> None:
    """Writes a folder of ONNX graphs."""
    from imgcodec.model_file.contents import open_contents
    from imgcodec.model_file.graph_folder import export_graphs

    model = open_contents(name)
    count = export_graphs(model, folder, force)
    say(f"{folder}: graphs of {model.name}, {model.id.hex()}, {count} bytes")


def recipe(
    name: Annotated[str | None, typer.Argument(help="Name of a recipe; without it all names.")] = None,
) -> None:
    """Print a recipe of the package, as `imgcodec train` takes it: to change it, and train by the changed file."""
    from imgcodec.storage import files
    from imgcodec.training.shipped_recipes import find_recipe, shipped_recipes

    if name is None:
        typer.echo("\n".join(shipped_recipes()))
    else:
        sys.stdout.write(files.read(find_recipe(name)).decode())


def summary(model: "Facts") -> dict[str, object]:
    """What `list` tells of a model."""
    return {
        "name": model.name,
        "profile": model.profile,
        "id": model.id,
        "bytes": model.bytes,
        "bpp": model.card.bpp,
        "purpose": model.card.purpose,
    }


def check(model: "Facts") -> list[CodecError]:
    """What keeps a model from being used here: nothing, or one error."""
    from imgcodec.codec import load_codec
    from imgcodec.model_file import inventory

    try:
        inventory.check(model, load_codec)
    except CodecError as error:
        return [error]
    return []


def lines(model: "Facts", known_answer: str) -> list[str]:
    """The report for people."""
    facts = {
        "name": model.name,
        "what it is for": model.card.purpose or "-",
        "path": model.path,
        "bytes": model.bytes,
        "id": model.id,
        "digest": "as it should be" if model.has_digest else "none: damage to the transforms may go unnoticed",
        "profile": model.profile,
        "bpp": "{:g} to {:g}".format(*model.card.bpp) if model.card.bpp else "-",
        **{f"{part} numbers": count for part, count in model.parameters.items()},
        "known answer": known_answer,
    }
    text = [f"{name:22}{value}" for name, value in facts.items()]
    for part in ("tokenizer", "prior"):
        config = model.config.get(part)
        text += ["", part, *(f"  {key:20}{value}" for key, value in config.items())] if isinstance(config, dict) else []
    return text


def echo_json(report: object) -> None:
    typer.echo(json.dumps(report, indent=1, allow_nan=False))
