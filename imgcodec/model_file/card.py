"""Cards: the page beside a model file, as the package has it and as the Hugging Face hub does.

photo.safetensors has photo.md; in a repository of the hub the page is README.md, and begins with a block of metadata.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from imgcodec.bitstream.errors import CodecError
from imgcodec.storage import files

HUB_CARD = "README.md"
LARGEST_CARD = 2**20  # bytes
LIBRARY = "imgcodec"
TAGS = ("image-compression", "neural-compression", "image-tokenizer", "safetensors")
HOW_TO_USE = """## Use it from the hub

    pip install 'imgcodec[hub]'
    imgcodec compress photo.png --model hf://OWNER/NAME
    imgcodec decompress photo.nic --model hf://OWNER/NAME

OWNER/NAME is this repository. Files that this page names and that are not here are in the package imgcodec."""

_HEADING = re.compile(r"#+\s*(?:`[^`]*`[,:]?\s*)?(.*\S)\s*")
ID_ROW = re.compile(r"\|\s*id\s*\|\s*`?([0-9a-f]{16})`?\s*\|")
_LICENSE_ROW = re.compile(r"\|\s*licence of the weights\s*\|\s*([\w.-]+)\s*\|")
_BLOCK = re.compile(r"---\n(.*?\n)---\n\s*", re.DOTALL)
_PICTURE = re.compile(r"!\[[^\]\n]*\]\((?!https?://)[^)\n]*\)\n*")
_LINK = re.compile(r"\[([^\]\n]+)\]\((?!https?://|#)[^)\n]*\)")


@dataclass(frozen=True)
class Card:
    """The page beside a model file. purpose: of its heading, ``# `name`, purpose``. bpp: the lowest and highest
    rate in the column of that name. id: of its row ``| id | `0123456789abcdef` |``. license: of the metadata, or of the
    row "licence of the weights", in lower case, as the hub has it. text: all of it, without metadata."""

    purpose: str | None = None
    bpp: tuple[float, float] | None = None
    id: str | None = None
    license: str | None = None
    text: str = field(default="", compare=False)


def card_of(path: Path) -> Card:
    """The card of a model file, beside it; an empty one where there is none. A README.md is one if its metadata name
    this library."""
    if (text := _read(path.with_suffix(".md"))) is not None:
        return _parsed(text, "")
    block = _BLOCK.match(text := _read(path.with_name(HUB_CARD)) or "")
    if block is None or f"library_name: {LIBRARY}" not in block[1].splitlines():
        return Card()
    return _parsed(text[block.end() :], block[1])


def hub_card(name: str, card: Card, facts: dict[str, str], license: str | None) -> str:
    """The page of a model in the hub: metadata, and the card; where there is none, one of the facts, rows of a table.
    Links to what is beside the card become words, and pictures there are left out: a repository has neither."""
    rows = [f"| {row} | {value} |" for row, value in facts.items()]
    text = card.text or "\n".join([f"# `{name}`, a model of imgcodec", "", "| | |", "|---|---|", *rows])
    block = ["---", *([f"license: {license}"] if license else []), f"library_name: {LIBRARY}", "tags:"]
    block += [*(f"- {tag}" for tag in TAGS), "---", "", ""]
    text = _LINK.sub(r"\1", _PICTURE.sub("", text)).rstrip("\n")
    if HOW_TO_USE not in text:
        text += f"\n\n{HOW_TO_USE}"
    return "\n".join(block) + text + "\n"


def _read(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        return files.read(path, LARGEST_CARD).decode(errors="replace").replace("\r\n", "\n")
    except CodecError:
        return None


def _parsed(text: str, metadata: str) -> Card:
    lines = text.splitlines()
    heading = _HEADING.fullmatch(lines[0]) if lines else None
    ids = [match[1] for match in map(ID_ROW.fullmatch, lines) if match]
    licenses = re.findall(r"(?m)^license: *([\w.-]+) *$", metadata)
    licenses += [match[1] for match in map(_LICENSE_ROW.fullmatch, lines) if match]
    rates = _column(lines, "bpp")
    return Card(
        heading and heading[1], (min(rates), max(rates)) if rates else None, ids[0] if ids else None,
        licenses[0].lower() if licenses else None, text,
    )  # fmt: skip


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
