"""Recipes of raster models (SNAC, scalable VQ-VAE, BSQ, PixelCNN): their phases, and the model file at the end."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from imgcodec.bitstream.errors import UsageError
from imgcodec.metrics.definitions import MS_SSIM_MIN_SIDE
from imgcodec.model_file.model import open_model
from imgcodec.priors.integer.trainable import quantizable, restore
from imgcodec.priors.raster.init import init_embeddings
from imgcodec.profiles.raster.layout import TILE
from imgcodec.profiles.raster.model import (
    build_prior,
    build_raster_model,
    build_tokenizer,
    check_pair,
    round_as_stored,
)
from imgcodec.training.data import centre_crop, check_sizes, random_crops
from imgcodec.training.fields import from_table
from imgcodec.training.loop import export_model, run_phases
from imgcodec.training.raster.export import compare_raster_rates, export_raster
from imgcodec.training.raster.objective import (
    CropTokens,
    LossWeights,
    RasterData,
    RasterNetworks,
    RasterPhase,
    calibrate_prior,
    train_prior,
    train_tokenizer,
)

INIT_CROPS = 256
ORDER0_CROPS = 1024
"""Crops whose tokens are counted for the order-0 coder where none are stored."""


@dataclass(frozen=True)
class RasterRecipe:
    """A recipe like `recipes/snac.toml`. Raises ValueError for parts that do not fit together.

    tokenizer, prior: `kind` and the fields of that kind's configuration. phases: in order, those of the tokenizer
    first. crop: side in pixels. token_crops, mixed: see `RasterData`. threads: of the CPU, 0 for all.
    """

    profile: str
    tokenizer: dict[str, Any]
    prior: dict[str, Any]
    phases: tuple[RasterPhase, ...]
    loss: LossWeights = field(default_factory=LossWeights)
    crop: int = TILE
    batch: int = 8
    seed: int = 1
    token_crops: int = 0
    mixed: bool = True
    threads: int = 0

    def __post_init__(self) -> None:
        check_sizes(self.crop, self.batch, self.seed, self.threads)
        if self.token_crops < 0:
            raise ValueError("token_crops must be 0 or more")
        with torch.device("meta"):  # so that it is refused now, not an hour later
            tokenizer, prior = build_tokenizer(self.tokenizer), build_prior(self.prior)
        check_pair(tokenizer, prior)
        crops = [phase.crop or self.crop for phase in self.phases if phase.trains == "tokenizer"]
        unit = tokenizer.strides[0] * max(tokenizer.scales)
        if any(crop % unit for crop in crops):
            raise ValueError(f"crops must be multiples of {unit} pixels")
        if self.loss.ms_ssim and any(crop < MS_SSIM_MIN_SIDE for crop in crops):
            raise ValueError(f"MS-SSIM takes crops of at least {MS_SSIM_MIN_SIDE} pixels")
        trains = [phase.trains for phase in self.phases]
        if trains != sorted(trains, reverse=True):  # "tokenizer" comes after "prior"
            raise ValueError("phases of the tokenizer come before those of the prior, which needs a frozen tokenizer")


def raster_recipe(table: dict[str, Any]) -> RasterRecipe:
    """From the tables of a TOML file. Raises ValueError, TypeError and KeyError for what they must not say."""
    return from_table(RasterRecipe, table)


def train_raster(
    recipe: RasterRecipe,
    photographs: list[NDArray[np.uint8]],
    held_out: list[NDArray[np.uint8]],
    folder: Path,
    resume: bool,
    start: str | None,
    device: torch.device,
) -> Path:
    """Trains all phases and writes the model file; see `imgcodec.training.recipe.train`."""
    data = RasterData(
        photographs, _tiles(held_out).to(device), recipe.loss, recipe.crop, recipe.batch, recipe.seed,
        recipe.token_crops, recipe.mixed, device,
    )  # fmt: skip
    model = RasterNetworks(build_tokenizer(recipe.tokenizer), build_prior(recipe.prior))
    _initialize(model, data, start)
    model.to(device)
    stores: list[CropTokens] = []

    def tokens() -> CropTokens:
        """Tokens of the trained tokenizer, with its weights as in the model file; made once."""
        if not stores:
            round_as_stored(model.tokenizer)
            stores.append(CropTokens(model.tokenizer.eval(), data))
        return stores[0]

    def train(phase: RasterPhase) -> None:
        if phase.trains == "tokenizer":
            train_tokenizer(model, phase, data, folder, resume)
            init_embeddings(model.prior, model.tokenizer.code_vectors())
        else:
            train_prior(model, phase, data, tokens(), folder, resume)

    run_phases(recipe.phases, model, folder, resume, train)
    model.eval()
    if recipe.phases[-1].quantized:
        for layer in quantizable(model.prior):  # weights of a finished phase do not say that they are quantized
            layer.quantized = True  # type: ignore[assignment]
    else:
        calibrate_prior(model.prior, tokens(), recipe.batch)

    def export(path: Path) -> dict[str, Any]:
        known = [stage.cpu() for stage in tokens().many(ORDER0_CROPS)]
        model.cpu()
        exact = export_raster(recipe.profile, model.tokenizer, model.prior, path)
        return compare_raster_rates(model, exact, data.tiles.cpu(), known)

    return export_model(folder / f"{recipe.profile}.safetensors", device, export)


def _initialize(model: RasterNetworks, data: RasterData, start: str | None) -> None:
    """Sets the weights that training starts from, on the CPU."""
    if start is None:
        rng = np.random.default_rng(data.seed)
        model.tokenizer.init_from_data(random_crops(data.photographs, TILE, INIT_CROPS, rng).float().div(255))
        return
    file = open_model(start)
    if file.config["profile"] == "photo":
        raise UsageError(f"The model {start} is of profile photo, which the recipe is not.")
    shipped = build_raster_model(file, "cpu")
    if shipped.tokenizer.config != model.tokenizer.config:
        raise UsageError(f"The model {start} has another tokenizer than the recipe.")
    model.tokenizer.load_state_dict(shipped.tokenizer.state_dict())
    if shipped.prior.config == model.prior.config:  # a prior of other sizes is trained from scratch
        restore(model.prior, shipped.prior)


def _tiles(pictures: list[NDArray[np.uint8]]) -> torch.Tensor:
    """The whole tiles in the middle of each picture, at most four: uint8 (N, 3, 256, 256)."""
    tiles = []
    for picture in pictures:
        middle = torch.from_numpy(centre_crop(picture, 2 * TILE, TILE).copy()).permute(2, 0, 1)
        if not middle.numel():
            continue
        tiles += [t for row in middle.split(TILE, 1) for t in row.split(TILE, 2)]
    if not tiles:
        raise UsageError(f"No picture to validate on has {TILE} pixels each way.")
    return torch.stack(tiles)
