"""Pictures to their tokens, without what is beside pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.pictures import io

if TYPE_CHECKING:
    from imgcodec.tokens import TokenCodec, Tokens


@dataclass(frozen=True)
class Tokenized:
    """The tokens of a picture. lost_alpha: whether it has transparency, which is left out."""

    tokens: "Tokens"
    lost_alpha: bool


@dataclass(frozen=True)
class TokenizeSettings:
    """How tokens are made of pictures: by which model, and all at one quality."""

    model: str
    quality: float | None = None
    device: str = "cpu"
    max_pixels: int = DEFAULT_LIMITS.pixels


@dataclass(frozen=True)
class Tokenizing:
    """A model that makes tokens of pictures."""

    settings: TokenizeSettings
    codec: "TokenCodec"

    def __call__(self, path: Path) -> Tokenized:
        """Raises as `io.load`, and as `imgcodec.codec.tokenize`."""
        from imgcodec import codec as pipeline

        picture = io.load(path, self.settings.max_pixels)
        tokens = pipeline.tokenize(self.codec, picture.pixels, self.settings.quality)
        return Tokenized(tokens, picture.alpha is not None)


def open_tokenizing(settings: TokenizeSettings) -> Tokenizing:
    """Loads the model. Raises ModelNotFoundError, UnusableModelError, and UsageError for a quality that it lacks."""
    from imgcodec.codec import load_codec

    codec = load_codec(settings.model, settings.device)
    codec.header((1, 1), settings.quality, None)
    return Tokenizing(settings, codec)
