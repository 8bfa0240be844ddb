"""How the tokens of a profile lie in a file, as far as a header tells."""

from dataclasses import dataclass

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import Header
from imgcodec.bitstream.limits import rounded_area

LARGEST_TILE = 2**22  # pixels, sides rounded up to `Layout.window`: the memory that a prior takes grows with it


@dataclass(frozen=True)
class Layout:
    """What all files of a profile have in common (`docs/format.md`, section 3.2).

    stages: how many a file may have. tile_size: the side of every tile in pixels; None where files may have any.
    window: pixels; the prior works on tiles whose sides are rounded up to multiples of it. None where its work does not
    grow with a tile. is_grouped: a position has several tokens, one of each group; else it has one.
    """

    stages: range
    tile_size: int | None
    window: int | None
    is_grouped: bool = True

    def check(self, header: Header) -> None:
        """Raises UsageError for a header that no file of this profile has. Allocates nothing."""
        if header.stage_count not in self.stages:
            most = f"{self.stages[0]} to {self.stages[-1]}" if len(self.stages) > 1 else self.stages[0]
            raise UsageError(f"The file has {header.stage_count} stages, and those of its profile have {most}.")
        if self.tile_size not in (None, header.tile_size):
            raise UsageError(
                f"The file has tiles of {header.tile_size} pixels, and those of its profile have {self.tile_size}."
            )
        if self.window is None:
            return
        _, _, width, height = header.tile_rectangle(0)
        if rounded_area(width, height, self.window) > LARGEST_TILE:
            raise UsageError(
                f"The file has tiles of {width} x {height} pixels, over the limit of {LARGEST_TILE} pixels."
            )
