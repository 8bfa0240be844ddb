"""The raster priors, written from the specification alone, give the logits and weights of the program."""

from dataclasses import asdict

import numpy as np
import pytest
from priors.raster.small import NAMES, exact_prior, random_tokens, sizes_of, stepped_logits
from reader import raster_prior as page

from imgcodec.priors.integer.exact import exact_arithmetic, operand_fractions
from imgcodec.priors.raster.logits import weights_of


@pytest.mark.parametrize("name", NAMES)
def test_logits_and_weights_are_those_of_the_program(name):
    prior = exact_prior(name)
    tensors = {n: t.long().tolist() for n, t in prior.state_dict().items()}
    described = page.Prior(asdict(prior.config), operand_fractions(prior), tensors)
    compute = page.pixelcnn if hasattr(prior.config, "num_codes") else page.raster
    tokens = random_tokens(prior, 1, sizes_of(prior, 3, 4), 8)
    with exact_arithmetic():
        logits = stepped_logits(prior, tokens)
    positions = compute(described, [t[0].tolist() for t in tokens])
    for stage in logits:
        _, _, rows, columns = stage[0].shape
        for row in range(rows):
            for column in range(columns):
                given = positions.pop(0)
                for digit, of_digit in zip(given, stage, strict=True):
                    expected = of_digit[0, :, row, column].long()
                    assert digit == expected.tolist()
                    assert page.weights(digit) == weights_of(np.array([digit]))[0].tolist()
    assert not positions
