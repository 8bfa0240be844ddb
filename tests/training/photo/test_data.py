"""What models learn from: lambdas, and crops that a GPU cuts."""

import numpy as np
import pytest
import torch

from imgcodec.training.data import random_crops
from imgcodec.training.photo import data as photo_data
from imgcodec.training.photo.data import Lambdas, PhotoData


def test_lambdas_are_the_ends_and_evenly_spaced_logarithms_between() -> None:
    found = Lambdas(0.001, 0.128).at(torch.tensor([0.0, 1.0, 3.5, 7.0]), 8)
    torch.testing.assert_close(found, torch.tensor([0.001, 0.002, 0.001 * 2**3.5, 0.128]))


@pytest.mark.parametrize(("free", "where"), [(2 * 3 * 16 * 16, "GPU"), (2 * 3 * 16 * 16 - 1, "processor")])
def test_a_gpu_cuts_crops_if_it_has_room_for_the_photographs(
    free: int, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crops:
        def __init__(self, *_: object) -> None: ...
        def random_crops(self, size: int, batch: int, rng: np.random.Generator) -> str:
            return "GPU"

    monkeypatch.setattr(photo_data, "CropsOnDevice", Crops)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    photograph = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    data = PhotoData([photograph], [], device=torch.device("cuda"))
    crops = data.random_crops(8, 2, np.random.default_rng(2))
    if where == "GPU":
        assert crops == "GPU"
    else:
        assert torch.equal(crops, random_crops([photograph], 8, 2, np.random.default_rng(2)))
