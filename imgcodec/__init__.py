"""imgcodec: a neural image codec with small files that decode to the same tokens on every machine.

    data = imgcodec.compress(image, quality=50)     a PIL image, or uint8 (H, W, 3)  ->  the bytes of a .nic file
    image = imgcodec.decompress(data)               and back to a PIL image

    data = imgcodec.compress_to(image, Target(Kind.SIZE, 40_000))   at the quality that meets a target

`load_model` keeps a model for many images; `read_tokens` and `write_tokens` go between tokens and bytes without
pictures; `recover` shows what a damaged or cut file still holds. Whatever bad input can cause derives from
`CodecError`. Several threads may use everything at the same time, one model too. torch is imported with the first
call, not with this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING

try:
    from imgcodec.bitstream.errors import CodecError, InvalidFileError, ModelNotFoundError, UsageError
except ModuleNotFoundError as error:
    if error.name != "imgcodec.bitstream":
        raise
    raise ImportError(
        "This is the folder imgcodec of a checkout, which hides the installed package: run Python in another folder, "
        "or install with pip install -e ."
    ) from None

if TYPE_CHECKING:
    from imgcodec.codec import (
        Model,
        compress,
        compress_to,
        decompress,
        load_model,
        read_tokens,
        recover,
        write_tokens,
    )
    from imgcodec.rate_control import Kind, Target
    from imgcodec.recovery import Recovery
    from imgcodec.tokens import Tokens

__version__ = "0.1.0"

__all__ = [
    "CodecError",
    "InvalidFileError",
    "Kind",
    "Model",
    "ModelNotFoundError",
    "Recovery",
    "Target",
    "Tokens",
    "UsageError",
    "compress",
    "compress_to",
    "decompress",
    "load_model",
    "read_tokens",
    "recover",
    "write_tokens",
]


def __getattr__(name: str) -> object:
    """Brings what torch comes with when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    homes = {"Kind": "rate_control", "Target": "rate_control", "Recovery": "recovery", "Tokens": "tokens"}
    value = getattr(import_module(f"imgcodec.{homes.get(name, 'codec')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
