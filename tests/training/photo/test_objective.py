"""The loss of the visual synthesis."""

from dataclasses import replace
from typing import Literal, NoReturn

import pytest
import torch
from training.photo.small import TOKENIZER, small_networks

from imgcodec.profiles.photo.model import stored_tensors
from imgcodec.training.photo.data import Lambdas
from imgcodec.training.photo.objective import PhotoObjective, PhotoPhase, decode_visually


def test_the_visual_synthesis_trains_with_the_weights_that_a_file_stores() -> None:
    model = small_networks(replace(TOKENIZER, visual=True))
    visual = model.tokenizer.visual
    assert visual is not None
    pixels, level = torch.rand(2, 3, 256, 256), torch.tensor([1.0, 3.0])
    decoded = decode_visually(model, pixels, level)
    decoded.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in visual.parameters())
    trained = {name: weight.detach().clone() for name, weight in visual.named_parameters()}
    for name, weight in visual.named_parameters():
        stored = stored_tensors(f"visual.{name}", weight.detach())
        value = stored[f"visual.{name}"].float() * stored.get(f"visual.{name}.scale", torch.ones(()))
        if weight.dim() == 4 and name != "linear.weight":
            assert not torch.equal(value, trained[name])
            weight.data.copy_(value)
    with torch.no_grad():
        rounded = decode_visually(model, pixels, level)
    assert torch.allclose(rounded, decoded.detach(), atol=1e-5)


@pytest.mark.parametrize("trains", ["all", "prior", "synthesis", "visual"])
def test_no_numbers_come_from_the_cpu(trains: Literal["all", "prior", "synthesis", "visual"]) -> None:
    """Recording for a GPU forbids it (`imgcodec.training.cuda_graph`); a first run may, of what is kept."""
    model = small_networks(replace(TOKENIZER, visual=True, widening=(0.1, 0.3)))
    objective = PhotoObjective(model, PhotoPhase("phase", steps=1, trains=trains, noisy=trains == "all"), Lambdas())
    pixels, level = torch.randint(0, 256, (1, 3, 256, 256), dtype=torch.uint8), torch.tensor([1.0])
    objective(0.0, pixels, level)

    def forbidden(*_: object, **__: object) -> NoReturn:
        raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        for name in ("tensor", "from_numpy", "as_tensor"):
            patch.setattr(torch, name, forbidden)
        loss, _ = objective(0.0, pixels, level)
    assert loss.isfinite()
