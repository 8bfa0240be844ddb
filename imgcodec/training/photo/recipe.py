"""Recipes of `photo` models: their phases, the weights they start from, and the model file at the end."""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from imgcodec.bitstream.errors import UsageError
from imgcodec.model_file.model import open_model
from imgcodec.priors.integer.trainable import calibrate, restore
from imgcodec.priors.photo.config import PhotoPriorConfig
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.profiles.photo.model import PhotoModel, build_photo_model
from imgcodec.tokenizers.layers import ResidualBlock
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import RVQConfig
from imgcodec.training.average import is_average, load_average
from imgcodec.training.data import centre_crop, check_sizes
from imgcodec.training.fields import from_table
from imgcodec.training.loop import export_model, run_phases
from imgcodec.training.photo.data import Lambdas, PhotoData
from imgcodec.training.photo.export import compare_rates, export_photo
from imgcodec.training.photo.klt import init_from_klt
from imgcodec.training.photo.networks import PhotoNetworks, change_lambdas
from imgcodec.training.photo.objective import PhotoPhase
from imgcodec.training.photo.phases import calibration_pass, train_phase, typical_crops
from imgcodec.training.photo.post_filter import train_filter
from imgcodec.training.photo.widening import begin_widening, change_widening


@dataclass(frozen=True)
class PhotoRecipe:
    """A recipe like `recipes/photo.toml`. Raises ValueError for parts that do not fit together.

    phases: in order, each from the averaged weights of the one before. crop: side in pixels. export_crops: random crops
    that the frequency tables are fitted to. threads: of the CPU, 0 for all.
    """

    tokenizer: RVQConfig
    prior: PhotoPriorConfig
    lambdas: Lambdas
    phases: tuple[PhotoPhase, ...]
    crop: int = 256
    batch: int = 8
    seed: int = 1
    export_crops: int = 600
    threads: int = 0

    def __post_init__(self) -> None:
        check_sizes(self.crop, self.batch, self.seed, self.threads)
        if self.export_crops < 1:
            raise ValueError("export_crops must be 1 or more")
        slices = len(self.prior.slices[1])
        if any(
            len(phase.shift_gains) not in (0, slices) for phase in self.phases
        ):  # so that it is refused now, not an hour later
            raise ValueError(f"shift_gains takes a number for each of the {slices} slices of stage 1")
        if any(p.is_visual or p.begin_visual for p in self.phases) and not self.tokenizer.visual:
            raise ValueError("a phase trains the visual tune, and the tokenizer has none: set visual = true")
        if any(phase.decoded < 1 for phase in self.phases):
            raise ValueError("decoded must be 1 or more")
        if any(p.trains_filter for p in self.phases) and not self.tokenizer.width_filter:
            raise ValueError("a phase trains a post filter, and the tokenizer has none: set width_filter")
        if self.prior.tunes != 1 + self.tokenizer.visual:
            raise ValueError("with visual = true the prior needs tunes = 2, and without it tunes = 1")


def photo_recipe(table: dict[str, Any]) -> PhotoRecipe:
    """From the tables of a TOML file. Raises ValueError for what they must not say."""
    del table["profile"]  # there is one only
    return from_table(PhotoRecipe, {"tokenizer": {}, "prior": {}, "lambdas": {}} | table)


def train_photo(
    recipe: PhotoRecipe,
    photographs: list[NDArray[np.uint8]],
    held_out: list[NDArray[np.uint8]],
    folder: Path,
    resume: bool,
    start: str | None,
    device: torch.device,
) -> Path:
    """Trains all phases and writes the model file; see `imgcodec.training.recipe.train`."""
    development = [centre_crop(p, 512, recipe.crop) for p in held_out[:: max(1, len(held_out) // 8)]]
    data = PhotoData(photographs, development, recipe.lambdas, recipe.crop, recipe.batch, recipe.seed, device)
    model = PhotoNetworks(ResidualVQ(recipe.tokenizer), PhotoPrior(recipe.prior))
    before = _initialize(model, data, start)
    model.to(device)

    def train(phase: PhotoPhase) -> None:
        train_one = train_filter if phase.trains_filter else train_phase
        train_one(model, phase, data, folder, resume, before if phase is recipe.phases[0] else 0)

    run_phases(recipe.phases, model, folder, resume, train)
    model.eval()
    of_prior = [phase for phase in recipe.phases if phase.trains in ("all", "prior")]
    if not (of_prior[-1].quantized if of_prior else model.prior.upsample.quantized):
        calibrate(model.prior, lambda: calibration_pass(model, data))

    def export(path: Path) -> dict[str, Any]:
        model.cpu()
        export_photo(model, recipe.lambdas, photographs, recipe.export_crops, recipe.seed, path)
        return compare_rates(model.prior, path, development)

    return export_model(folder / "photo.safetensors", device, export)


def _initialize(model: PhotoNetworks, data: PhotoData, start: str | None) -> int:
    """Sets the weights that training starts from, on the CPU; returns how many steps they are the average of."""
    steps = 0
    if start is None:
        levels = model.tokenizer.config.levels
        lambdas = data.lambdas.at(torch.arange(float(levels)), levels)
        init_from_klt(model.tokenizer, model.prior, data.photographs, lambdas, np.random.default_rng(data.seed))
    elif is_average(Path(start)):
        steps = load_average(Path(start), model)
    else:
        _start_from_model(model, data, start)
    if model.tokenizer.config.widens and not model.tokenizer.contrast.any():
        begin_widening(model.tokenizer, typical_crops(data).cpu())
    return steps


def _start_from_model(model: PhotoNetworks, data: PhotoData, start: str) -> None:
    file = open_model(start)
    if file.config["profile"] != "photo":
        raise UsageError(f"The model {start} is of profile {file.config['profile']}, and the recipe of profile photo.")
    shipped = build_photo_model(file, "cpu")
    check_sizes_of_start(start, shipped, model.tokenizer.config, model.prior.config)
    grow(model.tokenizer, shipped.tokenizer)
    change_widening(model.tokenizer, shipped.tokenizer, typical_crops(data).cpu())
    restore(model.prior, shipped.prior)
    change_lambdas(model, Lambdas(*shipped.lambdas), data.lambdas)


def check_sizes_of_start(start: str, shipped: PhotoModel, tokenizer: RVQConfig, prior: PhotoPriorConfig) -> None:
    """Raises UsageError where a model is no start for these sizes of a recipe. Either may have a visual tune that the
    other lacks, and the recipe may have more blocks, of a post filter too, a filter that the model lacks, and other
    exponents of widening."""
    differences = []
    for part, ours, theirs in (
        ("tokenizer", tokenizer, shipped.tokenizer.config),
        ("prior", prior, shipped.prior.config),
    ):
        for name, has in vars(theirs).items():
            wanted = getattr(ours, name)
            if name in ("analysis_blocks", "synthesis_blocks"):
                fits = all(more >= needed for more, needed in zip(wanted, has, strict=True))
            elif name == "width_filter":
                fits = has in (0, wanted)
            elif name == "filter_blocks":
                fits = wanted >= has
            else:
                fits = wanted == has or name in ("visual", "tunes", "widening")
            if not fits:
                differences.append(f"{part}.{name} is {has}, and {wanted} in the recipe")
    if differences:
        raise UsageError(f"The model {start} has other sizes than the recipe: {'; '.join(differences)}.")


@torch.no_grad()
def grow(larger: ResidualVQ, smaller: ResidualVQ) -> None:
    """Copies the weights of a tokenizer to one that may have more blocks, and a visual tune. New blocks add nothing at
    first, because their last layer is zero."""
    nets = [name for name, module in larger.named_modules() if isinstance(module, nn.Sequential)]
    inside = tuple(f"{name}." for name in nets)
    state, source = larger.state_dict(), smaller.state_dict()
    larger.load_state_dict(state | {n: t for n, t in source.items() if n in state and not n.startswith(inside)})
    theirs = dict(smaller.named_modules())
    for name in nets:
        if name in theirs:
            for new, old in zip(_runs(larger.get_submodule(name)), _runs(theirs[name]), strict=True):
                for new_layer, old_layer in zip(new, old, strict=False):
                    new_layer.load_state_dict(old_layer.state_dict())


def _runs(net: nn.Module) -> list[list[nn.Module]]:
    """The layers of a net in runs: residual blocks, and other layers between them."""
    return [list(run) for _, run in groupby(net.children(), lambda layer: isinstance(layer, ResidualBlock))]
