"""Models of the profile `raster`: pairs that go together, and refusal of what is not sound."""

import json
from pathlib import Path

import pytest
import torch
from raster_models import PAIRS, small_model, small_prior, small_tokenizer

import imgcodec
from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.model_file.model import open_model, save_model
from imgcodec.profiles.raster.model import (
    build_prior,
    build_raster_model,
    build_tokenizer,
    check_pair,
    kind_of,
    raster_model_contents,
    round_as_stored,
)

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize(
    ("tokenizer", "prior_of", "prior"),
    [("snac", "vq", "pixelcnn"), ("bsq", "vq", "raster"), ("bsq", "snac", "raster")],
)
def test_tokenizers_and_priors_that_do_not_fit_are_refused(tokenizer: str, prior_of: str, prior: str) -> None:
    with pytest.raises(UsageError, match="do not go together") as refused:
        check_pair(small_tokenizer(tokenizer), small_prior(prior, small_tokenizer(prior_of)))
    assert str(refused.value).count(".") == 1


def test_damaged_models_are_refused(tmp_path: Path) -> None:
    tensors, metadata = small_model("bsq", "raster")
    for name in list(tensors)[::5]:
        path = tmp_path / "damaged.safetensors"
        save_model(path, {n: t for n, t in tensors.items() if n != name}, metadata)
        with pytest.raises(CodecError):
            imgcodec.load_model(str(path))


@pytest.mark.parametrize("name", ["snac", "svqvae", "bsq", "pixelcnn"])
def test_a_model_is_stored_as_it_was_read(name: str) -> None:
    file = open_model(GOLDEN / f"{name}.safetensors")
    model = build_raster_model(file, "cpu")
    assert (model.name, model.id, model.device) == (name, file.id, torch.device("cpu"))
    tensors, metadata = raster_model_contents(file.config["profile"], model.tokenizer, model.prior)
    assert tensors.keys() == file.tensors.keys()
    for n, tensor in file.tensors.items():
        assert tensors[n].dtype == tensor.dtype, n
        assert torch.equal(tensors[n], tensor), n
    assert metadata["answer"] == file.answer
    assert json.loads(metadata["config"]) == file.config


@pytest.mark.parametrize("kind", ["snac", "vq", "bsq"])
def test_rounded_weights_are_those_that_are_read_back(kind: str) -> None:
    tokenizer = small_tokenizer(kind)
    before = {n: t.clone() for n, t in tokenizer.state_dict().items()}
    round_as_stored(tokenizer)
    assert any(not torch.equal(t, before[n]) for n, t in tokenizer.state_dict().items())
    tensors, _ = raster_model_contents("raster", tokenizer, small_prior("raster", tokenizer))
    for n, tensor in tokenizer.state_dict().items():
        assert torch.equal(tensors[f"tokenizer.{n}"].float(), tensor), n


@pytest.mark.parametrize(("tokenizer", "prior"), PAIRS)
def test_parts_are_built_of_their_kinds(tokenizer: str, prior: str) -> None:
    built = small_tokenizer(tokenizer)
    assert kind_of(built) == tokenizer
    assert kind_of(small_prior(prior, built)) == prior
    check_pair(built, small_prior(prior, built))


@pytest.mark.parametrize(
    "config", [{"kind": "jpeg"}, {"kind": None}, {"kind": "bsq", "depth": 3}, {"kind": "raster", "depth": 3}]
)
def test_parts_of_no_kind_are_refused(config: dict[str, object]) -> None:
    for build in (build_tokenizer, build_prior):
        with pytest.raises((ValueError, TypeError)):
            build(config)
