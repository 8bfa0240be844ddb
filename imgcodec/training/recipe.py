"""A recipe (TOML) and pictures in, a model file out."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save

from imgcodec import files
from imgcodec.bitstream.errors import UsageError
from imgcodec.model import as_tuples, load_photo_model
from imgcodec.priors.layers import calibrate, restore
from imgcodec.priors.transformer import Prior, PriorConfig
from imgcodec.tokenizers.rvq import ResidualVQ, RVQConfig
from imgcodec.training.data import load_photographs
from imgcodec.training.export import compare_rates, export_photo
from imgcodec.training.klt import start_from_klt
from imgcodec.training.photo import Data, Lambdas, Photo, PhotoPhase, calibration_pass, change_lambdas, train_phase


@dataclass(frozen=True)
class Recipe:
    """What `recipes/photo.toml` says. phases run in order, each from the averaged weights of the one before.

    export_crops: random crops that the frequency tables are fitted to. threads: of the CPU, 0 for all.
    """

    tokenizer: RVQConfig
    prior: PriorConfig
    lambdas: Lambdas
    phases: tuple[PhotoPhase, ...]
    crop: int = 256
    batch: int = 8
    seed: int = 1
    export_crops: int = 600
    threads: int = 0


def read_recipe(path: Path, settings: list[str]) -> Recipe:
    """A recipe file, changed by `settings` like `batch=4` or `phases.0.minutes=10`. Raises UsageError."""
    try:
        table = tomllib.loads(path.read_text())
        for setting in settings:
            _set(table, setting)
        phases = tuple(PhotoPhase(**as_tuples(phase)) for phase in table.pop("phases"))
        for phase in phases:  # it becomes the name of a file
            if not re.fullmatch(r"[\w-]+", phase.name):
                raise ValueError(f"a phase is called {phase.name!r}, which takes letters, digits, - and _")
        parts = {"tokenizer": RVQConfig, "prior": PriorConfig, "lambdas": Lambdas}
        built = {name: kind(**as_tuples(table.pop(name, {}))) for name, kind in parts.items()}
        recipe = Recipe(phases=phases, **built, **table)
        slices = len(recipe.prior.slices[1])
        if any(len(phase.shift_gains) not in (0, slices) for phase in phases):  # known now, not an hour later
            raise ValueError(f"shift_gains takes a number for each of the {slices} slices of stage 1")
        return recipe
    except OSError as error:
        raise UsageError(f"Cannot read the recipe {path}: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise UsageError(f"The recipe {path} is not valid: {error}.") from error


def train(
    recipe: Recipe, sources: list[Path], validation: Path | None, folder: Path, resume: bool, start: str | None
) -> Path:
    """Trains through all phases, writes `folder`/photo.safetensors, and what the export to integers costs in bits into
    export.json. Returns the path of the model.

    sources: tar shards and folders of pictures. validation: a folder; without it, the first 8 pictures of the sources
    are held out. resume: goes on from the checkpoints in `folder`; finished phases are not run again. start: a model to
    go on from, instead of the Karhunen-Loeve transform.
    """
    torch.manual_seed(recipe.seed)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    photographs = load_photographs(sources, recipe.crop)
    held_out = load_photographs([validation], recipe.crop) if validation else photographs[:8]
    photographs = photographs if validation else photographs[8:]
    development = [_centre(p, 512, recipe.crop) for p in held_out[:: max(1, len(held_out) // 8)]]
    data = Data(photographs, development, recipe.lambdas, recipe.crop, recipe.batch, recipe.seed)
    model = Photo(ResidualVQ(recipe.tokenizer), Prior(recipe.prior))
    _initialize(model, data, start)
    for phase in recipe.phases:
        finished = folder / f"{phase.name}-weights.safetensors"
        if resume and finished.exists():
            model.load_state_dict(load_file(finished))
            continue
        train_phase(model, phase, data, folder, resume)
        files.write(finished, save({n: t.contiguous() for n, t in model.state_dict().items()}), force=True)
    model.eval()
    if not recipe.phases[-1].quantized:
        calibrate(model.prior, lambda: calibration_pass(model, data))
    path = folder / "photo.safetensors"
    export_photo(model, recipe.lambdas, photographs, recipe.export_crops, recipe.seed, path)
    report = compare_rates(model.prior, path, development)
    files.write(folder / "export.json", (json.dumps(report, indent=1) + "\n").encode(), force=True)
    return path


def _initialize(model: Photo, data: Data, start: str | None) -> None:
    levels = model.tokenizer.config.levels
    if start is None:
        rng = np.random.default_rng(data.seed)
        lambdas = data.lambdas.at(torch.arange(float(levels)), levels)
        start_from_klt(model.tokenizer, model.prior, data.photographs, lambdas, rng)
        return
    shipped = load_photo_model(start)
    if shipped.tokenizer.config != model.tokenizer.config or shipped.prior.config != model.prior.config:
        raise UsageError(f"The model {start} has other sizes than the recipe.")
    model.tokenizer.load_state_dict(shipped.tokenizer.state_dict())
    restore(model.prior, shipped.prior)
    change_lambdas(model, Lambdas(*shipped.lambdas), data.lambdas)


def _centre(pixels: NDArray[np.uint8], side: int, multiple: int) -> NDArray[np.uint8]:
    """The middle of a picture, sides a multiple of `multiple` and at most `side`."""
    height, width = (min(side, n) // multiple * multiple for n in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]


def _set(table: dict[str, Any], setting: str) -> None:
    """Changes one entry: `a.b=value`, the value in TOML; a number in the path is an index."""
    key, _, text = setting.partition("=")
    *path, last = [int(k) if k.isdigit() else k for k in key.strip().split(".")]
    place: Any = table
    for step in path:
        place = place[step]
    place[last] = tomllib.loads(f"value = {text}")["value"]
