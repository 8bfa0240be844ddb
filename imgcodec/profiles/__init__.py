"""The profiles of files, a folder each. A new one is a folder here and a row of `PROFILES`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from imgcodec.bitstream.header import Profile

if TYPE_CHECKING:  # these bring torch, for which `imgcodec info` does not wait
    import torch

    from imgcodec.model_file.model import ModelFile
    from imgcodec.tokens import TokenCodec


def _photo(file: "ModelFile", device: "torch.device") -> "TokenCodec":
    from imgcodec.profiles.photo.codec import PhotoCodec
    from imgcodec.profiles.photo.model import build_photo_model

    return PhotoCodec(build_photo_model(file, device))


def _raster(file: "ModelFile", device: "torch.device") -> "TokenCodec":
    from imgcodec.profiles.raster.codec import GridCodec
    from imgcodec.profiles.raster.model import build_grid_model

    return GridCodec(build_grid_model(file, device))


class Row(NamedTuple):
    """load: a model file and a device -> its codec; raises CodecError for a file that is not sound. has_qualities: a
    file has one of many rates, which its header tells; else quality and tune are zeros there."""

    load: Callable[["ModelFile", "torch.device"], "TokenCodec"]
    has_qualities: bool


PROFILES = {
    Profile.PHOTO: Row(_photo, has_qualities=True),
    Profile.TINY: Row(_raster, has_qualities=False),
    Profile.SNAC: Row(_raster, has_qualities=False),
    Profile.SVQVAE: Row(_raster, has_qualities=False),
    Profile.BSQ: Row(_raster, has_qualities=False),
    Profile.PIXELCNN: Row(_raster, has_qualities=False),
}


def load_codec(file: "ModelFile", device: "torch.device") -> "TokenCodec":
    """The codec of a model file. Raises CodecError if the file is not sound, of no known profile, or if this machine's
    arithmetic fails its known-answer test."""
    from imgcodec.model_file.untrusted import soundness

    name = file.config["profile"]
    with soundness(file.name):
        if name not in {profile.name.lower() for profile in PROFILES}:
            raise ValueError(f"its profile {name!r:.40} is not known")
    return PROFILES[Profile[name.upper()]].load(file, device)
