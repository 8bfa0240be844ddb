"""How a picture is drawn from a vector. Knows no torch, so that a wrong number fails at once."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from numbers import Real

from imgcodec.bitstream.container import Container
from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import Header
from imgcodec.bitstream.limits import whole
from imgcodec.bitstream.sections import SectionType

LARGEST_SIZE = 2**14  # pixels of the longer side of a drawn picture
SIZE_UNIT = 64


@dataclass(frozen=True)
class DrawingOptions:
    """How a picture is drawn from a vector.

    steps: of the diffusion, more for better pictures. eta: 0 adds no noise on the way, 1 as much as DDPM. guidance: how
    much more the vector counts than it was trained for. seed: another one draws another picture. size: pixels of its
    longer side, a multiple of 64; None for the size of the original. progress: called after each step.

    Raises UsageError for numbers out of range and for what is no number.
    """

    steps: int = 50
    eta: float = 0.0
    guidance: float = 1.0
    seed: int = 0
    size: int | None = None
    progress: Callable[[], None] = field(default=lambda: None, compare=False)

    def __post_init__(self) -> None:
        for name, value in (("number of steps", self.steps), ("seed", self.seed), ("size", self.size or 0)):
            whole(name, value)
        reals: tuple[tuple[str, object], ...] = (("eta", self.eta), ("guidance", self.guidance))
        for name, real in reals:
            if isinstance(real, bool) or not isinstance(real, Real):
                raise UsageError(f"The {name} is a number, not {real!r:.40}.")
        if self.steps < 1:
            raise UsageError(f"A picture is drawn in 1 step or more, not in {self.steps}.")
        if not 0 <= self.eta <= 1:
            raise UsageError(f"The eta is a number from 0 to 1, not {self.eta:g}.")
        if not 0 <= self.guidance <= 100:
            raise UsageError(f"The guidance is a number from 0 to 100, not {self.guidance:g}.")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"A seed is a whole number from 0 to 2^63 - 1, not {self.seed}.")
        if self.size is not None and (self.size % SIZE_UNIT or not SIZE_UNIT <= self.size <= LARGEST_SIZE):
            raise UsageError(
                f"A size is a multiple of {SIZE_UNIT} from {SIZE_UNIT} to {LARGEST_SIZE}, not {self.size}."
            )


def drawn_size(header: Header, size: int) -> tuple[int, int]:
    """(width, height) of a picture whose longer side is to have `size` pixels."""
    longer = max(header.width, header.height)
    return max(1, round(header.width * size / longer)), max(1, round(header.height * size / longer))


def at_size(file: Container, size: int) -> Container:
    """The file as if its picture were of another size, without what belongs to its pixels: transparency and density."""
    width, height = drawn_size(file.header, size)
    kept = tuple(s for s in file.sections if s.type not in (SectionType.ALPHA, SectionType.DENSITY))
    return replace(file, header=replace(file.header, width=width, height=height), sections=kept)
