"""The profiles of files, a folder each. A new one is a number in the header, a folder here and a row of `PROFILES`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from imgcodec.bitstream.errors import UnusableModelError
from imgcodec.bitstream.header import Profile, profile_named
from imgcodec.profiles.exact import layout as exact
from imgcodec.profiles.layout import Layout
from imgcodec.profiles.photo import layout as photo
from imgcodec.profiles.raster import layout as raster
from imgcodec.profiles.semantic import layout as semantic

if TYPE_CHECKING:  # these bring torch, for which `imgcodec info` does not wait
    import torch

    from imgcodec.model_file.model import ModelFile
    from imgcodec.tokens import TokenCodec


def _photo(file: "ModelFile", device: "torch.device") -> "TokenCodec":
    from imgcodec.profiles.photo.codec import PhotoCodec
    from imgcodec.profiles.photo.model import build_photo_model

    return PhotoCodec(build_photo_model(file, device))


def _raster(file: "ModelFile", device: "torch.device") -> "TokenCodec":
    from imgcodec.profiles.raster.codec import RasterCodec
    from imgcodec.profiles.raster.model import build_raster_model

    return RasterCodec(build_raster_model(file, device))


def _semantic(file: "ModelFile", device: "torch.device") -> "TokenCodec":
    from imgcodec.profiles.semantic.codec import SemanticCodec
    from imgcodec.profiles.semantic.model import build_semantic_model

    return SemanticCodec(build_semantic_model(file, device))


def _exact(file: "ModelFile", device: "torch.device") -> "TokenCodec":
    raise UnusableModelError(f"The model {file.name} says that it is of the profile exact, which has no models.")


class Row(NamedTuple):
    """layout: what its files have in common. has_qualities: a file has one of many rates, which its header tells; else
    quality and tune are zeros there. load: a model file and a device -> its codec; raises UnusableModelError for a
    file that is not sound. reductions: how many times smaller than their size pictures are decoded, with less than
    all of their tokens, largest first, divisors of the coarsest stride. has_regions: whether regions of pictures are
    decoded, without all else. With either the codec is an `imgcodec.tokens.PartialCodec`. note: what has to be known
    of all its files, a clause about "it"; None where there is nothing."""

    layout: Layout
    has_qualities: bool
    load: Callable[["ModelFile", "torch.device"], "TokenCodec"]
    reductions: tuple[int, ...] = ()
    has_regions: bool = False
    note: str | None = None


PROFILES = {
    Profile.PHOTO: Row(photo.LAYOUT, True, _photo, reductions=photo.REDUCTIONS, has_regions=True),
    Profile.RASTER: Row(raster.LAYOUT, False, _raster),
    Profile.SEMANTIC: Row(semantic.LAYOUT, False, _semantic, note="it keeps what the picture shows, not its pixels"),
    Profile.EXACT: Row(exact.LAYOUT, False, _exact, has_regions=True),
}


def load_codec(file: "ModelFile", device: "torch.device") -> "TokenCodec":
    """The codec of a model file. Raises UnusableModelError if the file is not sound, of no known profile, or if this
    machine's arithmetic fails its known-answer tests."""
    from imgcodec.model_file.untrusted import as_model_error

    with as_model_error(file.name):
        profile = profile_named(file.config["profile"])
    return PROFILES[profile].load(file, device)
