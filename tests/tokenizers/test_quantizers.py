"""Nearest codewords, binary spherical quantization, their losses, and revived codewords; compared with the numbers of
vector-quantize-pytorch."""

import math
import os
import socket
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from vector_quantize_pytorch import LFQ, VectorQuantize

from imgcodec.tokenizers.init import init_quantizer
from imgcodec.tokenizers.quantizers import (
    BinarySphericalQuantizer,
    VectorQuantizer,
    bits_to_index,
    index_to_bits,
    sum_of_losses,
)


def bare(codes=64, dimensions=6, l2_norm=True, **more):
    """A quantizer whose projections change nothing."""
    torch.manual_seed(3)
    made = VectorQuantizer(dimensions, codes, dimensions, l2_norm, **more)
    with torch.no_grad():
        for layer in (made.project_in, made.project_out):
            layer.weight.copy_(torch.eye(dimensions)[:, :, None, None])
            layer.bias.zero_()
    return made


def latents(shape=(2, 6, 5, 7), seed=5):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


# Codebooks


@pytest.mark.parametrize("l2_norm", [True, False])
def test_vector_quantization_agrees_with_the_library(l2_norm):
    ours = bare(l2_norm=l2_norm)
    theirs = VectorQuantize(
        6, 64, use_cosine_sim=l2_norm, rotation_trick=False, accept_image_fmap=True, freeze_codebook=True
    )
    theirs._codebook.embed.copy_(ours.codewords()[None])
    mine, other = latents(), latents()
    values, tokens, losses = ours(mine)
    quantized, indices, commitment = theirs(other)
    assert torch.equal(tokens, indices)
    assert tokens.unique().numel() > 20
    assert torch.allclose(values, quantized, atol=1e-6)
    assert torch.allclose(losses.commit, commitment[0] if commitment.dim() else commitment, rtol=1e-5)
    weights = torch.randn(values.shape)
    ((values * weights).sum() + losses.commit).backward()
    ((quantized * weights).sum() + commitment.sum()).backward()
    assert torch.allclose(mine.grad, other.grad, atol=1e-5)


def test_codewords_learn_as_in_the_library():
    ours = bare(l2_norm=False)
    theirs = VectorQuantize(
        6, 64, rotation_trick=False, accept_image_fmap=True, learnable_codebook=True, ema_update=False
    )
    theirs._codebook.embed.data.copy_(ours.codebook[None])
    ours(latents()).losses.vq.backward()
    theirs(latents().detach())[2].sum().backward()
    assert ours.codebook.grad.abs().sum() > 0
    assert torch.allclose(ours.codebook.grad, theirs._codebook.embed.grad[0], atol=1e-6)


def test_entropy_agrees_with_the_library():
    """There, a batch's diversity is the entropy of the mean assignment; a batch of one has that of its latent."""
    ours = bare(temperature=0.02)  # of squared distances 2 - 2 cos, there 100 of cos
    theirs = VectorQuantize(
        6, 64, use_cosine_sim=True, freeze_codebook=True, codebook_diversity_loss_weight=1.0, rotation_trick=False
    )
    theirs._codebook.embed.copy_(ours.codewords()[None])
    with torch.no_grad():
        points = latents((40, 6))
        overall = -theirs(points[:, None], return_loss_breakdown=True)[3].codebook_diversity
        each = [-theirs(p[None, None], return_loss_breakdown=True)[3].codebook_diversity for p in points]
        entropy = ours(points.T.reshape(1, 6, 5, 8)).losses.entropy
    assert overall > 2
    assert torch.allclose(entropy, torch.stack(each).mean() - overall, atol=1e-3)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(2, 40))
def test_the_codeword_is_the_nearest(seed, l2_norm, codes):
    made = bare(codes, 3, l2_norm).requires_grad_(False)
    torch.manual_seed(seed)
    z = made.project(torch.randn(1, 3, 4, 4) * 2)
    errors = (z[..., None, :] - made.codewords()).square().sum(-1)
    assert torch.allclose(errors.gather(3, made._nearest(z)[..., None])[..., 0], errors.amin(3), atol=1e-5)


def test_autocast_changes_no_token():
    made, latent = bare(512), latents((2, 6, 16, 16))
    with torch.autocast("cpu", torch.bfloat16):
        values, tokens, _ = made(latent)
        assert torch.allclose(made.lookup(tokens), values, atol=1e-6)
    assert values.dtype == torch.float32
    assert torch.equal(tokens, made.encode(latent))


def test_training_sees_the_values_of_lookup():
    made = VectorQuantizer(10, 16, 4)
    torch.nn.init.uniform_(made.gain, 0.5, 2)
    values, tokens, _ = made(latents((2, 10, 3, 5)))
    assert values.shape == (2, 10, 3, 5)
    assert torch.allclose(made.lookup(tokens), values, atol=1e-5)
    assert torch.equal(made.encode(latents((2, 10, 3, 5))), tokens)


@pytest.mark.parametrize("l2_norm", [True, False])
def test_initial_codes_preserve_magnitudes(l2_norm):
    """Latents of few directions and very different magnitudes: what normalising takes, gain restores."""
    torch.manual_seed(4)
    made = VectorQuantizer(10, 256, 3, l2_norm)
    points = (torch.randn(4000, 2) * torch.rand(4000, 1) * 4) @ torch.randn(2, 10) + torch.randn(10)
    init_quantizer(made, points)
    with torch.no_grad():
        image = points.T.reshape(1, 10, 40, 100)
        error = (made.lookup(made.encode(image)) - image).square().mean()
        ratio = made.lookup(made.encode(image)).std(1).mean() / image.std(1).mean()
    assert error < 0.02 * (points - points.mean(0)).square().mean()
    assert 0.98 < ratio < 1.02


def test_usage_is_perplexity_as_a_share():
    made = bare(8, 8).eval()
    with torch.no_grad():
        made.codebook.copy_(torch.eye(8))
    everything = torch.eye(8).T.reshape(1, 8, 2, 4)
    assert math.isclose(made(everything).losses.usage, 1, rel_tol=1e-5)
    assert math.isclose(made(everything[:, :, :1, :1].expand(1, 8, 3, 3)).losses.usage, 1 / 8, rel_tol=1e-5)
    assert math.isclose(made(everything[:, :, :, :2]).losses.usage, 4 / 8, rel_tol=1e-5)


def with_dead_codes():
    """Half of the codewords are where no latent is."""
    made = bare(16, 4)
    with torch.no_grad():
        made.codebook[8:] = torch.tensor([0, 0, 0, -1.0]) + 1e-3 * torch.randn(8, 4)
    points = latents((2, 4, 6, 6)).detach()
    points[:, 3] = 1 + points[:, 3].abs()
    return made, points


def test_dead_codes_are_revived_and_others_stay():
    made, points = with_dead_codes()
    before = made.codebook.detach().clone()
    _, tokens, losses = made(points)
    alive = tokens.unique()
    assert made.revive() == 16 - len(alive) >= 8
    assert torch.equal(made.codebook[alive], before[alive])
    _, tokens, after = made(points)
    assert tokens.unique().numel() > len(alive) + 4
    assert after.usage > 1.3 * losses.usage
    assert after.commit < losses.commit
    assert not made.used[~torch.isin(torch.arange(16), tokens)].any()


def test_revival_is_the_same_every_time():
    revived = []
    for seed in (1, 2):
        made, points = with_dead_codes()
        made(points)
        torch.manual_seed(seed)
        made.revive()
        revived.append(made.codebook.detach().clone())
    assert torch.equal(*revived)


def test_a_code_is_dead_after_many_batches_only():
    made, points = with_dead_codes()
    made(points[:1])
    made(points[1:])
    used = made.encode(points).unique()
    assert torch.equal(made.used.nonzero()[:, 0], used)
    made.eval()(points)
    assert made.used.sum() == 72
    assert made.revive() == 16 - len(used)
    assert made.revive() == 16  # none was used since


def test_revival_without_latents_does_nothing():
    made = bare().eval()
    made(latents())
    before = made.codebook.detach().clone()
    assert made.revive() == 0
    assert torch.equal(made.codebook, before)


REVIVAL = """
import torch
from torch import distributed
from imgcodec.tokenizers.quantizers import VectorQuantizer
distributed.init_process_group("gloo")
torch.manual_seed(0)
made = VectorQuantizer(4, 64, 4)
torch.manual_seed(distributed.get_rank() + 1)
for _ in range(2):
    made(torch.randn(1, 4, 4, 4))
counts, revived = made.used.clone(), made.revive()
both = [torch.empty_like(made.codebook) for _ in range(2)]
distributed.all_gather(both, made.codebook.detach())
assert torch.equal(*both) and counts.sum() == 64 and 0 < revived < 64, (counts, revived)
distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_processes_revive_the_same():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    commands = [
        subprocess.Popen([sys.executable, "-c", REVIVAL], env=shared | {"RANK": str(rank)}, stderr=subprocess.PIPE)
        for rank in range(2)
    ]
    errors = [command.communicate()[1].decode() for command in commands]
    assert [command.returncode for command in commands] == [0, 0], errors


# Binary spherical quantization


def library(bits, **more):
    return LFQ(dim=bits, codebook_size=2**bits, spherical=True, channel_first=True, **more)


@pytest.mark.parametrize("bits", [1, 6, 18])
def test_signs_agree_with_the_library(bits):
    x = latents((2, bits, 4, 3))
    values, tokens, _ = BinarySphericalQuantizer(bits)(x)
    theirs = library(bits).eval()
    quantized, indices, _ = theirs(x)
    assert torch.equal(tokens, indices)
    assert torch.allclose(values, quantized, atol=1e-6)
    assert torch.allclose(BinarySphericalQuantizer(bits).lookup(tokens), quantized, atol=1e-6)


def test_entropies_commitment_and_gradients_agree_with_the_library():
    """Its entropy of a batch is that of the joint assignment, to which ours is a bound: the same where bits are
    independent over the batch, as they are when some have all signs and others one."""
    mine = latents((1, 6, 1, 1)).detach().abs() + 0.1
    free = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]]).T[None, :, :, None]
    mine = torch.cat([mine[:, :2] * free, mine[:, 2:].expand(1, 4, 4, 1)], 1).requires_grad_()
    other = mine.detach().clone().requires_grad_()
    values, _, losses = BinarySphericalQuantizer(6, inverse_temperature=4.0)(mine)
    (quantized, _, _), parts = library(6, commitment_loss_weight=1.0)(
        other, inv_temperature=4.0, return_loss_breakdown=True
    )
    assert torch.allclose(losses.commit, parts.commitment, rtol=1e-5)
    assert torch.allclose(losses.entropy, parts.per_sample_entropy - parts.batch_entropy, atol=1e-4)
    assert losses.entropy < -0.2
    weights = torch.randn(values.shape)
    ((values * weights).sum() + losses.commit + losses.entropy).backward()
    ((quantized * weights).sum() + parts.commitment + parts.per_sample_entropy - parts.batch_entropy).backward()
    assert torch.allclose(mine.grad, other.grad, atol=1e-4)


def test_the_entropy_of_a_batch_is_a_bound():
    x = latents((1, 6, 40, 1)) * torch.tensor([1.0, 2, 3, 1, 1, 1])[:, None, None] + 0.3
    ours = BinarySphericalQuantizer(6, inverse_temperature=2.0)(x).losses.entropy
    _, parts = library(6)(x, inv_temperature=2.0, return_loss_breakdown=True)
    assert ours <= parts.per_sample_entropy - parts.batch_entropy + 1e-4


@given(st.integers(1, 18), st.data())
def test_index_and_bits_are_each_others_inverse(bits, data):
    index = torch.tensor(data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=20)))[None, None]
    planes = index_to_bits(index, bits)
    assert planes.shape == (1, bits, *index.shape[1:])
    assert set(planes.unique().tolist()) <= {0, 1}
    assert torch.equal(bits_to_index(planes), index)
    assert [int("".join(map(str, column)), 2) for column in planes[0, :, 0].T.tolist()] == index[0, 0].tolist()


@given(st.integers(1, 18), st.integers(0, 2**32 - 1))
def test_what_is_looked_up_encodes_to_the_same(bits, seed):
    made = BinarySphericalQuantizer(bits)
    tokens = torch.randint(2**bits, (2, 3, 4), generator=torch.Generator().manual_seed(seed))
    values = made.lookup(tokens)
    assert torch.allclose(values.norm(dim=1), torch.ones(2, 3, 4))
    assert torch.equal(made.encode(values), tokens)


def test_usage_of_signs():
    made = BinarySphericalQuantizer(2)
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]]).T[None, :, :, None].float()
    assert math.isclose(made(signs).losses.usage, 1, rel_tol=1e-5)
    assert math.isclose(made(signs[:, :, :1]).losses.usage, 1 / 4, rel_tol=1e-5)


@pytest.mark.parametrize("bits", [0, 19])
def test_too_many_bits_are_refused(bits):
    with pytest.raises(ValueError, match="1 to 18 bits"):
        BinarySphericalQuantizer(bits)


def test_the_sum_of_losses():
    some = [bare(codes)(latents()).losses for codes in (16, 32)]
    total = sum_of_losses(some)
    assert torch.allclose(total.commit, some[0].commit + some[1].commit)
    assert torch.allclose(total.usage, (some[0].usage + some[1].usage) / 2)
    assert F.mse_loss(total.entropy, some[0].entropy + some[1].entropy) < 1e-8
