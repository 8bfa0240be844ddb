"""The list of a prior's layers is PyTorch's, in its order, and refuses what does not fit or is not exact."""

import re
from dataclasses import replace

import numpy as np
import pytest
from graphs.graph_models import TINY
from priors.photo.small import CONFIG, exact_prior

from imgcodec.graphs.prior_layers import check_prior, prior_layers
from imgcodec.graphs.tensors import StoredTensor
from imgcodec.model_file.contents import open_contents
from imgcodec.model_file.untrusted import checked_config
from imgcodec.priors.integer import exact
from imgcodec.priors.integer.constants import BoundError
from imgcodec.priors.photo.config import PhotoPriorConfig

KINDS = {
    exact.ExactLinear: "linear",
    exact.ExactDepthwise: "depthwise",
    exact.ExactAttention: "attention",
    exact.ExactLevelTable: "rows",
}


@pytest.fixture
def model():
    """Configuration, fractions and tensors of the tiny prior, free to be changed."""
    contents = open_contents(TINY)
    config = checked_config(PhotoPriorConfig, contents.config["prior"])
    return config, dict(contents.config["fractions"]), dict(contents.tensors)


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_layers_are_those_of_pytorch_in_their_order(tiny_codec, name):
    config, prior = (CONFIG, exact_prior()) if name == "small" else (tiny_codec.photo.prior_config, tiny_codec.prior)
    expected = []
    for path, layer in prior.named_modules():
        if type(layer) in KINDS:
            numbers = {"attention": "position", "rows": "rows"}.get(KINDS[type(layer)], "weight")
            shape = tuple(getattr(layer, numbers).shape)
            fractions = getattr(layer, "fraction", getattr(layer, "fractions", None))
            expected.append((path, KINDS[type(layer)], shape, getattr(layer, "positive", False), fractions is not None))
    found = [(i.name, i.kind, i.shape, i.positive, i.has_operand and i.kind != "rows") for i in prior_layers(config)]
    assert found == expected


def test_the_tiny_prior_passes(model):
    check_prior(*model)


def test_each_tensor_is_looked_for_and_has_one_shape(model):
    config, fractions, tensors = model
    names = [name for name in tensors if name.startswith("prior.")]
    for name in names[::7]:
        others = {n: tensor for n, tensor in tensors.items() if n != name}
        with pytest.raises(KeyError, match=re.escape(name)):
            check_prior(config, fractions, others)
        more = replace(tensors[name], shape=(1, *tensors[name].shape))
        with pytest.raises(ValueError, match=re.escape(name)):
            check_prior(config, fractions, {**tensors, name: more})


def test_each_fraction_is_looked_for_and_bounded(model):
    config, fractions, tensors = model
    for name, fraction in list(fractions.items())[::5]:
        others = {n: f for n, f in fractions.items() if n != name}
        with pytest.raises((KeyError, ValueError)):
            check_prior(config, others, tensors)
        wrong = [99, 0, 0] if isinstance(fraction, list) else 99
        with pytest.raises(BoundError, match="unit of an operand"):
            check_prior(config, {**fractions, name: wrong}, tensors)
    with pytest.raises(ValueError, match=r"heads\.0\.embed"):
        check_prior(config, {**fractions, "fine.heads.0.embed": 4}, tensors)


def changed(tensor, value):
    numbers = np.array(tensor.numpy())
    numbers.flat[0] = value
    return StoredTensor(tensor.type, tensor.shape, numbers.tobytes())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("coarse.blocks.0.expand.weight", -128),
        ("coarse.blocks.0.expand.shift", 25),
        ("coarse.blocks.0.expand.bias", 2**24),
        ("fine.heads.1.bias.rows", 2**24),
        ("between.attention.position", 2**12),
        ("coarse.start.rows", 2**24 - 1),  # alone it is exact, and with the others it is not
    ],
)
def test_numbers_that_could_be_inexact_are_refused(model, name, value):
    config, fractions, tensors = model
    tensors[f"prior.{name}"] = changed(tensors[f"prior.{name}"], value)
    with pytest.raises(BoundError):
        check_prior(config, fractions, tensors)
