"""The profiles of files, a folder each. A new one is a number in the header, a folder here and a row of `PROFILES`."""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from imgcodec.bitstream.errors import UnusableModelError, UsageError
from imgcodec.bitstream.header import Profile, profile_named
from imgcodec.engines import chosen_engine
from imgcodec.profiles.exact.layout import LAYOUT as EXACT
from imgcodec.profiles.layout import Layout
from imgcodec.profiles.photo.layout import LAYOUT as PHOTO
from imgcodec.profiles.photo.layout import REDUCTIONS as PHOTO_REDUCTIONS
from imgcodec.profiles.raster.layout import LAYOUT as RASTER
from imgcodec.profiles.semantic.layout import LAYOUT as SEMANTIC

if TYPE_CHECKING:  # these bring torch, for which `imgcodec info` does not wait
    import torch

    from imgcodec.model_file.contents import ModelContents
    from imgcodec.tokens import TokenCodec


def _photo(contents: "ModelContents", device: "torch.device") -> "TokenCodec":
    from imgcodec.model_file.model import ModelFile
    from imgcodec.profiles.photo.codec import PhotoCodec
    from imgcodec.profiles.photo.model import build_photo_model

    return PhotoCodec(build_photo_model(ModelFile.of(contents), device))


def _photo_graphs(contents: "ModelContents") -> "tuple[TokenCodec, Callable[[], None]]":
    from imgcodec.profiles.photo.codec import PhotoCodec
    from imgcodec.profiles.photo.onnx_model import begin_onnx_model

    model = begin_onnx_model(contents)
    return PhotoCodec(model), model.check


def _raster(contents: "ModelContents", device: "torch.device") -> "TokenCodec":
    from imgcodec.model_file.model import ModelFile
    from imgcodec.profiles.raster.codec import RasterCodec
    from imgcodec.profiles.raster.model import build_raster_model

    return RasterCodec(build_raster_model(ModelFile.of(contents), device))


def _semantic(contents: "ModelContents", device: "torch.device") -> "TokenCodec":
    from imgcodec.model_file.model import ModelFile
    from imgcodec.profiles.semantic.codec import SemanticCodec
    from imgcodec.profiles.semantic.model import build_semantic_model

    return SemanticCodec(build_semantic_model(ModelFile.of(contents), device))


def _exact(contents: "ModelContents", device: "torch.device") -> "TokenCodec":
    raise UnusableModelError(f"The model {contents.name} says that it is of the profile exact, which has no models.")


class Row(NamedTuple):
    """layout: what its files have in common. has_qualities: a file has one of many rates, which its header tells; else
    quality and tune are zeros there. load: a model file and a device -> its codec, in PyTorch; raises
    UnusableModelError for a file that is not sound. load_graphs: the same in ONNX Runtime, on the CPU, and what waits
    for its known-answer tests, as in `begin_codec`; None where models have no graphs. reductions: how many times
    smaller than their size pictures are decoded, with less than all of their tokens, largest first, divisors of the
    coarsest stride. has_regions: whether regions of pictures are decoded, without all else. With either the codec is an
    `imgcodec.tokens.PartialCodec`. note: what has to be known of all its files, a clause about "it"; None where there
    is nothing."""

    layout: Layout
    has_qualities: bool
    load: Callable[["ModelContents", "torch.device"], "TokenCodec"]
    load_graphs: 'Callable[["ModelContents"], tuple["TokenCodec", Callable[[], None]]] | None' = None
    reductions: tuple[int, ...] = ()
    has_regions: bool = False
    note: str | None = None


PROFILES = {
    Profile.PHOTO: Row(PHOTO, True, _photo, _photo_graphs, reductions=PHOTO_REDUCTIONS, has_regions=True),
    Profile.RASTER: Row(RASTER, False, _raster),
    Profile.SEMANTIC: Row(SEMANTIC, False, _semantic, note="it keeps what the picture shows, not its pixels"),
    Profile.EXACT: Row(EXACT, False, _exact, has_regions=True),
}


def load_codec(contents: "ModelContents", device: "torch.device | str", engine: str = "auto") -> "TokenCodec":
    """The codec of a model file. device, engine: as in `imgcodec.load_model`.

    Raises UsageError for a device and an engine that are not there, UnusableModelError if the file is not sound, of no
    known profile, or if this machine's arithmetic fails its known-answer tests.
    """
    codec, pass_tests = begin_codec(contents, device, engine)
    pass_tests()
    return codec


def import_graphs(device: "torch.device | str", engine: str) -> None:
    """Imports what computes models with graphs, where these are not for PyTorch: while a file is read, which is mostly
    one of them."""
    with suppress(UsageError):
        if chosen_engine(engine, device, has_graphs=True) == "onnx":
            for module in ("imgcodec.profiles.photo.codec", "imgcodec.profiles.photo.onnx_model", "onnxruntime"):
                import_module(module)


def begin_codec(
    contents: "ModelContents", device: "torch.device | str", engine: str = "auto"
) -> "tuple[TokenCodec, Callable[[], None]]":
    """As `load_codec`, but the known-answer tests may still run. The second value waits for them, and raises
    UnusableModelError where they fail; so does the codec itself, before it codes a token."""
    from imgcodec.model_file.untrusted import as_model_error

    with as_model_error(contents.name):
        profile = profile_named(contents.config["profile"])
    row = PROFILES[profile]
    if chosen_engine(engine, device, row.load_graphs is not None) == "onnx":
        assert row.load_graphs is not None
        return row.load_graphs(contents)
    import torch

    from imgcodec.devices import resolve_device

    place = resolve_device(device)
    with torch.inference_mode(False):  # tensors made in it cannot take part in autograd, which effort needs
        return row.load(contents, place), lambda: None
