"""The list of a tokenizer's tensors is PyTorch's, and refuses what does not fit."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from graphs.graph_models import TINY

from imgcodec.graphs.tensors import StoredTensor
from imgcodec.graphs.tokenizer_tensors import check_tokenizer, tokenizer_shapes
from imgcodec.model_file.contents import open_contents
from imgcodec.model_file.untrusted import checked_config
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import RVQConfig


@pytest.mark.parametrize(
    "config",
    [
        RVQConfig(),
        RVQConfig(visual=True, analysis_blocks=(0, 3), synthesis_blocks=(2, 0)),
        RVQConfig(
            channels=(3, 5),
            codebooks=(3, 1),
            codes=11,
            levels=3,
            width_coarse=6,
            width_fine=4,
            visual=True,
            widening=(0.0, 0.2),
            width_filter=6,
            filter_blocks=2,
        ),
    ],
)
def test_shapes_are_those_of_pytorch(config):
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in ResidualVQ(config).state_dict().items()}
    assert dict(tokenizer_shapes(config)) == expected


@pytest.fixture
def model():
    contents = open_contents(TINY)
    return checked_config(RVQConfig, contents.config["tokenizer"]), dict(contents.tensors)


def test_the_tiny_tokenizer_passes(model):
    check_tokenizer(*model)


def test_each_tensor_is_looked_for_and_has_one_shape(model):
    config, tensors = model
    for name, _ in list(tokenizer_shapes(config))[::5]:
        path = f"tokenizer.{name}"
        with pytest.raises(KeyError, match=re.escape(path)):
            check_tokenizer(config, {n: tensor for n, tensor in tensors.items() if n != path})
        with pytest.raises(ValueError, match=re.escape(path)):
            check_tokenizer(config, {**tensors, path: replace(tensors[path], shape=(*tensors[path].shape, 1))})


def test_a_scale_of_another_shape_is_refused(model):
    config, tensors = model
    scale = StoredTensor("F32", (1,), np.float32(1).tobytes())
    with pytest.raises(ValueError, match=r"linear\.weight\.scale"):
        check_tokenizer(config, {**tensors, "tokenizer.analysis.linear.weight.scale": scale})


@pytest.mark.parametrize(("place", "value"), [(0, 0.0), (255, 0.25), (3, float("nan"))])
def test_a_codeword_far_from_its_place_is_refused(model, place, value):
    config, tensors = model
    books = np.array(tensors["tokenizer.codebooks.1"].numpy())
    books[2, place] = value
    changed = StoredTensor("F16", books.shape, books.tobytes())
    with pytest.raises(ValueError, match="codeword"):
        check_tokenizer(config, {**tensors, "tokenizer.codebooks.1": changed})


def test_negative_contrast_is_refused(model):
    config, tensors = model
    numbers = np.linspace(-1e-3, 1, config.channels[1], dtype="<f4")
    contrast = StoredTensor("F32", numbers.shape, numbers.tobytes())
    with pytest.raises(ValueError, match="contrast"):
        check_tokenizer(replace(config, widening=(0.1, 0.0)), {**tensors, "tokenizer.contrast": contrast})
