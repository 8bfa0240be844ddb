"""One walk over the tokens of a tile, for writing and for reading: whichever the coders do."""

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
    """What a walk passes values through: an encoder, a decoder, or one that chooses values for an encoder to come."""

    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s:
        """Values (n,) to be written, with the table of each; None where they are read -> what they are."""


def walk_tile(
    prior: PhotoPrior,
    coders: Sequence[Coder],
    sizes: Sequence[tuple[int, ...]],
    quality: int,
    tokens: Sequence[NDArray[np.int16] | NDArray[np.float16]] | None,
    zero: int,
) -> list[NDArray[np.int16]]:
    """Codes a tile's tokens, stage by stage, slice by slice, colour by colour of the checkerboard.

    coders: one a stage; fewer than the prior has stages stops early. sizes: (rows, columns) of each stage's tokens.
    quality: the header's, 0..25600, plus TUNE_UNITS for the second tune. tokens: (groups, rows, columns) a stage to be
    written; None to read; real numbers, 0 for the zero codeword, for a coder that chooses tokens itself. zero: index of
    the zero codeword.

    Returns the tokens. Places beyond `sizes`, up to whole windows, are not coded: they are zero. Raises
    InvalidFileError where the coders give what no encoder writes. To be called inside `exact_arithmetic`.
    """
    device = prior.coarse.start.rows.device
    groups = [sum(s) for s in prior.config.slices]
    done = [np.full((g, *size), zero, np.int16) for g, size in zip(groups, sizes, strict=True)]

    def code(stage: int, first: int, count: int, parameters: Tensor, phase: int) -> Tensor:
        places = _places(*sizes[stage], phase)
        numbers = places.of_packed(parameters[0].to(torch.int32).cpu())
        centre, table = centre_and_table(numbers[:count], numbers[count:])
        values: Numbers | None = None
        if tokens is not None:
            given = places.of_tile(tokens[stage][first : first + count])
            if given.dtype == np.int16:
                values = (given.astype(np.int32) - zero - centre).ravel()
            else:  # PyTorch widens half floats several times as fast as NumPy
                values = (torch.from_numpy(given).float().numpy() - centre.astype(np.float32)).ravel()
        coded = coders[stage].code(values, table.ravel()).reshape(centre.shape) + centre
        if coded.size and (int(coded.min()) < -zero or int(coded.max()) > zero):
            raise InvalidFileError("The file is damaged: it has a token that no codebook knows.")
        rectangle = places.to_rectangle(coded)
        places.to_tile(rectangle + zero, done[stage][first : first + count])
        shape = (1, count, *parameters.shape[2:])
        packed = torch.empty(shape, device=device, memory_format=torch.channels_last).zero_()
        packed[0, :, : places.rows, : places.width] = torch.from_numpy(rectangle).to(device)
        return packed

    prior((1, *sizes[0]), quality, code, stages=len(coders))
    return done[: len(coders)]


class _Places:
    """The coded places of one colour of the checkerboard, in a tile of so many rows and columns.

    Packed (`imgcodec.priors.photo.windows.pack`), they are a rectangle of all rows and half of the columns. Where these
    are odd, every second row is a place shorter, and what is at its end is left out.
    """

    def __init__(self, rows: int, columns: int, phase: int) -> None:
        self.rows, self.width, self.phase = rows, -(-columns // 2), phase
        self._full: NDArray[np.intp] | None = None  # which places of the rectangle are in the tile; None for all
        if columns % 2:
            y, x = np.indices((rows, self.width))
            self._full = np.flatnonzero(2 * x + (y + phase) % 2 < columns)

    def of_packed(self, packed: Tensor) -> NDArray[np.int32]:
        """(C, h, w / 2), where all of a padded tile is -> (C, n)."""
        return self._flat(packed[:, : self.rows, : self.width].contiguous().numpy())

    def of_tile(self, tile: NDArray[Any]) -> NDArray[Any]:
        """(C, rows, columns) -> (C, n)."""
        rectangle = np.zeros((len(tile), self.rows, self.width), tile.dtype)
        for every_second in (0, 1):
            part = tile[:, every_second::2, every_second ^ self.phase :: 2]
            rectangle[:, every_second::2, : part.shape[2]] = part
        return self._flat(rectangle)

    def to_rectangle(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """(C, n) -> (C, rows, width), zeros at what is left out."""
        if self._full is None:
            return values.reshape(len(values), self.rows, self.width)
        rectangle = np.zeros((len(values), self.rows * self.width), values.dtype)
        rectangle[:, self._full] = values
        return rectangle.reshape(len(values), self.rows, self.width)

    def to_tile(self, rectangle: NDArray[np.int32], tile: NDArray[np.int16]) -> None:
        """Puts (C, rows, width) into the places that they have in a tile."""
        for every_second in (0, 1):
            part = tile[:, every_second::2, every_second ^ self.phase :: 2]
            part[:] = rectangle[:, every_second::2, : part.shape[2]]

    def _flat(self, rectangle: NDArray[Any]) -> NDArray[Any]:
        flat = rectangle.reshape(len(rectangle), -1)
        return flat if self._full is None else flat[:, self._full]


_places = lru_cache(maxsize=64)(_Places)
