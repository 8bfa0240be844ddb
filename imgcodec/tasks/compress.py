"""Pictures to .nic files, each with what was lost of it and what it takes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.bitstream.header import SIGNATURE, Profile
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.pictures import io, sections
from imgcodec.pictures.picture import Picture, kept_exactly
from imgcodec.rate_control import OutOfReachError, RateTarget
from imgcodec.storage import files, pairs
from imgcodec.storage.pairs import Pair

if TYPE_CHECKING:
    from imgcodec.one_file import EncodeResult
    from imgcodec.profiles.semantic.codec import SemanticCodec
    from imgcodec.tokens import TokenCodec

FEWEST_BPP_FOR_PNG = 2.0
"""In fewer bits a pixel hardly any picture has a smaller PNG, and photographs have more at the best qualities only."""


@dataclass(frozen=True)
class CompressSettings:
    """How pictures are compressed: see `imgcodec.encoder.encode_picture`. lossless: by `encode_exact`. features_model:
    of the features that files get, or None for none. features: where the weights of these features are, of CLIP."""

    model: str = "photo"
    quality: float | None = None
    target: RateTarget | None = None
    tune: str | None = None
    effort: int = 1
    lossless: bool = False
    exact: bool = True
    strip: bool = False
    verify: bool = False
    features_model: str | None = None
    features: str | None = None
    device: str = "cpu"
    engine: str = "auto"
    max_pixels: int = DEFAULT_LIMITS.pixels

    def load(self, source: str) -> Picture:
        """The picture of a file; its notes are on what is lost with these settings. Raises as `io.load`."""
        picture = io.load(source, self.max_pixels)
        return kept_exactly(picture) if self.lossless else picture


@dataclass(frozen=True)
class Compressed:
    """A .nic file that was made. bytes: of it; input_bytes: of the picture's file. reached: see `EncodeResult`. notes:
    what was lost, each a clause about "it". remarks: clauses on its size."""

    source: str
    output: str
    width: int
    height: int
    bytes: int
    input_bytes: int | None
    quality: float | None
    tune: str
    model: str
    model_id: str
    reached: float | None
    notes: tuple[str, ...]
    remarks: tuple[str, ...]
    target: RateTarget | None
    lossless: bool
    is_whole = True

    def to_json(self) -> dict[str, object]:
        """As a program reads it."""
        return {
            "input": self.source,
            "output": self.output,
            "input_bytes": self.input_bytes,
            "width": self.width,
            "height": self.height,
            "bytes": self.bytes,
            "bpp": self.bpp,
            "lossless": self.lossless,
            "quality": self.quality,
            "tune": None if self.lossless else self.tune,
            "model": self.model,
            "codebook_id": self.model_id,
            "notes": list(self.notes),
        }

    @property
    def bpp(self) -> float:
        """Bits per pixel."""
        return 8 * self.bytes / (self.width * self.height)

    @property
    def lines(self) -> list[str]:
        """What there is to say of it, line by line, besides `summary`."""
        return [f"{self.source}: {clause}." for clause in (*self.notes, *self.remarks)]

    @property
    def summary(self) -> str:
        """A line for people."""
        reached = ""
        if self.lossless:
            reached = ", lossless"
        elif self.target:
            reached = f", quality {self.quality:g}"
            if self.target.metric in ("psnr", "ssimulacra2") and self.reached is not None:
                reached += f", {self.target.text(self.reached)}"
        shown = "stdout" if self.output == files.STANDARD else self.output
        return f"{shown}: {self.width} x {self.height}, {self.bytes} bytes, {self.bpp:.3f} bpp{reached}"


@dataclass(frozen=True)
class Compressor:
    """A model that compresses pictures. searcher: the model of their features, None where files have none."""

    settings: CompressSettings
    codec: "TokenCodec"
    searcher: "SemanticCodec | None"

    def __call__(self, item: Pair) -> Compressed:
        """Makes the output of a pair. Raises as `io.load`, `encode_picture` and `files.write`."""
        return self.compress(self.settings.load(item.source), item)

    def compress(self, picture: Picture, item: Pair, advance: Callable[[float], None] | None = None) -> Compressed:
        """Writes the .nic file of a picture. advance: called with shares of the work, as they are done."""
        from imgcodec.profiles.exact.codec import ExactCodec

        try:
            result = self.encode(picture, advance)
        except OutOfReachError as error:
            raise CodecError(f"{item.source}: {error}") from None
        count = len(result.data)
        bpp = 8 * count / (picture.width * picture.height)
        remarks = []
        if picture.file_bytes is not None and count > picture.file_bytes:
            remarks.append(f"the result is larger than the input, which has {picture.file_bytes} bytes")
        elif bpp > FEWEST_BPP_FOR_PNG and not result.is_exact and count > (of_png := io.png_bytes(picture)):
            remarks.append(f"a PNG of it loses nothing and is smaller, {of_png} bytes")
        pairs.write(item, result.data)
        return Compressed(
            item.source, item.output, picture.width, picture.height, count, picture.file_bytes, result.quality,
            result.header.tune.name.lower(), ExactCodec.name if result.is_exact else self.codec.name,
            result.header.codebook_id.hex(), result.reached, result.notes,
            tuple(remarks), self.settings.target, result.is_exact,
        )  # fmt: skip

    def encode(self, picture: Picture, advance: Callable[[float], None] | None = None) -> "EncodeResult":
        """The file of a picture."""
        from imgcodec.encoder import encode_picture
        from imgcodec.one_file import encode_exact
        from imgcodec.profiles.exact.codec import ExactCodec

        how = self.settings
        codec = self.codec if advance is None else self.codec.watched(advance)
        if how.strip:
            picture = sections.strip(picture)
        if self.searcher is not None and self.searcher is not self.codec:
            picture = replace(picture, features=self.searcher.write_features(picture.pixels))
        if isinstance(codec, ExactCodec):
            return encode_exact(picture, how.verify, codec)
        return encode_picture(codec, picture, how.quality, how.target, how.tune, how.effort, how.verify, how.exact)


def open_compressor(settings: CompressSettings) -> Compressor:
    """Loads the models, and looks whether they have what is asked of them. Raises ModelNotFoundError,
    UnusableModelError and UsageError."""
    from imgcodec.codec import check_effort, tune_of

    compressor = Compressor(settings, *load_codecs(settings))
    if settings.lossless and settings.model != "photo":
        raise UsageError("A lossless file is of no model.")
    check_effort(compressor.codec, settings.effort)
    quality = 0.0 if settings.target else settings.quality
    compressor.codec.header((1, 1), quality, tune_of(compressor.codec, settings.tune))
    return compressor


def open_repeatable(settings: CompressSettings) -> Callable[[Pair], Compressed]:
    """As `open_compressor`, where a pair may be given again to another process, after one that was killed."""
    return partial(_again, open_compressor(settings))


def _again(compressor: Compressor, item: Pair) -> Compressed:
    """What was killed after it had written the output has not told: the same bytes are written again."""
    return compressor(replace(item, replace=item.replace or pairs.is_done(item, SIGNATURE)))


def load_codecs(settings: CompressSettings) -> "tuple[TokenCodec, SemanticCodec | None]":
    """The codec of the files, and that of their features; None where they have none. Raises UsageError for features
    beside features, and for `--features` without any."""
    from imgcodec.codec import begin_codec, load_codec
    from imgcodec.profiles.exact.codec import ExactCodec

    features, device, engine = settings.features, settings.device, settings.engine
    if settings.effort > 1 and engine == "auto":
        engine = "torch"  # which takes the gradients that more effort needs
    codec: TokenCodec = ExactCodec() if settings.lossless else begin_codec(settings.model, device, engine)
    if codec.profile != Profile.SEMANTIC and settings.features_model is None:
        if features is not None:
            raise UsageError("--features goes with --with-features, or with a model of the profile semantic.")
        return codec, None
    from imgcodec.profiles.semantic.codec import SemanticCodec, as_semantic, with_features

    if isinstance(codec, SemanticCodec):
        if settings.features_model is not None:
            raise UsageError(f"Files of the model {codec.name} are features: they take no others.")
        return (found := with_features(codec, features)), found
    assert settings.features_model is not None
    searcher = as_semantic(load_codec(settings.features_model, device), "--with-features")
    return codec, with_features(searcher, features)
