"""From a recipe (TOML) and pictures to a model file."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import Profile, profile_named
from imgcodec.storage import files
from imgcodec.training import distributed
from imgcodec.training.data import load_photographs
from imgcodec.training.log import announce
from imgcodec.training.photo.recipe import PhotoRecipe, photo_recipe, train_photo
from imgcodec.training.raster.recipe import RasterRecipe, raster_recipe, train_raster
from imgcodec.training.semantic.recipe import SemanticRecipe, semantic_recipe, train_semantic
from imgcodec.words import counted

Recipe = PhotoRecipe | RasterRecipe | SemanticRecipe


LARGEST_RECIPE = 2**20  # bytes

READERS: dict[Profile, Callable[[dict[str, Any]], Recipe]] = {
    Profile.PHOTO: photo_recipe,
    Profile.RASTER: raster_recipe,
    Profile.SEMANTIC: semantic_recipe,
}


def read_recipe(path: Path, settings: list[str]) -> Recipe:
    """A recipe file, changed by `settings` like `batch=4` or `phases.0.minutes=10`. Raises UsageError, and as
    `files.read` where there is none."""
    data = files.read(path, LARGEST_RECIPE)
    try:
        table = tomllib.loads(data.decode())
        for setting in settings:
            _set(table, setting)
        recipe = READERS[profile_named(table.setdefault("profile", "photo"))](table)
        if not recipe.phases:
            raise ValueError("it has no phases")
        _check_names([phase.name for phase in recipe.phases])
        return recipe
    except KeyError as error:
        raise UsageError(f"The recipe {path} is not valid: it has no {error.args[0]}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The recipe {path} is not valid: it is not a text in UTF-8.") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:  # a number for a table, and the like
        what = re.sub(r"^\w+\.__init__\(\) ", "", str(error))  # what Python says of a dataclass's arguments
        raise UsageError(f"The recipe {path} is not valid: {what.rstrip('.')}.") from error


def train(
    recipe: Recipe,
    sources: list[Path],
    validation: Path | None,
    folder: Path,
    resume: bool,
    start: str | None,
    device: torch.device | str = "cpu",
) -> Path:
    """Trains all phases, and writes the model file and export.json, the bits that the export to integers costs, into
    `folder`. Returns the path of the model.

    sources: tar shards and folders of pictures. validation: a folder; without it, the first 8 pictures of the sources
    are held out. resume: continues from the checkpoints in `folder`; finished phases are not trained again. start: a
    model to start from, instead of the initialisation from data. device: cpu, cuda, mps or auto.
    """
    chosen = distributed.choose_device(device)
    with distributed.process_group(chosen):
        torch.manual_seed(recipe.seed)
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        announce(f"Reading pictures from {', '.join(map(str, sources))}")
        photographs = load_photographs(sources, recipe.crop)
        held_out = load_photographs([validation], recipe.crop) if validation else photographs[:8]
        photographs = photographs if validation else photographs[8:]
        if not photographs:
            raise UsageError("The first 8 pictures are held out of the data, and there are no more.")
        announce(f"{counted(len(photographs), 'picture')} to train on, {len(held_out)} to validate on")
        match recipe:
            case PhotoRecipe():
                return train_photo(recipe, photographs, held_out, folder, resume, start, chosen)
            case RasterRecipe():
                return train_raster(recipe, photographs, held_out, folder, resume, start, chosen)
            case SemanticRecipe():
                return train_semantic(recipe, photographs, held_out, folder, resume, start, chosen)


def _check_names(names: list[str]) -> None:
    """Raises ValueError for phases of one name, which would write the same files: a resumed training would take the
    first for the second. On some systems capitals are the same."""
    found: set[str] = set()
    for name in names:
        if name.lower() in found:
            raise ValueError(f"it has two phases of the name {name!r:.40}")
        found.add(name.lower())


def _set(table: dict[str, Any], setting: str) -> None:
    """Changes one entry: `a.b=value`, the value in TOML; a number in the path is an index. Raises UsageError."""
    key, _, text = setting.partition("=")
    *path, last = [int(k) if k.isdigit() else k for k in key.strip().split(".")]
    place: Any = table
    try:
        value = tomllib.loads(f"value = {text}")["value"]
        for step in path:
            place = place[step]
        place[last] = value
    except tomllib.TOMLDecodeError:
        raise UsageError(f"--set takes KEY=VALUE, the value as in a recipe, and not {setting!r}.") from None
    except (TypeError, KeyError, IndexError):
        raise UsageError(f"--set {setting}: the recipe has no {key}.") from None
