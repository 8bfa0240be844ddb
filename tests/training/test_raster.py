"""Small runs of the training of raster tokenizers and of their priors."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from small_raster_recipe import SMALL_SNAC

import imgcodec
from imgcodec import UsageError
from imgcodec.bitstream import container
from imgcodec.profiles.raster.model import build_prior, build_tokenizer
from imgcodec.training.data import load_photographs
from imgcodec.training.loop import Phase
from imgcodec.training.raster import recipe as raster_recipe
from imgcodec.training.raster.objective import (
    CropTokens,
    LossWeights,
    RasterData,
    RasterNetworks,
    RasterPhase,
    TokenizerObjective,
    cross_entropy_bits,
    order0,
    order0_lengths,
    train_prior,
    train_tokenizer,
)
from imgcodec.training.raster.recipe import RasterRecipe
from imgcodec.training.recipe import read_recipe, train

RECIPES = Path(__file__).parents[2] / "recipes"
RASTER_MODELS = ["snac", "svqvae", "bsq", "pixelcnn"]


@pytest.fixture(scope="module")
def recipe() -> RasterRecipe:
    recipe = read_recipe(RECIPES / "snac.toml", SMALL_SNAC)
    assert isinstance(recipe, RasterRecipe)
    return recipe


@pytest.fixture(scope="module")
def data(folder: Path) -> RasterData:
    photographs = load_photographs([folder], 256)
    tiles = torch.stack([torch.from_numpy(p[:256, :256].copy()).permute(2, 0, 1) for p in photographs[:2]])
    return RasterData(photographs[2:], tiles, crop=64, batch=2, token_crops=4)


def small_networks(recipe: RasterRecipe) -> RasterNetworks:
    torch.manual_seed(0)
    return RasterNetworks(build_tokenizer(recipe.tokenizer), build_prior(recipe.prior))


@pytest.fixture(scope="module", autouse=True)
def _short_starts() -> Iterator[None]:
    """The same code on fewer crops: how good a model is does not matter here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster_recipe, "INIT_CROPS", 16)
        yield


@pytest.fixture(scope="module")
def trained(recipe: RasterRecipe, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model, beside what its training left. Its prior is not good, but says something."""
    output = tmp_path_factory.mktemp("trained")
    _, prior, quantized = recipe.phases
    phases = (recipe.phases[0], replace(prior, steps=15, rate=0.02, warmup=1), quantized)
    return train(replace(recipe, phases=phases), [folder], None, output, resume=False, start=None)


def test_a_recipe_becomes_a_model_that_compresses(trained: Path, folder: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    report = json.loads(trained.with_name("export.json").read_text())
    assert report["tokens_per_tile"] == [16, 64]
    assert abs(report["float_bits_per_token"][1] - 4) > 0.1  # the digits of a code have 4 bits
    assert report["fake_quantized_bits_per_token"] == pytest.approx(report["float_bits_per_token"], rel=0.01)
    assert report["integer_bits_per_token"] == pytest.approx(report["fake_quantized_bits_per_token"], rel=0.01)
    assert 0 < report["order0_bits_per_token"][0] <= 4
    weighted = np.dot(report["integer_bits_per_token"], report["tokens_per_tile"]) / 256**2
    assert weighted == pytest.approx(report["integer_bpp"])
    model = imgcodec.load_model(str(trained))
    picture = np.asarray(Image.open(folder / "3.png"))
    restored = np.asarray(model.decompress(model.compress(picture)))
    assert restored.shape == picture.shape
    for phase, expected in (("tokenizer", "reconstruction"), ("prior", "samples")):
        events = EventAccumulator(str(trained.parent / "log" / phase))
        events.Reload()
        assert expected in events.Tags()["images"]
        assert {"tokenizer": "validation/psnr", "prior": "validation/bpp"}[phase] in events.Tags()["scalars"]


def test_finished_phases_are_read_back(trained: Path, recipe: RasterRecipe, folder: Path, tmp_path: Path) -> None:
    for phase in recipe.phases:
        shutil.copy(trained.with_name(f"{phase.name}-weights.safetensors"), tmp_path)
    again = train(recipe, [folder], None, tmp_path, resume=True, start=None)
    assert imgcodec.load_model(str(again)).id == imgcodec.load_model(str(trained)).id
    assert (tmp_path / "export.json").read_text() == trained.with_name("export.json").read_text()


def test_training_from_a_model_file_goes_on_from_its_weights(
    trained: Path, recipe: RasterRecipe, folder: Path, few: Path, tmp_path: Path
) -> None:
    """A phase that learns nothing ends with the model that it started from, whatever it would have started with."""
    still = replace(recipe.phases[2], steps=1, rate=0.0)
    other = replace(recipe, seed=recipe.seed + 1, phases=(still,))
    again = train(other, [folder], few, tmp_path / "run", resume=False, start=str(trained))
    pixels = np.asarray(Image.open(folder / "3.png"))
    first, second = (imgcodec.load_model(str(path)).compress(pixels) for path in (trained, again))
    assert container.read(second).tokens() == container.read(first).tokens()
    other = replace(recipe, tokenizer={**recipe.tokenizer, "latent_dim": 9})
    with pytest.raises(UsageError, match="another tokenizer than the recipe"):
        train(other, [folder], few, tmp_path / "other", resume=False, start=str(trained))


def interrupt_at(monkeypatch: pytest.MonkeyPatch, owner: type, method: str, call: int) -> None:
    """SIGINT in the midst of a step: at the n-th call of what gives it its batch."""
    original, calls = getattr(owner, method), 0

    def counted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGINT)
        return original(*arguments)

    monkeypatch.setattr(owner, method, counted)


def test_interrupted_tokenizer_phase_ends_where_an_uninterrupted_one_does(
    recipe: RasterRecipe, data: RasterData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = RasterPhase("tokenizer", steps=6, rate=1e-2, warmup=2, revive_every=4, revive_until=1, schedule="cosine")
    train_tokenizer(small_networks(recipe), phase, data, tmp_path / "whole", resume=False)
    with monkeypatch.context() as patch:
        interrupt_at(patch, RasterData, "crops", 3)
        with pytest.raises(KeyboardInterrupt):
            train_tokenizer(small_networks(recipe), phase, data, tmp_path / "cut", resume=False)
    stopped = load_file(tmp_path / "cut" / "tokenizer.safetensors")
    assert max(int(tensor) for name, tensor in stopped.items() if name.endswith(".step")) == 3
    train_tokenizer(small_networks(recipe), phase, data, tmp_path / "cut", resume=True)
    whole, cut = (load_file(tmp_path / name / "tokenizer.safetensors") for name in ("whole", "cut"))
    assert whole["buffer.quantizers.0.used"].sum() == 2 * 2  # of the two steps after codes were revived
    for name, tensor in whole.items():
        if name != "rng":
            assert torch.equal(cut[name], tensor), name


def test_interrupted_quantized_prior_phase_ends_where_an_uninterrupted_one_does(
    recipe: RasterRecipe, data: RasterData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = RasterPhase("quantized", steps=5, rate=1e-2, warmup=1, trains="prior", quantized=True)

    def sitting(name: str, resume: bool, cut_at: int = 0) -> None:
        model = small_networks(recipe)
        tokens = CropTokens(model.tokenizer.eval(), data)
        with monkeypatch.context() as patch:
            if cut_at:
                interrupt_at(patch, CropTokens, "draw", 8 + cut_at)  # after those of the calibration
            train_prior(model, phase, data, tokens, tmp_path / name, resume)

    sitting("whole", resume=False)
    with pytest.raises(KeyboardInterrupt):
        sitting("cut", resume=False, cut_at=2)
    sitting("cut", resume=True)
    whole, cut = (load_file(tmp_path / name / "quantized.safetensors") for name in ("whole", "cut"))
    assert any(name.endswith("fraction") for name in whole)
    for name, tensor in whole.items():
        if name != "rng":
            assert torch.equal(cut[name], tensor), name


def test_tokens_of_new_crops_or_of_stored_ones(recipe: RasterRecipe, data: RasterData) -> None:
    tokenizer = small_networks(recipe).tokenizer.eval()
    stored = CropTokens(tokenizer, data)
    fresh = CropTokens(tokenizer, replace(data, token_crops=0))
    for tokens in (stored, fresh):
        first, again, other = tokens.draw(3, 5), tokens.draw(3, 5), tokens.draw(3, 6)
        assert [t.shape for t in first] == [(3, 4, 4), (3, 8, 8)]
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
        assert all(t.dtype == torch.int64 for t in first)


def test_an_untrained_prior_has_the_bits_of_its_digits(recipe: RasterRecipe) -> None:
    prior = small_networks(recipe).prior  # its last layer starts at zero
    tokens = [torch.randint(0, 16, (2, side, side)) for side in prior.sides]
    lengths = cross_entropy_bits(prior, tokens)
    for bits, stage in zip(lengths, tokens, strict=True):
        torch.testing.assert_close(bits, torch.full((2,), 4.0 * stage[0].numel()))


def test_order0_entropy() -> None:
    assert order0(torch.tensor([[0, 1], [2, 3]])) == pytest.approx(2)
    assert order0(torch.tensor([5, 5, 5, 9])) == pytest.approx(0.811278, abs=1e-6)
    assert order0(torch.zeros(4, dtype=torch.int64)) == 0


def test_order0_length_is_the_entropy_where_frequencies_are_known_well_and_above_it_where_they_are_not() -> None:
    generator = torch.Generator().manual_seed(0)
    share = torch.rand(64, generator=generator).pow(3)
    drawn = torch.multinomial(share, 60000, replacement=True, generator=generator)
    few, many = drawn[:400], drawn[400:]
    entropy = float(torch.special.entr(share / share.sum()).sum() / np.log(2))
    assert order0_lengths(few, many, 64, (8, 8)) == pytest.approx(entropy, abs=0.15)
    assert order0_lengths(many, few, 64, (8, 8)) > order0_lengths(many, many, 64, (8, 8)) + 0.02
    assert order0(few) < entropy  # what is counted in the tokens themselves flatters
    # codes that were never seen: their digits say which are likely
    unseen = torch.tensor([9, 9, 9])
    assert order0_lengths(unseen, torch.tensor([8, 17, 8, 17, 8, 17]), 64, (8, 8)) < 4
    assert order0_lengths(unseen, torch.tensor([63] * 6), 64, (8, 8)) > 6


def test_larger_scales_and_every_part_of_the_loss_have_gradients() -> None:
    config = {
        "kind": "vq", "ch": 16, "codebook_size": 32, "z_channels": 8, "num_res_blocks": 1, "patch_nums": [1, 2],
        "encoder_ch_mult": [1, 1, 1], "decoder_ch_mult": [1, 1, 1],
    }  # fmt: skip
    torch.manual_seed(0)
    tokenizer = build_tokenizer(config)
    pixels = torch.randint(0, 256, (1, 3, 176, 176), dtype=torch.uint8)
    objective = TokenizerObjective(tokenizer, LossWeights(ms_ssim=1, entropy=0.1), mixed=False)
    losses = []
    for scale in (1, 2):
        tokenizer.zero_grad()
        loss, figures = objective(0.0, pixels, scale)
        loss.backward()
        losses.append(float(loss.detach()))
        assert {"loss", "psnr", "ms_ssim", "commit", "entropy", "usage"} <= set(figures)
        assert (tokenizer.heads[0].weight.grad is not None) == (scale == 2)
    assert losses[1] > losses[0]
    assert tokenizer.quantizer.codebook.grad.abs().sum() > 0


def test_schedules_start_stay_and_fall() -> None:
    for schedule in ("linear", "cosine"):
        phase = Phase("x", steps=100, rate=1.0, warmup=10, schedule=schedule, decay_from=0.5, final=0.1)
        rates = [phase.rate * phase.schedule_at(step, 0.0) for step in range(101)]
        assert rates[0] == pytest.approx(0.1)
        assert rates[10:51] == pytest.approx([1.0] * 41)
        assert rates[100] == pytest.approx(0.1)
        assert rates[75] == pytest.approx(0.55)
        assert rates[50:] == sorted(rates[50:], reverse=True)
    assert phase.schedule_at(60, 0.0) > Phase("x", steps=100, rate=1.0, warmup=10, decay_from=0.5).schedule_at(60, 0.0)


@pytest.mark.parametrize("name", [*RASTER_MODELS, "tiny"])
def test_shipped_recipes_are_whole(name: str) -> None:
    recipe = read_recipe(RECIPES / f"{name}.toml", [])
    assert isinstance(recipe, RasterRecipe)
    assert recipe.profile == name
    assert [p.trains for p in recipe.phases] == ["tokenizer", "prior", "prior"]
    assert recipe.phases[-1].quantized
    assert sum(p.minutes for p in recipe.phases) <= 14


def test_models_of_the_shipped_recipes_are_small() -> None:
    total = 0.0
    for name in RASTER_MODELS:
        recipe = read_recipe(RECIPES / f"{name}.toml", [])
        assert isinstance(recipe, RasterRecipe)
        with torch.device("meta"):
            tokenizer, prior = build_tokenizer(recipe.tokenizer), build_prior(recipe.prior)
        total += sum(2 * p.numel() for p in tokenizer.parameters()) + sum(p.numel() for p in prior.parameters())
    assert total < 9 * 2**20


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("profile='jpeg'", "its profile 'jpeg' is not known"),
        ("tokenizer.kind='x'", "there is no raster tokenizer 'x'"),
        ("prior.sides=[2, 4]", "do not go together"),
        ("prior.codes=9", "do not go together: there are 16 codes"),
        ("crop=100", "multiples of 64"),
        ("loss.ms_ssim=1.0", "crops of at least 161"),
        ("phases.0.trains='prior'", "tokenizer come before those of the prior"),
        ("phases.1.trains='visual'", "trains the tokenizer or the prior"),
        ("phases.1.schedule='step'", "linear or cosine"),
        ("phases.1.name='a/b'", "letters, digits"),
        ("tokenizer.widths=[1]", "widths"),
    ],
)
def test_impossible_recipes_are_refused(setting: str, message: str) -> None:
    extra = ["phases.1.trains='tokenizer'"] if setting == "phases.0.trains='prior'" else []
    with pytest.raises(UsageError, match=message):
        read_recipe(RECIPES / "snac.toml", [*SMALL_SNAC, setting, *extra])


def test_pictures_without_a_whole_tile_cannot_validate(recipe: RasterRecipe, folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (200, 200)).save(tmp_path / "small.png")
    with pytest.raises(UsageError, match="No picture to validate on has 256 pixels"):
        train(recipe, [folder], tmp_path, tmp_path / "run", resume=False, start=None)
