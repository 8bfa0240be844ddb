"""Rearranging the positions of a plane: attention windows, and the two halves of a checkerboard."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def to_windows(x: Tensor, window: int, parts: int, heads: int) -> Tensor:
    """(B, parts*heads*c, h, w), h and w multiples of `window` -> (B*windows, heads, parts, window**2, c)."""
    x = x.unflatten(3, (-1, window)).unflatten(2, (-1, window)).unflatten(1, (parts, heads, -1))
    # B, parts, heads, c, rows, y, columns, x -> B, rows, columns, heads, parts, y, x, c
    return x.permute(0, 4, 6, 2, 1, 5, 7, 3).flatten(5, 6).flatten(0, 2)


def from_windows(x: Tensor, window: int, shape: torch.Size) -> Tensor:
    """(B*windows, heads, window**2, c) -> (B, heads*c, h, w); `shape` gives B, h and w."""
    batch, _, h, w = shape
    x = x.unflatten(2, (window, window)).unflatten(0, (batch, h // window, w // window))
    x = x.permute(0, 3, 6, 1, 4, 2, 5)
    return x.reshape(batch, -1, h, w).contiguous(memory_format=torch.channels_last)


def checkerboard_half(x: Tensor, parity: int) -> Tensor:
    """The positions with (row + column) % 2 == parity, (B, C, h, w) -> (B, C, h, w/2); h and w even.

    Parity 0 are the anchors, which are coded first; parity 1 the non-anchors (He et al. 2021).
    """
    half: Tensor = _Half.apply(x, parity)
    return half


def join_checkerboard(anchors: Tensor, non_anchors: Tensor | None) -> Tensor:
    """The inverse of `checkerboard_half`: both halves (B, C, h, w/2) -> (B, C, h, w); None for zeros."""
    whole: Tensor = _Join.apply(anchors, non_anchors)
    return whole


def join_slices(halves: Sequence[Tensor]) -> Tensor:
    """Anchors and non-anchors of one slice after the other, as they are coded -> (B, groups of all slices, h, w)."""
    return join_checkerboard(torch.cat(list(halves[::2]), 1), torch.cat(list(halves[1::2]), 1))


class _Half(torch.autograd.Function):
    """`checkerboard_half`. The gradient of one is the other, with zeros for the other half; PyTorch's own of their
    copies would go over the whole plane many times."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, parity: int) -> Tensor:
        ctx.parity = parity
        return _half(x, parity)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return (_join(None, gradient) if ctx.parity else _join(gradient, None)), None


class _Join(torch.autograd.Function):
    """`join_checkerboard`."""

    @staticmethod
    def forward(ctx: Any, anchors: Tensor, non_anchors: Tensor | None) -> Tensor:
        ctx.both = non_anchors is not None
        return _join(anchors, non_anchors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        return _half(gradient, 0), _half(gradient, 1) if ctx.both else None


def _half(x: Tensor, parity: int) -> Tensor:
    half = _like(x, x.shape[3] // 2)
    half[:, :, 0::2] = x[:, :, 0::2, parity::2]
    half[:, :, 1::2] = x[:, :, 1::2, 1 - parity :: 2]
    return half


def _join(anchors: Tensor | None, non_anchors: Tensor | None) -> Tensor:
    """None, for one of both: zeros."""
    given = non_anchors if anchors is None else anchors
    assert given is not None
    whole = _like(given, 2 * given.shape[3])
    if anchors is None or non_anchors is None:
        whole.zero_()
    for half, parity in ((anchors, 0), (non_anchors, 1)):
        if half is not None:
            whole[:, :, 0::2, parity::2] = half[:, :, 0::2]
            whole[:, :, 1::2, 1 - parity :: 2] = half[:, :, 1::2]
    return whole


def _like(x: Tensor, width: int) -> Tensor:
    """An empty tensor of another width, channels last."""
    shape = (*x.shape[:3], width)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
