"""Integer priors in model files: built again from their tensors, they have the numbers that were stored."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from imgcodec.model_file.integer_prior import exact_prior, stored_integer
from imgcodec.model_file.model import ModelFile, open_model
from imgcodec.model_file.untrusted import checked_config
from imgcodec.priors.integer.exact import operand_fractions
from imgcodec.priors.photo.config import PhotoPriorConfig
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.profiles.raster.model import build_prior

GOLDEN = Path(__file__).parents[1] / "golden"


def opened(name: str) -> ModelFile:
    return open_model(GOLDEN / f"{name}.safetensors")


def unfilled(file: ModelFile) -> nn.Module:
    """The prior of a model file as training has it, without numbers."""
    config = file.config["prior"]
    with torch.device("meta"):
        return build_prior(config) if "kind" in config else PhotoPrior(checked_config(PhotoPriorConfig, config))


@pytest.mark.parametrize("name", ["tiny", "snac", "svqvae", "bsq", "pixelcnn"])
def test_a_prior_has_the_numbers_of_its_file(name: str) -> None:
    file = opened(name)
    prior = exact_prior(unfilled(file), file.config["fractions"], file.tensors)
    stored = {n.removeprefix("prior."): t for n, t in file.tensors.items() if n.startswith("prior.")}
    assert prior.state_dict().keys() == stored.keys()
    for n, tensor in prior.state_dict().items():
        assert torch.equal(tensor.double(), stored[n].double()), n
        assert torch.equal(stored_integer(n, tensor), stored[n]), n
        assert stored_integer(n, tensor).dtype == stored[n].dtype
    assert json.loads(json.dumps(operand_fractions(prior))) == file.config["fractions"]


@pytest.mark.parametrize("name", ["tiny", "bsq"])
def test_what_does_not_fit_is_refused(name: str) -> None:
    file = opened(name)
    fractions = file.config["fractions"]
    for tensor in [n for n in file.tensors if n.startswith("prior.")][::7]:
        with pytest.raises(KeyError, match=tensor):
            exact_prior(unfilled(file), fractions, {n: t for n, t in file.tensors.items() if n != tensor})
        with pytest.raises(ValueError, match=f"{tensor} has shape"):
            exact_prior(unfilled(file), fractions, {**file.tensors, tensor: file.tensors[tensor][None]})
    for layer in list(fractions)[::7]:
        with pytest.raises(KeyError, match=layer):
            exact_prior(unfilled(file), {n: f for n, f in fractions.items() if n != layer}, file.tensors)


def test_weights_and_shifts_are_stored_in_eight_bits() -> None:
    whole = torch.tensor([-127.0, 0, 127])
    assert stored_integer("fine.blocks.0.expand.weight", whole).dtype == torch.int8
    assert stored_integer("fine.blocks.0.expand.shift", whole).dtype == torch.int8
    bias = stored_integer("fine.blocks.0.expand.bias", whole * 2**16)
    assert (bias.dtype, bias.tolist()) == (torch.int32, [-127 * 2**16, 0, 127 * 2**16])
