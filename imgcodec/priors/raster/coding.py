"""Coding the tokens of equal tiles: one function writes and reads them, with encoders or decoders."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgcodec.bitstream.entropy import RangeCoder
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.priors.raster.logits import weights_of
from imgcodec.priors.raster.protocol import DigitPosition, RasterPrior, from_digits, to_digits


def code_tiles(
    prior: RasterPrior,
    coders: Sequence[Sequence[RangeCoder]],
    sizes: Sequence[tuple[int, int]],
    tokens: Sequence[NDArray[np.integer]] | None,
    codebook_size: int,
) -> list[NDArray[np.int32]]:
    """Codes the tokens of a batch of equal tiles, digit by digit, each tile with coders of its own.

    coders: one per stage for each tile; fewer than there are stages stops early. sizes: (rows, columns) of each stage's
    tokens. tokens: to be written, (tiles, rows, columns) per stage, 0..codebook_size - 1; None to read.

    Returns the tokens. Raises InvalidFileError where the coders give what no encoder writes. To be called inside
    `exact_arithmetic`, with an exact prior.
    """
    stages, last = len(coders[0]), len(prior.digits) - 1
    given = None if tokens is None else [to_digits(torch.from_numpy(np.int64(t)), prior.digits).numpy() for t in tokens]
    read: list[NDArray[np.int32]] = []

    def code(at: DigitPosition, logits: Tensor) -> Tensor:
        weights = weights_of(logits.to("cpu", torch.int64).numpy()).astype(np.float64)
        symbols = None if given is None else given[at.stage][:, at.row, at.column, at.digit]
        coded = [
            of_tile[at.stage].code_weights(None if symbols is None else symbols[i : i + 1], weights[i : i + 1])
            for i, of_tile in enumerate(coders)
        ]
        values = np.concatenate(coded)
        read.append(values)
        if at.digit == last:
            digits = torch.from_numpy(np.stack(read, -1).astype(np.int64))
            if int(from_digits(digits, prior.digits).max()) >= codebook_size:
                raise InvalidFileError("The file is damaged: it has a token that no codebook knows.")
            read.clear()
        return torch.from_numpy(values.astype(np.int64)).to(logits.device)

    done = prior.step_through(len(coders), list(sizes[:stages]), code)
    return [t.cpu().numpy().astype(np.int32) for t in done]
