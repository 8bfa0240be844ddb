"""One walk over the tokens of a tile, for writing and for reading: whichever the coders do."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgcodec.bitstream.entropy import Numbers, RangeCoder
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.priors.tables import centre_and_table
from imgcodec.priors.transformer import Prior
from imgcodec.priors.windows import pack


def walk_tile(
    prior: Prior,
    coders: Sequence[RangeCoder],
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
        rows, columns = sizes[stage]
        height, half = parameters.shape[2:]
        places = _places(height, 2 * half, rows, columns, phase)
        numbers = parameters[0].flatten(1)[:, places.flat].to(torch.int32).cpu().numpy()
        centre, table = centre_and_table(numbers[:count], numbers[count:])
        grid = done[stage][first : first + count]
        values: Numbers | None = None
        if tokens is not None:
            given = tokens[stage][first : first + count, places.rows, places.columns]
            if given.dtype == np.int16:
                values = (given.astype(np.int32) - zero - centre).ravel()
            else:
                values = (given.astype(np.float32) - centre.astype(np.float32)).ravel()
        coded = coders[stage].code(values, table.ravel()).reshape(centre.shape) + centre
        if coded.size and (int(coded.min()) < -zero or int(coded.max()) > zero):
            raise InvalidFileError("The file is damaged: it has a token that no codebook knows.")
        grid[:, places.rows, places.columns] = coded + zero
        result = torch.zeros(count, height * half, device=device)
        result[:, places.flat] = torch.from_numpy(coded.astype(np.float32)).to(device)
        return result.reshape(1, count, height, half).contiguous(memory_format=torch.channels_last)

    prior((1, *sizes[0]), quality, code, stages=len(coders))
    return done[: len(coders)]


class _Places:
    """Where one colour's coded places are: in the packed grid of that colour (`flat`), and in the tile."""

    def __init__(self, height: int, width: int, rows: int, columns: int, phase: int) -> None:
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        y, x = (pack(t[None, None].float(), phase).flatten().long() for t in (y, x))
        self.flat = torch.nonzero((y < rows) & (x < columns)).flatten()
        self.rows, self.columns = y[self.flat].numpy(), x[self.flat].numpy()


_places = lru_cache(maxsize=64)(_Places)
