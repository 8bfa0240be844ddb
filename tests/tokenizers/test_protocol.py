"""What all raster tokenizers promise, of each of them."""

import pytest
import torch
from tokenizers.small import BSQ_SMALL, SNAC_SMALL, VQ_SMALL, pictures

from imgcodec.tokenizers.bsq import BSQTokenizer
from imgcodec.tokenizers.snac import SNAC
from imgcodec.tokenizers.vq import ScalableVQVAE

MAKERS = {
    "snac": lambda: SNAC(SNAC_SMALL),
    "vq": lambda: ScalableVQVAE(VQ_SMALL),
    "bsq": lambda: BSQTokenizer(BSQ_SMALL),
}


@pytest.fixture(scope="module", params=MAKERS)
def tokenizer(request):
    torch.manual_seed(1)
    return MAKERS[request.param]()


def test_strides_codes_and_scales(tokenizer):
    assert all(coarse % fine == 0 for coarse, fine in zip(tokenizer.strides, tokenizer.strides[1:], strict=False))
    assert 2 <= tokenizer.codebook_size <= 2**18
    assert tokenizer.scales[0] == 1


@torch.no_grad()
def test_any_number_of_stages_decodes_at_every_scale(tokenizer):
    made = tokenizer.eval()
    unit = made.strides[0]
    tokens = made.encode(torch.rand(2, 3, 2 * unit, 3 * unit))
    assert [t.shape for t in tokens] == [(2, 2 * unit // stride, 3 * unit // stride) for stride in made.strides]
    for stage in tokens:
        assert stage.dtype == torch.int64
        assert 0 <= stage.min() <= stage.max() < made.codebook_size
    for stages in range(1, len(tokens) + 1):
        for scale in made.scales:
            assert made.decode(tokens[:stages], scale).shape == (2, 3, 2 * unit * scale, 3 * unit * scale)


def test_there_is_a_vector_for_every_code_of_every_stage(tokenizer):
    vectors = tokenizer.code_vectors()
    assert len(vectors) == len(tokenizer.strides)
    for stage in vectors:
        assert stage.dim() == 2
        assert len(stage) == tokenizer.codebook_size
        assert len(stage.unique(dim=0)) == tokenizer.codebook_size


def test_training_has_a_reconstruction_and_losses(tokenizer):
    pixels = pictures(2)
    decoded, losses = tokenizer.train()(pixels)
    assert decoded.shape == pixels.shape
    assert all(loss.shape == () and torch.isfinite(loss) for loss in losses)
    assert 0 < losses.usage <= 1
    assert not losses.usage.requires_grad
    assert losses.commit.requires_grad
    assert losses.entropy.requires_grad


def test_without_a_quantizer_pictures_come_back_smoothly(tokenizer):
    """Gradients reach the pixels, which no token lets through."""
    pixels = pictures(2, 128).requires_grad_()
    picture = tokenizer.reconstruct(pixels)
    assert picture.shape == pixels.shape
    (gradient,) = torch.autograd.grad(picture.square().sum(), pixels)
    assert (gradient != 0).float().mean() > 0.9
