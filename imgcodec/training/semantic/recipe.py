"""Recipes of semantic models: their phases, and the model file at the end."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from imgcodec.bitstream.errors import UsageError
from imgcodec.model_file.model import open_model, save_model
from imgcodec.pictures.square import as_square
from imgcodec.priors.channel import ChannelPrior
from imgcodec.profiles.semantic.model import (
    SemanticModel,
    build_semantic_model,
    build_tokenizer,
    encoder_config,
    round_as_stored,
    semantic_model_contents,
)
from imgcodec.storage import files
from imgcodec.tokenizers.clip import ClipEncoder, clip_config
from imgcodec.tokenizers.features import FeatureEncoder
from imgcodec.tokenizers.semantic import SemanticTokenizer
from imgcodec.tokenizers.upscaler import FACTOR
from imgcodec.training import distributed
from imgcodec.training.data import check_sizes
from imgcodec.training.fields import from_table
from imgcodec.training.log import announce
from imgcodec.training.loop import export_model, run_phases
from imgcodec.training.semantic import upscaler as upscaling
from imgcodec.training.semantic.calibrate import code_length, rotate_meaning, set_scales, set_tables
from imgcodec.training.semantic.objective import (
    TRAINS,
    SemanticData,
    SemanticLoss,
    SemanticNetworks,
    SemanticPhase,
    train_phase,
    validate,
)
from imgcodec.training.semantic.teacher import Teacher
from imgcodec.training.semantic.views import Views, as_tensor, teach

CHUNK = 64
"""Pictures that are encoded at once where no gradient is needed."""
TAUGHT = "teacher.safetensors"


@dataclass(frozen=True)
class SemanticRecipe:
    """A recipe like `recipes/semantic.toml`. Raises ValueError for parts that do not fit together.

    features: `kind` and the fields of that kind's configuration, or the text that `--features` takes. decoder: fields
    of `DecoderConfig`. upscaler: fields of `UpscalerConfig`; None for a model without one. phases: in order, those of
    the encoder first. views: of each photograph. layout_bytes, meaning_bytes: what these parts of a vector are to take
    in a file, on average; of vectors without parts, the sum. crop: photographs have at least so many pixels each way.
    threads: of the CPU, 0 for all.
    """

    features: dict[str, Any]
    decoder: dict[str, Any]
    phases: tuple[SemanticPhase, ...]
    upscaler: dict[str, Any] | None = None
    loss: SemanticLoss = field(default_factory=SemanticLoss)
    views: int = 6
    layout_bytes: float = 160.0
    meaning_bytes: float = 80.0
    crop: int = 224
    batch: int = 32
    seed: int = 1
    mixed: bool = True
    threads: int = 0

    def __post_init__(self) -> None:
        check_sizes(self.crop, self.batch, self.seed, self.threads)
        if self.views < 1:
            raise ValueError("views must be a whole number, 1 or more")
        if not 1 <= self.layout_bytes <= 4096 or not 1 <= self.meaning_bytes <= 4096:
            raise ValueError("layout_bytes and meaning_bytes must be from 1 to 4096")
        with torch.device("meta"):  # so that it is refused now, not an hour later
            side = build_tokenizer(self.features, self.decoder, self.upscaler).decoder.config.side
        trains = [phase.trains for phase in self.phases]
        if trains != sorted(trains, key=TRAINS.index):
            raise ValueError("phases of the encoder come first, then those of both, of the decoder and of the upscaler")
        if "upscaler" in trains and self.upscaler is None:
            raise ValueError("a phase trains the upscaler, and the recipe has none: give it a table [upscaler]")
        if "upscaler" in trains and self.crop < FACTOR * side:
            raise ValueError("crop must be at least twice the decoder's side, for the upscaler to learn from")
        for phase in self.phases:
            if not self.loss.trains(phase.trains):
                raise ValueError(f"the phase {phase.name} would learn nothing, for all of its losses have the weight 0")
        if self.features["kind"] != "shipped" and not {"encoder", "both"}.isdisjoint(trains):
            raise ValueError("CLIP's features are not trained: phases train the decoder or the upscaler")


def semantic_recipe(table: dict[str, Any]) -> SemanticRecipe:
    """From the tables of a TOML file. Raises ValueError, TypeError and KeyError for what they must not say, CodecError
    for CLIP features that cannot be had."""
    del table["profile"]
    if isinstance(features := table.get("features"), str):
        table["features"] = {"kind": "open_clip", **clip_config(features).__dict__}
    return from_table(SemanticRecipe, table)


def train_semantic(
    recipe: SemanticRecipe,
    photographs: list[NDArray[np.uint8]],
    held_out: list[NDArray[np.uint8]],
    folder: Path,
    resume: bool,
    start: str | None,
    device: torch.device,
) -> Path:
    """Trains all phases and writes the model file; see `imgcodec.training.recipe.train`."""
    networks = SemanticNetworks(build_tokenizer(recipe.features, recipe.decoder, recipe.upscaler))
    tokenizer = networks.tokenizer
    views = Views(photographs, recipe.views, recipe.seed)
    if isinstance(tokenizer.encoder, ClipEncoder):
        tokenizer.encoder.weights = tokenizer.encoder.config.weights  # which the recipe names
    started = None if start is None else _start_from(tokenizer, start)
    trains = {phase.trains for phase in recipe.phases}
    is_alone = trains == {"upscaler"}
    if is_alone and started is None:
        raise UsageError("The recipe trains the upscaler alone, and needs a model to start from: --start MODEL.")
    # an upscaler alone leaves vectors, and what is drawn of them, as they are in the model that it starts from
    kept = started if is_alone else None
    if kept is not None and kept.tokenizer.decoder.config != tokenizer.decoder.config:
        raise UsageError(f"The model {start} has another decoder than the recipe, which trains the upscaler alone.")
    if started is None and isinstance(tokenizer.encoder, FeatureEncoder):
        small = tokenizer.encoder.small
        tokenizer.encoder.init_from_data(torch.cat([small(x) for x in _squares(views, tokenizer.encoder.side)]))
    networks.to(device)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32
    if kept is None:
        _measure_spread(tokenizer, photographs, device)
    if recipe.loss.distil and not {"encoder", "both"}.isdisjoint(trains):
        views = replace(views, targets=_taught(views, folder, device))
    data = SemanticData(views, held_out, recipe.batch, device)

    first = next((phase for phase in recipe.phases if phase.trains in ("decoder", "upscaler")), None)

    def train(phase: SemanticPhase) -> None:
        if phase is first and kept is None:
            _fix_vectors(recipe, tokenizer, views, device)
        if phase.trains == "upscaler":
            upscaling.train_upscaler(networks, phase, data, recipe.mixed, folder, resume)
        else:
            train_phase(networks, phase, data, recipe.loss, recipe.mixed, folder, resume)

    run_phases(recipe.phases, networks, folder, resume, train)
    if first is None:
        _fix_vectors(recipe, tokenizer, views, device)
    networks.eval()

    def export(path: Path) -> dict[str, Any]:
        round_as_stored(tokenizer)
        prior = ChannelPrior(tokenizer.encoder.dim)
        if kept is None:
            set_tables(tokenizer, prior, _vectors(tokenizer, views, device))
        else:
            prior.set_weights(kept.prior.weights)
        figures = validate(networks, data, draws=True).figures
        if tokenizer.upscaler is not None:
            figures |= upscaling.validate(networks, data).figures
        return export_semantic(tokenizer.cpu(), prior, path) | figures | _rates(tokenizer, prior, held_out)

    return export_model(folder / "semantic.safetensors", device, export)


def export_semantic(tokenizer: SemanticTokenizer, prior: ChannelPrior, path: Path) -> dict[str, Any]:
    """Writes the model file; returns the size of it and of its encoder, in bytes as stored."""
    tensors, metadata = semantic_model_contents(tokenizer, prior)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(path, tensors, metadata)
    encoder = sum(t.numel() * t.element_size() for n, t in tensors.items() if n.startswith("tokenizer.encoder."))
    return {"bytes": path.stat().st_size, "encoder_bytes": encoder}


def _start_from(tokenizer: SemanticTokenizer, start: str) -> SemanticModel:
    """Gives the tokenizer the weights of a model file, which is returned. Raises UsageError for one of another kind."""
    file = open_model(start)
    if file.config["profile"] != "semantic":
        raise UsageError(f"The model {start} is of profile {file.config['profile']:.40}, which the recipe is not.")
    model = build_semantic_model(file, "cpu")
    shipped = model.tokenizer
    if encoder_config(shipped.encoder) != encoder_config(tokenizer.encoder):
        raise UsageError(f"The model {start} has another encoder than the recipe.")
    tokenizer.encoder.load_state_dict(shipped.encoder.state_dict())
    tokenizer.quantizer.load_state_dict(shipped.quantizer.state_dict())
    # decoders and upscalers of other sizes are trained from scratch
    if shipped.decoder.config == tokenizer.decoder.config:
        tokenizer.decoder.load_state_dict(shipped.decoder.state_dict())
    ours, theirs = tokenizer.upscaler, shipped.upscaler
    if ours is not None and theirs is not None and ours.config == theirs.config:
        ours.load_state_dict(theirs.state_dict())
    return model


def _fix_vectors(recipe: SemanticRecipe, tokenizer: SemanticTokenizer, views: Views, device: torch.device) -> None:
    """From here on vectors stay as they are: the encoder's weights are those of the model file, and the quantizer has
    its scales."""
    round_as_stored(tokenizer.encoder)
    vectors = rotate_meaning(tokenizer, _vectors(tokenizer, views, device))
    round_as_stored(tokenizer.encoder)
    parts = [(tokenizer.encoder.dim, recipe.layout_bytes + recipe.meaning_bytes)]
    if isinstance(tokenizer.encoder, FeatureEncoder):
        config = tokenizer.encoder.config
        parts = [(config.layout, recipe.layout_bytes), (config.meaning, recipe.meaning_bytes)]
    set_scales(tokenizer, vectors, parts)


@torch.no_grad()
def _vectors(tokenizer: SemanticTokenizer, views: Views, device: torch.device) -> Tensor:
    """The vectors of all views, (N, dim)."""
    squares = _squares(views, tokenizer.encoder.side)
    return torch.cat([tokenizer.encoder(x.to(device)).float() for x in squares])


def _squares(views: Views, side: int) -> Iterator[Tensor]:
    """All views as squares, (B, 3, side, side) in 0..1, a few at a time."""
    numbers = [(p, v) for p in range(len(views.photographs)) for v in range(views.count)]
    for first in range(0, len(numbers), CHUNK):
        yield as_tensor([as_square(views.view(p, v), side) for p, v in numbers[first : first + CHUNK]])


@torch.no_grad()
def _measure_spread(tokenizer: SemanticTokenizer, photographs: list[NDArray[np.uint8]], device: torch.device) -> None:
    """The deviation of what the decoder draws: of pictures from their enlarged thumbnails."""
    encoder, decoder = tokenizer.encoder, tokenizer.decoder
    errors = []
    for first in range(0, min(len(photographs), 4 * CHUNK), CHUNK):
        some = photographs[first : first + CHUNK]
        thumbnail = None
        if isinstance(encoder, FeatureEncoder):
            thumbnail = encoder.thumbnail(encoder(as_tensor([as_square(p, encoder.side) for p in some]).to(device)))
        pixels = as_tensor([as_square(p, decoder.config.side) for p in some]).to(device)
        errors.append((pixels - decoder.hint(thumbnail, len(pixels))).square().mean())
    decoder.spread.fill_(max(1e-3, float(torch.stack(errors).mean().sqrt())))


def _taught(views: Views, folder: Path, device: torch.device) -> Tensor:
    """The teacher's vectors of all views; kept in the folder, for a run that is resumed. Another seed, or other
    photographs, make other views, of which they are computed again."""
    path, digest = folder / TAUGHT, views.digest()
    if path.exists():
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("views") == digest:
                return file.get_tensor("targets")
        announce(f"{path} is of other pictures or another seed: the teacher looks at all views again.")
    found = teach(views, Teacher(device))
    if distributed.rank() == 0:
        files.write(path, save({"targets": found}, {"views": digest}), force=True)
    return found


@torch.no_grad()
def _rates(tokenizer: SemanticTokenizer, prior: ChannelPrior, pictures: list[NDArray[np.uint8]]) -> dict[str, float]:
    """Bytes of the vectors of pictures, header not counted: as they are written, and by a table of their own."""
    pixels = as_tensor([as_square(p, tokenizer.encoder.side) for p in pictures])
    levels = tokenizer.quantizer.quantize(tokenizer.encoder(pixels)).numpy()
    written = [len(prior.write(row)) for row in levels]
    return {
        "vector_bytes": float(np.mean(written)),
        "vector_bytes_most": max(written),
        "own_tables": code_length(levels),
    }
