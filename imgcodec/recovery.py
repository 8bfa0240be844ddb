"""What a damaged or cut file still shows, and what of it is lost."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from imgcodec.bitstream.salvage import Salvage
from imgcodec.bitstream.sections import SectionType
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.pil_images import to_pil


@dataclass(frozen=True, eq=False)
class Recovery:
    """A picture of what is whole of a file. Make one with `imgcodec.recover`.

    coarse: tiles of which only the first sections are left, and shown. flat: tiles of which nothing is left, filled
    with gray. unreadable: those of both whose tokens cannot be decoded, though their checksums are right. left_out:
    names of alpha and metadata that cannot be unpacked. found: the rest, as the container tells it.
    """

    picture: Picture
    coarse: tuple[int, ...]
    flat: tuple[int, ...]
    unreadable: tuple[int, ...]
    left_out: tuple[str, ...]
    found: Salvage

    @property
    def image(self) -> Image.Image:
        """The picture as `imgcodec.decompress` gives it."""
        return to_pil(self.picture)

    @property
    def is_cut(self) -> bool:
        """The file ends before its end section."""
        return not self.found.has_end

    @property
    def lacks_blocks(self) -> bool:
        """The file ends in the midst of exact blocks."""
        return self.is_cut and bool(self.found.gaps) and self.found.gaps[-1].type == SectionType.EXACT

    @property
    def is_damaged(self) -> bool:
        """More is wrong than that the file is cut."""
        return bool(self.found.damage or self.unreadable or self.left_out)

    @property
    def notes(self) -> list[str]:
        """What is lost, each a clause about "it" (the file), for people."""
        notes = []
        if self.is_cut:
            tiles = self.found.tokens()
            whole = sum(tile.is_whole for tile in tiles)
            if whole < len(tiles) == 1:
                notes.append("it is cut short: its one tile is not whole")
            elif whole < len(tiles):
                verb = "is" if whole == 1 else "are"
                notes.append(f"it is cut short: {whole} of its {len(tiles)} tiles {verb} whole")
            elif self.lacks_blocks:
                notes.append("it is cut short behind its tokens, and its exact blocks are lost from there on")
            else:
                notes.append("it is cut short, but behind all of its tokens")
        for gap in self.found.damage:
            place = f"{gap.size} bytes from byte {gap.offset} on ({gap.name})"
            notes.append(f"it has {place} that are out of place" if gap.is_misplaced else f"it is damaged in {place}")
        notes += [f"its {name} cannot be unpacked and is left out" for name in self.left_out]
        if self.coarse:
            notes.append(f"its {_tiles(self.coarse)} shown coarsely, for finer tokens are lost")
        if self.flat:
            notes.append(f"its {_tiles(self.flat)} lost and filled with gray")
        return notes


def _tiles(numbers: Sequence[int]) -> str:
    """`tile 3 is`, or `tiles 0, 3-5 are`: numbers that follow each other as a range."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    text = ", ".join("-".join(map(str, run)) for run in runs)
    return f"tile {text} is" if len(numbers) == 1 else f"tiles {text} are"
