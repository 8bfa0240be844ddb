"""`imgcodec tokenize`: a folder of pictures to shards of tokens, and back."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.options import MODEL, Device, Force, Jobs, MaxPixels, Quality, Seed, Split, counting, say
from imgcodec.cli.progress import tallying
from imgcodec.cli.targets import parse_size
from imgcodec.storage import files, folders, pairs
from imgcodec.storage.shards import MANIFEST, output_names, write_manifest
from imgcodec.words import counted
from imgcodec.workers import working_through

if TYPE_CHECKING:
    from imgcodec.tasks.tokenize import Tokenized, TokenizeSettings
    from imgcodec.tokens import Tokens
    from imgcodec.workers import Outcome

SUFFIX = "safetensors"
MOST_SHARDS = 10**5
EVERYTHING = "tokens"  # the name of shards without a split


def tokenize(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL, show_default=False)],
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER", help="Pictures, in folders too; or shards to decode.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.", show_default=False)],
    quality: Quality = None,
    shards: Annotated[
        str, typer.Option(metavar="N|SIZE", help="How many shards, or the most bytes of one, as 64MB.")
    ] = "64MB",
    split: Split = None,
    seed: Seed = 0,
    jobs: Jobs = 1,
    decode: Annotated[bool, typer.Option("--decode", help="Make PNG pictures of shards instead.")] = False,
    force: Force = False,
    device: Device = "cpu",
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
) -> None:
    """Make safetensors shards of a folder of pictures: tokens, and all that is needed to make pictures of them again.

    A shard appears when it is whole; the manifest comes last. Files that are not whole pictures are skipped, and named.
    """
    if decode:
        if quality is not None or split is not None:
            raise UsageError("With --decode, quality and split are those of the shards.")
        if jobs > 1 or len(sources) > 1:
            raise UsageError("With --decode, one process decodes the shards of one folder.")
        decode_shards(model, sources[0], output, force, device, max_pixels)
    else:
        number, size = parse_shards(shards)
        division = Division(number, size, None if split is None else folders.parse_split(split), seed)

        from imgcodec.tasks.tokenize import TokenizeSettings

        settings = TokenizeSettings(model, quality, device, max_pixels)
        encode_folders(sources, output, settings, division, jobs, force)


@dataclass(frozen=True)
class Division:
    """How pictures are divided into shards. number, size: of shards, None for as many as it takes, and the most bytes
    of one. shares: of parts by name, drawn with the seed; None for one part."""

    number: int | None
    size: float
    shares: dict[str, float] | None
    seed: int

    def parts(self, found: list[tuple[str, Path]]) -> dict[str, list[tuple[str, Path]]]:
        """Names and paths of the pictures of each part."""
        return folders.split(found, self.shares, self.seed) if self.shares else {EVERYTHING: found}


def encode_folders(
    sources: list[Path], output: Path, settings: "TokenizeSettings", division: Division, jobs: int, force: bool
) -> None:
    """Writes shards of all pictures of folders, and the manifest."""
    folders.check_empty(output, force)
    found = folders.files_below_all(sources, say)

    from imgcodec.model_file.find import pinned
    from imgcodec.storage.token_shards import MOST_PICTURES, TokenShardWriter
    from imgcodec.tasks.tokenize import open_tokenizing

    settings = replace(settings, model=pinned(settings.model))
    opened = open_tokenizing(settings)  # refuses a quality before there is a folder
    parts, number = division.parts(found), division.number
    if number is not None and max(map(len, parts.values())) > number * MOST_PICTURES:
        raise UsageError(f"A shard has at most {MOST_PICTURES} pictures: give more --shards than {number}.")
    folders.make_folder(output)
    folders.remove_files(output, output_names(SUFFIX))  # which would stay beside the new ones
    lines: list[str] = []
    sizes: list[int] = []
    open_task = partial(open_tokenizing, settings) if jobs > 1 else lambda: opened
    paths = [path for members in parts.values() for _, path in members]
    weights = {path: pairs.size_of(str(path)) for path in paths}
    with (
        tallying(f"Tokenizing {sources[0].name}", len(paths), sum(weights.values())) as tally,
        working_through(open_task, paths, jobs) as outcomes,
    ):
        for part, members in parts.items():
            writer = TokenShardWriter(output, part, opened.codec, division.size, force)
            for (name, path, ends), outcome in zip(shard_ends(members, number), outcomes, strict=False):
                tokens = tokens_of(name, outcome)
                pixels = 0
                if tokens is not None:
                    shard = writer.add(name, tokens)
                    header = tokens.header
                    pixels = header.width * header.height
                    line = {"name": name, "shard": shard, "width": header.width, "height": header.height}
                    lines.append(json.dumps(line))
                if ends:
                    writer.finish()
                tally.add(weights[path], pixels)
            writer.finish()
            sizes += writer.sizes.values()
    skipped = len(found) - len(lines)
    if not lines:
        raise CodecError(f"There is no picture among the {skipped} files.")
    write_manifest(output, lines)
    told = f", {counted(skipped, 'file')} skipped" if skipped else ""
    say(f"{output}: {counted(len(lines), 'picture')} in {counted(len(sizes), 'shard')} of {sum(sizes)} bytes{told}")


def parse_shards(text: str) -> tuple[int | None, float]:
    """The number of shards, or the most bytes of one. Raises UsageError."""
    if text.isascii() and text.isdecimal() and len(text) < 20:
        if not 1 <= int(text) <= MOST_SHARDS:
            raise UsageError(f"--shards takes 1 to {MOST_SHARDS}, or a size like 64MB, not {text!r}.")
        return int(text), math.inf
    return None, parse_size(text, "--shards")


def shard_ends(members: list[tuple[str, Path]], number: int | None) -> Iterator[tuple[str, Path, bool]]:
    """Names and paths, and whether a shard ends behind this one, so that there are `number` equal ones."""
    for index, (name, path) in enumerate(members):
        ends = number is not None and index * number // len(members) != (index + 1) * number // len(members)
        yield name, path, ends


def tokens_of(name: str, outcome: "Outcome[Path, Tokenized]") -> "Tokens | None":
    """The tokens of a file; None, and a line on stderr, where it is not a whole picture."""
    if isinstance(outcome.error, CodecError):
        say(f"Skipped {name}: {outcome.error}")
        return None
    if outcome.error is not None:
        raise outcome.error
    assert outcome.result is not None
    if outcome.result.lost_alpha:
        say(f"{name}: its transparency is left out.")
    return outcome.result.tokens


def decode_shards(model: str, source: Path, output: Path, force: bool, device: str, max_pixels: int) -> None:
    """Writes a PNG for every picture of a shard, or of all shards of a folder."""
    from imgcodec.codec import detokenize, load_codec
    from imgcodec.pictures import io
    from imgcodec.pictures.picture import Picture
    from imgcodec.storage.token_shards import read, shards_of

    shards = shards_of(source)
    if source.is_dir() and not (source / MANIFEST).exists():
        say(f"{source} has no {MANIFEST}: what made it did not come to its end.")
    folders.check_empty(output, force)
    codec = load_codec(model, device)
    written: set[str] = set()
    with counting(f"Decoding {source.name}", len(shards)) as advance:
        for shard in shards:
            for name, tokens in read(shard, codec, max_pixels):
                target = output_name(name, written)
                encoded, _ = io.encode(Picture(detokenize(codec, tokens)), "PNG")
                folders.make_folder((output / target).parent)
                files.write(output / target, encoded, force)
            advance()
    say(f"{output}: {counted(len(written), 'picture')} of {counted(len(shards), 'shard')}")


def output_name(name: str, written: set[str]) -> str:
    """`a/b.png` for `a/b.jpg`; `a/b.jpg.png` if the first is taken, then `a/b.jpg-2.png`. Adds it to `written`."""
    stem = str(PurePosixPath(name).with_suffix(""))
    candidates = chain([f"{stem}.png", f"{name}.png"], (f"{name}-{number}.png" for number in count(2)))
    chosen = next(candidate for candidate in candidates if candidate.lower() not in written)
    written.add(chosen.lower())  # on some systems capitals are the same
    return chosen
