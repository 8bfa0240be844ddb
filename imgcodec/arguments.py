"""Arguments of any type, as users of the package give them, -> those that the package works with."""

import sys
from collections.abc import Sequence
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import Header, Profile
from imgcodec.bitstream.limits import DEFAULT_LIMITS, check_size, whole
from imgcodec.codec import tune_of
from imgcodec.profiles import PROFILES
from imgcodec.profiles.semantic.drawing import DrawingOptions
from imgcodec.tokens import TokenCodec, Tokens

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import TypeIs


def pixels_of(x: "Tensor") -> NDArray[np.uint8]:
    """Pictures (B, 3, H, W) in 0..1 -> uint8 (B, H, W, 3)."""
    import torch

    real = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    if not is_dense(x) or x.dtype not in real or x.dim() != 4 or x.shape[1] != 3 or not x.numel():
        raise UsageError(f"Pictures to encode are a tensor of real numbers (B, 3, H, W), not {described(x)}.")
    check_size(x.shape[3], x.shape[2], DEFAULT_LIMITS.pixels // len(x))
    x = x.detach()
    if not bool((x >= 0).all() and (x <= 1).all()):
        raise UsageError("Pictures to encode have samples in 0..1, and here are others.")
    return x.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def is_dense(x: Any) -> bool:
    """Whether something is a tensor that holds its samples one by one."""
    if not is_tensor(x):
        return False
    import torch

    return x.layout == torch.strided and not (x.is_nested or x.is_meta or x.is_quantized)


def is_tensor(x: object) -> "TypeIs[Tensor]":
    """Whether something is a tensor; no torch is imported to find out, for where there is none there are no tensors."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def described(x: Any) -> str:
    """A tensor in an error message."""
    return f"{x.dtype} {tuple(x.shape)}" if is_dense(x) else f"another kind of {type(x).__name__}"


def tokens_of_codes(
    codec: TokenCodec,
    codes: "Sequence[Tensor]",
    quality: float | None,
    tune: str | None,
    shape: tuple[int, int] | None,
) -> list[Tokens]:
    """Codes of several pictures -> the tokens of each. Raises UsageError for codes that do not fit this model."""
    is_grouped = PROFILES[codec.profile].layout.is_grouped
    dimensions = 4 if is_grouped else 3
    if (
        not isinstance(codes, Sequence)
        or not 1 <= len(codes) <= codec.stage_count
        or not all(is_dense(c) and c.dim() == dimensions and c.numel() for c in codes)
        or any(c.is_floating_point() or c.shape[0] != codes[0].shape[0] for c in codes)
    ):
        kind = "(B, groups, h, w)" if is_grouped else "(B, h, w)"
        raise UsageError(
            f"Codes are a list of integer tensors {kind}, one for each of 1 to {codec.stage_count} stages."
        )
    given = [c.detach().cpu().numpy() for c in codes]
    stride = codec.strides[len(codes) - 1]
    height, width = (stride * n for n in given[-1].shape[-2:]) if shape is None else pair("shape", shape)
    check_size(width, height, DEFAULT_LIMITS.pixels)
    header = codec.header((width, height), quality, tune_of(codec, tune))
    empty = codec.empty(header)
    tokens = []
    for index in range(len(given[0])):
        stages = [c[index] if is_grouped else c[index : index + 1] for c in given]
        codec.check(Tokens(header, [*stages, *empty[len(stages) :]]))
        tokens.append(Tokens(header, [s.astype(e.dtype) for s, e in zip(stages, empty, strict=False)]))
    return tokens


def number(name: str, value: Any) -> float:
    """Raises UsageError for anything but a real number."""
    if (isinstance(value, np.ndarray) or is_tensor(value)) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):  # np.bool_ is no Real
        raise UsageError(f"The {name} is a number, not {value!r:.40}.")
    try:
        return float(value)
    except OverflowError:
        raise UsageError(f"The {name} is too large a number.") from None


def pair(name: str, value: Any) -> tuple[int, int]:
    if not isinstance(value, Sequence | np.ndarray) or len(value) != 2:
        raise UsageError(f"The {name} is two whole numbers, not {value!r:.40}.")
    first, second = (whole(f"{name}'s side", side) for side in value)
    return first, second


def region_numbers(value: Any) -> tuple[int, int, int, int]:
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str) or len(value) != 4:
        raise UsageError(f"A region is four whole numbers, x, y, width and height, not {value!r:.60}.")
    x, y, width, height = (whole("region's number", side) for side in value)
    return x, y, width, height


def model_name(name_or_path: Any) -> str | Path:
    if not isinstance(name_or_path, str | PathLike):
        raise UsageError(f"A model is a name or a path, not {name_or_path!r:.40}.")
    return name_or_path if isinstance(name_or_path, str) else Path(name_or_path)


def checked_drawing(drawing: Any, header: Header) -> DrawingOptions:
    """How the picture of a file is drawn. Raises UsageError for files whose pictures are not drawn."""
    if not isinstance(drawing, DrawingOptions):
        raise UsageError(f"How a picture is drawn is said by `DrawingOptions`, not by {type(drawing).__name__}.")
    if header.profile != Profile.SEMANTIC:
        raise UsageError("Only pictures of the profile semantic are drawn, and this file is of another one.")
    return drawing


def checked_tokens(tokens: Any) -> Tokens:
    is_sound = isinstance(tokens, Tokens) and isinstance(tokens.header, Header) and isinstance(tokens.stages, list)
    if not is_sound:
        raise UsageError(f"Tokens are those that `read_tokens` gives, not {type(tokens).__name__}.")
    return tokens
