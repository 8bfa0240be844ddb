"""The known-answer test of tokenizers: it knows a changed weight from a machine that is a gray level off."""

from pathlib import Path

import numpy as np
import pytest
import torch
from raster_models import TOKENIZERS, shake, small_tokenizer
from small_semantic import DECODER, FEATURES
from torch import nn

from imgcodec.profiles.semantic.model import build_tokenizer
from imgcodec.tokenizers.known_inputs import SHOWN, as_text, is_same
from imgcodec.tokenizers.known_picture import known_picture
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import RVQConfig


def photo() -> ResidualVQ:
    torch.manual_seed(1)
    config = RVQConfig(
        channels=(6, 12), codes=63, width_coarse=16, width_fine=8, visual=True, levels=4, synthesis_blocks=(1, 1)
    )
    tokenizer = ResidualVQ(config).requires_grad_(False)
    books = [book.clone() for book in tokenizer.codebooks]
    shake(tokenizer)
    for book, lattice in zip(tokenizer.codebooks, books, strict=True):
        book.copy_(lattice)
    return tokenizer.eval()


def semantic() -> nn.Module:
    torch.manual_seed(2)
    tokenizer = build_tokenizer(FEATURES, DECODER).requires_grad_(False)
    for parameter in tokenizer.parameters():  # some begin with zeros, behind which nothing would be noticed
        parameter.add_(0.1 * torch.randn(parameter.shape))
    return tokenizer.eval()


def tokenizer_of(kind: str) -> nn.Module:
    match kind:
        case "photo":
            return photo()
        case "semantic":
            return semantic()
        case _:
            return small_tokenizer(kind).requires_grad_(False)


KINDS = ["photo", "semantic", *TOKENIZERS]


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_is_the_same_in_every_layout_and_shows_something(kind: str) -> None:
    tokenizer = tokenizer_of(kind)
    picture = known_picture(tokenizer)
    assert picture.dtype == np.uint8
    side = DECODER["side"] if kind == "semantic" else SHOWN
    assert picture.shape[1:] == (side, side, 3)
    assert all(part.std() > 2 for part in picture[kind == "semantic" :]), "but the thumbnail of noise, which is flat"
    assert is_same(picture, as_text(picture))
    assert is_same(known_picture(tokenizer.to(memory_format=torch.channels_last)), as_text(picture))


def test_each_tune_and_each_scale_is_tried() -> None:
    assert len(known_picture(photo())) == 2 * 2
    scales = small_tokenizer("vq").scales
    assert len(scales) > 1
    assert len(known_picture(tokenizer_of("vq"))) == 1 + len(scales)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_takes_part(kind: str) -> None:
    """But for those that only choose codes: which one is the nearest, a rounding decides."""
    tokenizer = tokenizer_of(kind)
    text = as_text(known_picture(tokenizer))
    unnoticed = []
    for name, parameter in list(tokenizer.named_parameters())[:: 5 if kind == "vq" else 1]:  # it has a hundred
        before = parameter.clone()
        parameter.add_(torch.linspace(0.5, 2, parameter.numel()).reshape(parameter.shape))
        if is_same(known_picture(tokenizer), text):
            unnoticed.append(name)
        parameter.copy_(before)
    assert {name.split(".")[0] for name in unnoticed} <= {"digits"}
    assert is_same(known_picture(tokenizer), text)


def test_a_grey_level_is_forgiven_and_two_are_not() -> None:
    picture = known_picture(photo()).clip(2, 253)
    text = as_text(picture)
    signs = np.random.default_rng(0).integers(-1, 2, picture.shape)
    assert is_same((picture + signs).astype(np.uint8), text)
    other = picture.copy()
    other[-1, -1, -1, -1] += 2
    assert not is_same(other, text)


@pytest.mark.parametrize("text", ["", "x", "=", "AAAA", "ä" * 8])
def test_other_texts_are_no_answer(text: str) -> None:
    assert not is_same(known_picture(photo()), text)


def test_an_answer_that_is_no_number_is_another() -> None:
    tokenizer = photo()
    text = as_text(known_picture(tokenizer))
    tokenizer.synthesis.linear.weight[:] = float("nan")
    assert not is_same(known_picture(tokenizer), text)


def test_the_golden_tokenizer_is_not_clipped() -> None:
    """What is clipped could hide a change."""
    from imgcodec.profiles.photo.model import load_photo_model

    tiny = load_photo_model(str(Path(__file__).parents[1] / "golden" / "tiny.safetensors"))
    picture = known_picture(tiny.tokenizer)
    assert ((picture == 0) | (picture == 255)).mean() < 0.05
