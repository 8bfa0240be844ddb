"""The walk gives a coder what the prior predicts, as integers in NumPy, and takes the tokens of the tile alone."""

import numpy as np
import torch
from priors.photo.small import CONFIG, GROUPS, exact_prior, exactly

from imgcodec.priors.photo.torch_walk import TorchWalk


def test_parameters_are_those_of_the_prior_for_the_same_tokens():
    rng, steps = np.random.default_rng(0), {}
    given = [np.zeros((1, g, 4 * f, 4 * f), np.float32) for g, f in zip(GROUPS, (1, 4), strict=True)]

    def code(stage, first, groups, numbers, parity):
        assert numbers.dtype == np.int32
        steps[stage, first, parity] = numbers
        rows, columns = (3, 1) if stage == 0 else (11, 3)  # less than the half of a padded plane
        tokens = rng.integers(-20, 21, (groups, rows, columns)).astype(np.int32)
        for row in range(rows):
            part = given[stage][0, first : first + groups, row, (row + parity) % 2 :: 2]
            part[:, :columns] = tokens[:, row]
        return tokens

    TorchWalk(exact_prior())((3, 3), 9000, code)
    assert len(steps) == 2 * sum(map(len, CONFIG.slices))

    def whole():
        expected = {}

        def again(stage, first, groups, numbers, parity):
            expected[stage, first, parity] = numbers.clone()
            half = torch.zeros(1, groups, *numbers.shape[2:])
            for row in range(half.shape[2]):
                values = torch.from_numpy(given[stage])[0, first : first + groups, row, (row + parity) % 2 :: 2]
                half[0, :, row] = values
            return half

        exact_prior()((1, 3, 3), 9000, again)
        return expected

    expected = exactly(whole)
    assert steps.keys() == expected.keys()
    assert all(np.array_equal(steps[k], expected[k][0].numpy()) for k in steps)
