"""The facts of a model file: its metadata, its tensors, its card, and whether it works."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgcodec.bitstream.errors import CodecError, UnusableModelError
from imgcodec.model_file.card import Card, card_of
from imgcodec.model_file.contents import open_contents
from imgcodec.model_file.find import find_model

PARTS = ("tokenizer", "prior")


@dataclass(frozen=True)
class Facts:
    """What a model file says of itself. id: computed from the file, 16 hexadecimal digits. profile: as the file names
    it. has_digest: a damaged file would be noticed; the first ones had no digest. parameters: numbers in the tensors of
    each of `PARTS`."""

    name: str
    path: Path
    id: str
    bytes: int
    profile: str
    has_digest: bool
    config: dict[str, Any]
    parameters: dict[str, int]
    card: Card


def describe(name_or_path: str) -> Facts:
    """The facts of a model. Raises ModelNotFoundError, and UnusableModelError for what is no model file."""
    path = find_model(name_or_path)
    try:
        file = open_contents(path)
    except CodecError as error:
        raise UnusableModelError(str(error)) from None
    parameters = {
        part: sum(math.prod(tensor.shape) for name, tensor in file.tensors.items() if name.startswith(f"{part}."))
        for part in PARTS
    }
    size, profile = path.stat().st_size, file.config["profile"]
    card = card_of(path)
    return Facts(file.name, path, file.id.hex(), size, profile, file.has_digest, file.config, parameters, card)


def check(model: Facts, load: Callable[[Path], object]) -> None:
    """Builds the model, which proves its bounds and runs its known-answer test, and compares its id with the card's.

    load: loads a model by its path, for this room knows no profiles. Raises UnusableModelError for a model that
    cannot be used here.
    """
    if model.card.id not in (None, model.id):
        raise UnusableModelError(f"{model.path.name} has id {model.id}, and its card states id {model.card.id}.")
    try:
        load(model.path)
    except CodecError as error:
        raise UnusableModelError(str(error)) from None
