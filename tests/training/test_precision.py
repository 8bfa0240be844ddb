"""Training in bfloat16: where the processor has instructions for it, and nowhere else."""

import pytest
import torch

from imgcodec.training import precision


@pytest.mark.parametrize(("native", "mixed"), [(True, True), (True, False), (False, True)])
def test_convolutions_are_in_bfloat16_where_it_is_faster(monkeypatch, native, mixed):
    monkeypatch.setattr(precision, "bfloat16_is_native", lambda: native)
    with torch.no_grad(), precision.mixed_precision(torch.device("cpu"), mixed):
        found = torch.conv2d(torch.ones(1, 16, 4, 4), torch.ones(16, 16, 3, 3)).dtype
    assert found == (torch.bfloat16 if native and mixed else torch.float32)


def test_other_devices_have_it(monkeypatch):
    monkeypatch.setattr(precision, "bfloat16_is_native", lambda: False)
    monkeypatch.setattr(torch, "autocast", lambda *asked: asked)  # there may be no such device here
    assert precision.mixed_precision(torch.device("cuda")) == ("cuda", torch.bfloat16, True)
