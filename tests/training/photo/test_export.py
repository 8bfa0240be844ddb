"""The model file of a trained `photo` model: it costs the bits that training promised."""

import json
from pathlib import Path

import numpy as np
import pytest
from training.photo.small import small_model

from imgcodec.priors.integer.trainable import calibrate, exported
from imgcodec.priors.photo.tables import HALF, SCALES, UNIT
from imgcodec.profiles.photo.model import load_photo_model
from imgcodec.training.photo.export import symbol_counts
from imgcodec.training.photo.phases import calibration_pass
from imgcodec.training.photo.recipe import PhotoRecipe


def test_export_to_integers_costs_next_to_nothing(trained: Path) -> None:
    rates = json.loads(trained.with_name("export.json").read_text())
    assert rates["float_bpp"] > 0
    assert rates["fake_quantized_bpp"] == pytest.approx(rates["float_bpp"], rel=0.01)
    assert rates["integer_bpp"] == pytest.approx(rates["fake_quantized_bpp"], rel=0.01)


def test_the_file_has_the_sizes_and_lambdas_of_the_recipe(trained: Path, recipe: PhotoRecipe) -> None:
    model = load_photo_model(str(trained))
    assert (model.tokenizer.config, model.prior.config) == (recipe.tokenizer, recipe.prior)
    assert model.lambdas == (recipe.lambdas.lowest, recipe.lambdas.highest)


def test_every_token_is_counted_once(recipe: PhotoRecipe, folder: Path) -> None:
    model, data = small_model(recipe, folder)
    calibrate(model.prior, lambda: calibration_pass(model, data, 1))
    counts = symbol_counts(model.tokenizer, exported(model.prior), data.photographs, 2, np.random.default_rng(0))
    assert counts.shape == (SCALES * UNIT, 2 * HALF + 2)
    coarse, fine = recipe.tokenizer.channels
    assert counts.sum() == 2 * (coarse * (256 // 64) ** 2 + fine * (256 // 16) ** 2)
