"""Sizes of the prior that fit together, and the displacements in a window."""

import pytest
import torch

from imgcodec.priors.photo.config import relative_offsets


@pytest.mark.parametrize("window", [1, 2, 5])
def test_every_displacement_has_a_number_of_its_own(window):
    offsets = torch.from_numpy(relative_offsets(window))
    count = (2 * window - 1) ** 2
    place = torch.cartesian_prod(torch.arange(window), torch.arange(window)).view(-1, 2)
    displacement = place[:, None] - place
    numbers = {}
    for pair, number in zip(displacement.view(-1, 2).tolist(), offsets.flatten().tolist(), strict=True):
        assert numbers.setdefault(tuple(pair), number) == number
    assert sorted(numbers.values()) == list(range(count))
    assert torch.equal(offsets + offsets.T, torch.full_like(offsets, count - 1))  # there and back are mirrored
