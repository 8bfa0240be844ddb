"""`imgcodec train`: a recipe and photographs to a model file."""

import os
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from imgcodec.bitstream.errors import CodecError
from imgcodec.cli.options import Device, is_quiet, say, working
from imgcodec.training.shipped_recipes import find_recipe


def train(
    recipe: Annotated[
        str, typer.Argument(help="Name of a recipe in the package, as photo, or path of one.", show_default=False)
    ],
    data: Annotated[
        list[Path], typer.Option(help="A tar shard or a folder of pictures; may be repeated.", show_default=False)
    ],
    validation: Annotated[
        Path | None, typer.Option(help="A folder of pictures to validate on. Default: 8 held out of the data.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Where checkpoints, logs and the model go. Default: runs/ and the recipe's name."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: batch=4, phases.0.steps=9."),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Name or path of a model to go on from, or hf://owner/name.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in the output folder.")] = False,
    device: Device = "cpu",
) -> None:
    """Train a model. Ctrl-C saves a checkpoint and leaves, and --resume goes on from there.

    Figures go to the folder log/ of the output, for TensorBoard; where that is not installed, as lines of JSON.

    Several processes: torchrun --nproc-per-node 2 -m imgcodec train RECIPE ...
    """
    recipe_file = find_recipe(recipe)
    output = output or Path("runs") / recipe_file.stem
    for source in [*data, *([validation] if validation else [])]:
        if not source.exists():
            raise CodecError(f"There is no file or folder {source}.")
    with working("Starting"):
        from imgcodec.training.log import console
        from imgcodec.training.loop import TrainingInterrupted
        from imgcodec.training.recipe import read_recipe
        from imgcodec.training.recipe import train as run

    console.quiet = is_quiet()
    plan = read_recipe(recipe_file, settings or [])
    if not resume and any(output.glob("*.safetensors")):
        raise CodecError(f"{output} holds a run already: give --resume to go on with it, or another --output.")
    made = [folder for folder in (output, *output.parents) if not folder.exists()]
    try:
        output.mkdir(parents=True, exist_ok=True)
        if not os.access(output, os.W_OK | os.X_OK):
            raise PermissionError("not writable")
    except OSError as error:
        raise CodecError(f"{output} cannot be written to: {(error.strerror or str(error)).lower()}.") from None
    try:
        path = run(plan, data, validation, output, resume, start, device)
    except BaseException as error:
        if isinstance(error, TrainingInterrupted) and os.environ.get("RANK", "0") == "0":
            say(f"Step {error.step} of the phase {error.phase} is saved in {error.checkpoint}.")
            words = sys.argv[1:] if resume else [*sys.argv[1:], "--resume"]
            say(f"To go on: imgcodec {shlex.join(words)}")
        elif isinstance(error, KeyboardInterrupt):
            say("No phase was being trained: nothing is lost, and nothing new was saved.")
        with suppress(OSError):  # up to the first that holds something
            for folder in made:
                folder.rmdir()
        raise
    if os.environ.get("RANK", "0") == "0":
        say(f"Wrote {path}")
