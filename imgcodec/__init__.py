"""imgcodec: a neural image codec with small files that decode to the same tokens on every machine.

    data = imgcodec.compress(image, quality=50)     a path, a PIL image, an array ...  ->  the bytes of a .nic file
    image = imgcodec.decompress(data)               and back to a PIL image
    info = imgcodec.info(data)                      what the file says of itself: size, mode, quality, model, sections

`load_model` keeps a model for many images, and gives codes for tensors; `read_tokens` and `write_tokens` go between
tokens and bytes without pictures; `read_shards` and `TokenDataset` give those of many pictures; `recover` shows what a
damaged or cut file still holds. `import imgcodec.pillow` lets Pillow open and save .nic files.

Whatever bad input can cause derives from `CodecError`; what is lost of a picture is warned of by `LossWarning`. Several
threads may use everything at the same time, one model too. torch is imported with the first call that needs it, not
with this package.
"""

from importlib import import_module

TYPE_CHECKING = False  # that of typing, which takes long to import

try:
    from imgcodec.bitstream.errors import (
        CodecError,
        InvalidFileError,
        LossWarning,
        ModelNotFoundError,
        UnusableModelError,
        UsageError,
    )
except ModuleNotFoundError as error:
    if error.name != "imgcodec.bitstream":
        raise
    raise ImportError(
        "This is the folder imgcodec of a checkout, which hides the installed package: install it with "
        "`pip install -e .`, or run Python in another folder."
    ) from None


if TYPE_CHECKING:
    from imgcodec.api import (
        ImageLike,
        Model,
        compress,
        decompress,
        load_model,
        read_tokens,
        recover,
        write_tokens,
    )
    from imgcodec.dataset import TokenDataset
    from imgcodec.file_info import FileInfo, SectionInfo, info
    from imgcodec.profiles.semantic.drawing import DrawingOptions
    from imgcodec.recovery import Recovery
    from imgcodec.storage.files import FileLike
    from imgcodec.storage.token_shards import read_shards
    from imgcodec.tokens import Tokens

__version__ = "0.1.0"

__all__ = [
    "CodecError",
    "DrawingOptions",
    "FileInfo",
    "FileLike",
    "ImageLike",
    "InvalidFileError",
    "LossWarning",
    "Model",
    "ModelNotFoundError",
    "Recovery",
    "SectionInfo",
    "TokenDataset",
    "Tokens",
    "UnusableModelError",
    "UsageError",
    "compress",
    "decompress",
    "info",
    "load_model",
    "read_shards",
    "read_tokens",
    "recover",
    "write_tokens",
]

_ROOMS = {
    "DrawingOptions": "profiles.semantic.drawing",
    "FileInfo": "file_info",
    "FileLike": "storage.files",
    "Recovery": "recovery",
    "SectionInfo": "file_info",
    "TokenDataset": "dataset",
    "Tokens": "tokens",
    "info": "file_info",
    "read_shards": "storage.token_shards",
}
"""Modules of the names that are not in `imgcodec.api`, which imports torch."""


def __getattr__(name: str) -> object:
    """Brings what it takes time to import when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module("imgcodec.waiting").wait_passively()
    value = getattr(import_module(f"imgcodec.{_ROOMS.get(name, 'api')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
