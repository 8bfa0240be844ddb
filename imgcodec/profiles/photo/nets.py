"""The nets of a `photo` model as the codec sees them: NumPy in and out, whatever computes them.

    PhotoCodec ──► Transforms   pixels to latent to tokens, and back: `TorchTransforms`, `OnnxTransforms`
               └─► Walk         the prior, step by step: `PhotoModel.walk`, `OnnxModel.walk`

Knows no torch.
"""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import FrequencyTables
from imgcodec.bitstream.header import QUALITY_MAX, Header
from imgcodec.parallel import Threads
from imgcodec.priors.photo.coding import Walk
from imgcodec.priors.photo.config import PhotoPriorConfig
from imgcodec.tokenizers.blocks import BLOCK, Box
from imgcodec.tokenizers.rvq_config import RVQConfig

if TYPE_CHECKING:
    from imgcodec.profiles.photo.model import PhotoModel


class Transforms(Protocol):
    """Analysis, quantization and synthesis of parts of pictures. Levels of quality are those of `ResidualVQ`: those of
    the visual tune follow those of the other."""

    @property
    def config(self) -> RVQConfig: ...

    @property
    def threads(self) -> Threads:
        """In which the engine computes, the prior too."""

    def analyse(self, pixels: NDArray[np.uint8], shown: Box) -> Any:
        """Pixels (H, W, 3), H and W multiples of 16 -> these positions of the latent, as `quantize` takes it."""

    def quantize(
        self, latent: Any, level: float, masked: bool
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """A latent, rows and columns multiples of 4 -> real numbers: centred tokens of stage 0, (groups, rows / 4,
        columns / 4), what they leave to stage 1, (groups, rows, columns), and where `masked` the weight of errors,
        (rows, columns), of `imgcodec.tokenizers.masking`."""

    def synthesise(
        self, coarse: NDArray[np.int16], fine: NDArray[np.int16], level: float, shown: Box
    ) -> NDArray[np.uint8]:
        """Tokens of both stages (groups, rows, columns) -> these of the pixels (H, W, 3)."""

    def reduced(
        self, coarse: NDArray[np.int16], fine: NDArray[np.int16], level: float, reduction: int
    ) -> NDArray[np.uint8]:
        """As `synthesise`, all of the pixels, `reduction` (8, 16, 64) times smaller, by the linear path alone; at 64 of
        the tokens of stage 0 alone."""


class PhotoNets(Protocol):
    """A model. lambdas: bits per squared error, of what qualities 0 and 100 were trained for."""

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> bytes: ...

    @property
    def transforms(self) -> Transforms: ...

    @property
    def prior_config(self) -> PhotoPriorConfig: ...

    @property
    def walk(self) -> Walk:
        """The prior."""

    @property
    def tables(self) -> FrequencyTables: ...

    def in_torch(self) -> "PhotoModel":
        """The same model in PyTorch, for what takes gradients. Raises UsageError where that is not installed."""


def latents_of(shown: Box) -> tuple[Box, Box]:
    """The latents of these pixels, and the place of the pixels in those of the latents."""
    top, left, bottom, right = shown
    y, x = top // BLOCK, left // BLOCK
    place = (top - y * BLOCK, left - x * BLOCK, bottom - y * BLOCK, right - x * BLOCK)
    return (y, x, -(-bottom // BLOCK), -(-right // BLOCK)), place


def level_of(config: RVQConfig, header: Header) -> float:
    """The level of a header's quality, a real number; levels of the visual tune follow those of the other."""
    return header.tune * config.levels + header.quality / QUALITY_MAX * (config.levels - 1)
