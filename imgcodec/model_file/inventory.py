"""The facts of a model file: its metadata, its tensors, its card, and whether it works."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgcodec.bitstream.errors import CodecError, UnusableModelError
from imgcodec.model_file.find import find_model
from imgcodec.model_file.model import open_model
from imgcodec.storage import files

LARGEST_CARD = 2**20  # bytes
PARTS = ("tokenizer", "prior")


HEADING = re.compile(r"#+\s*(?:`[^`]*`[,:]?\s*)?(.*\S)\s*")
ID_ROW = re.compile(r"\|\s*id\s*\|\s*`?([0-9a-f]{16})`?\s*\|")


@dataclass(frozen=True)
class Card:
    """The page beside a model file. purpose: of its heading, ``# `name`, purpose``. bpp: the lowest and highest
    rate in the column of that name. id: of its row ``| id | `0123456789abcdef` |``."""

    purpose: str | None = None
    bpp: tuple[float, float] | None = None
    id: str | None = None


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
        file = open_model(str(path))
    except CodecError as error:
        raise UnusableModelError(str(error)) from None
    parameters = {
        part: sum(tensor.numel() for name, tensor in file.tensors.items() if name.startswith(f"{part}."))
        for part in PARTS
    }
    size, profile = path.stat().st_size, file.config["profile"]
    card = _card(path.with_suffix(".md"))
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


def _card(path: Path) -> Card:
    """The card at a path; an empty one where there is none."""
    if not path.is_file():
        return Card()
    try:
        lines = files.read(path, LARGEST_CARD).decode(errors="replace").splitlines()
    except CodecError:
        return Card()
    heading = HEADING.fullmatch(lines[0]) if lines else None
    ids = [match[1] for match in map(ID_ROW.fullmatch, lines) if match]
    rates = _column(lines, "bpp")
    return Card(heading and heading[1], (min(rates), max(rates)) if rates else None, ids[0] if ids else None)


def _column(lines: list[str], name: str) -> list[float]:
    """The numbers of a column, in the first table that has it."""
    column, numbers = None, []
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if column is None:
            column = cells.index(name) if len(cells) > 1 and name in cells else None
        elif len(cells) <= column:
            break
        elif re.fullmatch(r"\d+(\.\d+)?", cells[column]):
            numbers.append(float(cells[column]))
    return numbers
