"""Coding the tokens of a tile: one function writes and reads them, with encoders or decoders."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgcodec.bitstream.entropy import Int32s, Numbers
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.priors.photo.tables import centre_and_table
from imgcodec.priors.photo.transformer import PhotoPrior


class Coder(Protocol):
    """What `code_tile` passes values through: an encoder, a decoder, or a quantizer that writes nothing."""

    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s:
        """Values (n,) to be written, with the table of each; None where they are read -> what they are."""


def code_tile(
    prior: PhotoPrior,
    coders: Sequence[Coder],
    sizes: Sequence[tuple[int, ...]],
    quality: int,
    tokens: Sequence[NDArray[np.int16] | NDArray[np.float16]] | None,
    zero: int,
) -> list[NDArray[np.int16]]:
    """Codes a tile's tokens, stage by stage, slice by slice, anchors before non-anchors.

    coders: one per stage; fewer than the prior has stages stops early. sizes: (rows, columns) of each stage's tokens.
    quality: the header's, 0..25600, plus TUNE_UNITS for the second tune. tokens: to be written, (groups, rows, columns)
    per stage, or centred real numbers for a coder that chooses tokens itself; None to read. zero: index of the zero
    codeword.

    Returns the tokens. Positions beyond `sizes`, up to whole windows, are not coded: they are zero. Raises
    InvalidFileError where the coders give what no encoder writes. To be called inside `exact_arithmetic`.
    """
    device = prior.coarse.start.rows.device
    groups = [sum(s) for s in prior.config.slices]
    done = [np.full((g, *size), zero, np.int16) for g, size in zip(groups, sizes, strict=True)]

    def code(stage: int, first: int, count: int, parameters: Tensor, parity: int) -> Tensor:
        half = _half(*sizes[stage], parity)
        numbers = half.of_plane(parameters[0].to(torch.int32).cpu())
        centre, table = centre_and_table(numbers[:count], numbers[count:])
        values: Numbers | None = None
        if tokens is not None:
            given = half.of_tile(tokens[stage][first : first + count])
            if given.dtype == np.int16:
                values = (given.astype(np.int32) - zero - centre).ravel()
            else:  # PyTorch widens half floats several times as fast as NumPy
                values = (torch.from_numpy(given).float().numpy() - centre.astype(np.float32)).ravel()
        coded = coders[stage].code(values, table.ravel()).reshape(centre.shape) + centre
        if coded.size and (int(coded.min()) < -zero or int(coded.max()) > zero):
            raise InvalidFileError("The file is damaged: it has a token that no codebook knows.")
        rectangle = half.to_rectangle(coded)
        half.to_tile(rectangle + zero, done[stage][first : first + count])
        shape = (1, count, *parameters.shape[2:])
        plane = torch.empty(shape, dtype=torch.float32, device=device, memory_format=torch.channels_last).zero_()
        plane[0, :, : half.rows, : half.width] = torch.from_numpy(rectangle).to(device)
        return plane

    prior((1, *sizes[0]), quality, code, stages=len(coders))
    return done[: len(coders)]


class _CheckerboardHalf:
    """The coded positions of one half of the checkerboard, in a tile of so many rows and columns; n of them.

    In a `checkerboard_half` they are a rectangle of all rows and half of the columns. Where the number of columns is
    odd, every second row has one position less, and the last one of the rectangle is left out.
    """

    def __init__(self, rows: int, columns: int, parity: int) -> None:
        self.rows, self.width, self.parity = rows, -(-columns // 2), parity
        self._full: NDArray[np.intp] | None = None  # positions of the rectangle that are in the tile; None for all
        if columns % 2:
            y, x = np.indices((rows, self.width))
            self._full = np.flatnonzero(2 * x + (y + parity) % 2 < columns)

    def of_plane(self, plane: Tensor) -> NDArray[np.int32]:
        """A `checkerboard_half` (C, h, w / 2) of the padded tile -> (C, n)."""
        return self._flat(plane[:, : self.rows, : self.width].contiguous().numpy())

    def of_tile(self, tile: NDArray[Any]) -> NDArray[Any]:
        """(C, rows, columns) -> (C, n)."""
        rectangle = np.zeros((len(tile), self.rows, self.width), tile.dtype)
        for row in (0, 1):
            part = tile[:, row::2, row ^ self.parity :: 2]
            rectangle[:, row::2, : part.shape[2]] = part
        return self._flat(rectangle)

    def to_rectangle(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """(C, n) -> (C, rows, width), zeros where a position is left out."""
        if self._full is None:
            return values.reshape(len(values), self.rows, self.width)
        rectangle = np.zeros((len(values), self.rows * self.width), values.dtype)
        rectangle[:, self._full] = values
        return rectangle.reshape(len(values), self.rows, self.width)

    def to_tile(self, rectangle: NDArray[np.int32], tile: NDArray[np.int16]) -> None:
        """Puts (C, rows, width) at their positions in a tile (C, rows, columns)."""
        for row in (0, 1):
            part = tile[:, row::2, row ^ self.parity :: 2]
            part[:] = rectangle[:, row::2, : part.shape[2]]

    def _flat(self, rectangle: NDArray[Any]) -> NDArray[Any]:
        flat = rectangle.reshape(len(rectangle), -1)
        return flat if self._full is None else flat[:, self._full]


_half = lru_cache(maxsize=64)(_CheckerboardHalf)
