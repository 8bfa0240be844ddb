"""The model file of a trained raster model: what its integers cost, and what an order-0 coder would."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from training.raster.small import small_networks

from imgcodec.model_file.model import open_model
from imgcodec.priors.integer.trainable import quantizable
from imgcodec.profiles.raster.model import build_raster_model, round_as_stored
from imgcodec.training.raster.export import export_raster
from imgcodec.training.raster.objective import CropTokens, RasterData, calibrate_prior
from imgcodec.training.raster.recipe import RasterRecipe


def test_export_to_integers_costs_next_to_nothing(trained: Path) -> None:
    report = json.loads(trained.with_name("export.json").read_text())
    assert report["tokens_per_tile"] == [16, 64]
    assert abs(report["float_bits_per_token"][1] - 4) > 0.1  # the digits of a code have 4 bits
    assert report["fake_quantized_bits_per_token"] == pytest.approx(report["float_bits_per_token"], rel=0.01)
    assert report["integer_bits_per_token"] == pytest.approx(report["fake_quantized_bits_per_token"], rel=0.01)
    assert 0 < report["order0_bits_per_token"][0] <= 4
    weighted = np.dot(report["integer_bits_per_token"], report["tokens_per_tile"]) / 256**2
    assert weighted == pytest.approx(report["integer_bpp"])
    assert report["saved_under_order0"] == pytest.approx(1 - report["integer_bpp"] / report["order0_bpp"])


def test_the_file_has_the_weights_of_the_model(recipe: RasterRecipe, data: RasterData, tmp_path: Path) -> None:
    model = small_networks(recipe).eval()
    calibrate_prior(model.prior, CropTokens(model.tokenizer, data), 2)
    exact = export_raster("snac", model.tokenizer, model.prior, tmp_path / "new" / "snac.safetensors")
    loaded = build_raster_model(open_model(str(tmp_path / "new" / "snac.safetensors")), "cpu")
    for name, tensor in exact.state_dict().items():
        assert torch.equal(loaded.prior.state_dict()[name], tensor), name
    round_as_stored(model.tokenizer)
    for name, parameter in model.tokenizer.named_parameters():
        assert torch.equal(loaded.tokenizer.get_parameter(name), parameter), name
    assert any(layer.quantized for layer in quantizable(model.prior))  # the one in training is as before
