"""Effort: an encoder's tokens, improved by gradients that know of their neighbours.

The encoder chooses each token by its own bits and its own error (`imgcodec.priors.photo.rdoq`). But a token is also
context for those after it, its error is decoded together with its neighbours', and no metric is a sum over tokens. All
of that is in the gradient of

    bits + distortion

by the tokens, through the prior (in floating point) and through the synthesis. So in each round every token is offered
one step up or down, at the estimated cost

    change of its own bits + step * gradient + curvature,   step = 1 or -1,

exact for its own bits and of second order for the rest, and the most promising steps are taken. If bits and distortion
together fell, the next round starts there; if not, at the same tokens again, with more curvature for steps that were
not tried yet (Levenberg 1944, Marquardt 1963). Either way there are gradients at both ends of the steps that were
tried, so from then on their curvature is known: half of the change of the gradient. MS-SSIM and SSIMULACRA2 are so far
from quadratic that most of the gain is in that.

Distortion is measured in bits. Along the codec's own rate-distortion curve each metric rises by so much when the bits
double; that much of it is worth as many bits as the tile had at first, times log 2 because changes are small. So all
metrics have one unit.

The result are tokens like all others: a decoder cannot tell. What is chosen differs between machines, as it does in the
transforms, by what rounding does to a gradient.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from imgcodec.bitstream.header import QUALITY_MAX, Header, Rectangle, Tune
from imgcodec.metrics.definitions import MS_SSIM_MIN_SIDE, SSIMULACRA2_MIN_SIDE
from imgcodec.metrics.differentiable import ms_ssim_db, psnr, ssimulacra2
from imgcodec.priors.integer.trainable import restore, unquantize
from imgcodec.priors.photo.rate import logistic_bits
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.priors.photo.windows import checkerboard_half, join_slices
from imgcodec.profiles.photo.model import PhotoModel
from imgcodec.profiles.photo.nets import level_of
from imgcodec.speed import reduced_precision
from imgcodec.tokenizers.layers import straight_through
from imgcodec.tokenizers.rvq_config import POOL, STRIDES
from imgcodec.tokens import Stages, Tokens, stage_places

ROUNDS = 2  # for each effort above the first
TAKEN = 0.5  # the share of steps taken, the best, of all that promise to save anything
CURVATURE = 0.4  # of steps that were not tried yet, times that of squared error
SMALLEST_CURVATURE = 0.5
BOLDER, CAREFUL = 0.85, 1.3  # factors of the curvature of untried steps, after a round that saved or did not
REACH = 0.75
"""Quantization steps that a token may be away from the real value; the encoder's own choice may be further. Without
this bound skies filled with patterns that MS-SSIM and SSIMULACRA2 take for grain, and the metrics were worse, too."""


@dataclass(frozen=True)
class MetricTerm:
    """A metric's part in the distortion.

    metric: of original and decoded pixels (B, 3, H, W). share: of the distortion. doubling: by how much the metric
    rises along the rate-distortion curve when the bits double, at qualities 0 and 100. min_side: the smallest side, in
    pixels, of a picture that it can be measured of.
    """

    metric: Callable[[Tensor, Tensor], Tensor]
    share: float
    doubling: tuple[float, float]
    min_side: int = 1

    def rise(self, part: float) -> float:
        """By how much the metric rises when the bits double, at a quality in 0..1."""
        return float(np.interp(part, (0, 1), self.doubling))


PSNR = MetricTerm(psnr, 1.0, (1.8, 4.6))
METRIC_TERMS = {
    Tune.PSNR: (PSNR,),
    Tune.VISUAL: (
        MetricTerm(ms_ssim_db, 0.65, (2.1, 3.7), MS_SSIM_MIN_SIDE),
        MetricTerm(ssimulacra2, 0.3, (34.0, 8.0), SSIMULACRA2_MIN_SIDE),
        replace(PSNR, share=0.05),  # keeps colours and flat places where they are
    ),
}


@torch.inference_mode(False)
def refine(
    photo: PhotoModel,
    tokens: Tokens,
    pixels: NDArray[np.uint8],
    values: NDArray[np.float16],
    effort: int,
    advance: Callable[[float], None] = lambda share: None,
) -> Tokens:
    """Tokens of pixels uint8 (H, W, 3) -> tokens of lower bits + distortion, tile by tile.

    values: the centred latents of stage 1 before they were rounded to tokens, (groups, rows, columns), in quantization
    steps. effort: 2 to 9, `ROUNDS` rounds for each above 1. advance: called after each round, with its share of all.
    """
    soft = floating_prior(photo)
    stages, rounds = [stage.copy() for stage in tokens.stages], ROUNDS * (effort - 1)
    for index in range(tokens.header.tile_count):
        tile = tokens.header.tile_rectangle(index)
        search = _Tile(photo, soft, tokens.header, tile, stages, pixels, values)
        (_, (y, x)) = stage_places(tile, STRIDES)
        stages[1][:, y, x] = search.run(rounds, lambda: advance(1 / (rounds * tokens.header.tile_count)))
    return Tokens(tokens.header, stages)


def floating_prior(photo: PhotoModel) -> PhotoPrior:
    """The prior without rounding, so that gradients go through it."""
    with torch.device("meta"):  # so that no random numbers are drawn of the program's own
        soft = PhotoPrior(photo.prior.config).float()
    soft.to_empty(device=photo.device)
    restore(soft, photo.prior)
    unquantize(soft)
    return soft.eval().requires_grad_(False).to(photo.device, memory_format=torch.channels_last)  # type: ignore[call-overload]


@dataclass(frozen=True)
class _Offer:
    """Tokens (1, groups, rows, columns) and what is known there.

    cost: bits + distortion, in bits. less, more: what one step down or up would add to each token's own bits. gradient:
    of everything else in the cost.
    """

    tokens: Tensor
    cost: float
    less: Tensor
    more: Tensor
    gradient: Tensor


class _Tile:
    """The search in one tile. Tokens are centred floats here; those of stage 0 are frozen.

    The tile's pixels depend on a margin of tokens around it, which are those that the neighbours have at the time.
    """

    def __init__(
        self,
        photo: PhotoModel,
        soft: PhotoPrior,
        header: Header,
        tile: Rectangle,
        stages: Stages,
        pixels: NDArray[np.uint8],
        values: NDArray[np.float16],
    ) -> None:
        self.photo, self.soft, device = photo, soft, photo.device
        self.half = photo.tokenizer.config.codes // 2
        self.level = torch.tensor([level_of(photo.tokenizer.config, header)], dtype=torch.float32, device=device)
        part = header.quality / QUALITY_MAX
        terms = [term for term in METRIC_TERMS[header.tune] if term.min_side <= min(tile.width, tile.height)]
        shares = sum(term.share for term in terms)
        self.metrics = [(term.metric, term.share / shares / term.rise(part)) for term in terms]
        self.decibel = 1 / PSNR.rise(part)
        self.synthesis = photo.synthesis(header.tune)

        # what is decoded: the tile, and around it what its pixels depend on
        reach = -(-self.synthesis.halo // POOL) * STRIDES[0]
        top, left = max(0, tile.top - reach), max(0, tile.left - reach)
        bottom = min(header.height, tile.top + tile.height + reach)
        right = min(header.width, tile.left + tile.width + reach)
        self.coarse, around = self.centred(stages, Rectangle(left, top, right - left, bottom - top))
        self.around = F.pad(around, up_to(around, *(POOL * n for n in self.coarse.shape[2:])))
        self.row, self.column = (tile.top - top) // STRIDES[1], (tile.left - left) // STRIDES[1]
        self.shown = (
            slice(tile.top - top, tile.top - top + tile.height),
            slice(tile.left - left, tile.left - left + tile.width),
        )
        original = pixels[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
        self.pixels = torch.from_numpy(original.copy()).to(device).permute(2, 0, 1)[None].float() / 255

        # what is coded: the tile, up to whole windows of the prior
        first, self.start = self.centred(stages, tile)
        rows, columns = self.start.shape[2:]
        self.around[:, :, self.row : self.row + rows, self.column : self.column + columns] = 0
        self.shape = (1, *first.shape[2:])
        window = soft.config.windows[0]
        height, width = (-(-n // window) * window for n in first.shape[2:])
        self.first = F.pad(first, up_to(first, height, width))
        self.padding = up_to(self.start, POOL * height, POOL * width)
        self.coded = F.pad(torch.ones_like(self.start[:, :1]), self.padding)
        self.least, self.most = torch.full_like(self.start, -self.half), torch.full_like(self.start, self.half)
        (_, (y, x)) = stage_places(tile, STRIDES)
        value = self.in_steps(torch.from_numpy(values[:, y, x]).to(device).float()[None])
        self.least = torch.maximum(self.least, torch.minimum(self.start, (value - REACH).ceil()))
        self.most = torch.minimum(self.most, torch.maximum(self.start, (value + REACH).floor()))
        # set by the first offer: the bits that e times the bits would be more, and the squared error
        self.distortion_weight = self.error = 0.0

    def in_steps(self, value: Tensor) -> Tensor:
        """The real values of the encoder, in steps as wide as its tokens say: it knew about how wide they would be."""
        tokenizer = self.photo.tokenizer
        fine = self.start / tokenizer.gain(1, self.level)
        return value * (tokenizer.widening_of_values(value, self.level) / tokenizer.widening(fine, self.level))

    def centred(self, stages: Stages, part: Rectangle) -> tuple[Tensor, Tensor]:
        """Centred tokens (1, groups, rows, columns) of both stages in a part of the picture."""
        found = (
            s[:, y, x] - np.int16(self.half) for s, (y, x) in zip(stages, stage_places(part, STRIDES), strict=True)
        )
        coarse, fine = (torch.from_numpy(t).to(self.photo.device).float()[None] for t in found)
        return coarse, fine

    def run(self, rounds: int, advance: Callable[[], None] = lambda: None) -> NDArray[np.int16]:
        """The best tokens of stage 1 that were found, codebook indices (groups, rows, columns)."""
        best = self.offer(self.start)
        curvature = self.first_curvature()
        tried = torch.zeros_like(curvature, dtype=torch.bool)
        boldness = 1.0
        for _ in range(rounds):
            more = (best.more + best.gradient).masked_fill(best.tokens >= self.most, math.inf)
            less = (best.less - best.gradient).masked_fill(best.tokens <= self.least, math.inf)
            step = 2 * (more < less).float() - 1
            adds = torch.minimum(more, less) + torch.where(tried, curvature, curvature * boldness)
            promising = adds[adds < 0]
            if not len(promising):
                break
            taken = adds <= promising.kthvalue(math.ceil(TAKEN * len(promising))).values
            offer = self.offer(torch.where(taken, best.tokens + step, best.tokens))
            seen = (step * (offer.gradient - best.gradient) / 2).clamp(min=SMALLEST_CURVATURE)
            curvature, tried = torch.where(taken, seen, curvature), tried | taken
            if offer.cost < best.cost:
                best, boldness = offer, boldness * BOLDER
            else:
                boldness *= CAREFUL
            advance()
        return (best.tokens[0] + self.half).to("cpu", torch.int16).numpy()

    def first_curvature(self) -> Tensor:
        """Half the second derivative of the distortion by each token, as if it were PSNR alone: the linear path of the
        synthesis is nearly orthonormal, so a step is as large in pixels as in the latent."""
        tokenizer = self.photo.tokenizer
        step = 1 / tokenizer.gain(1, self.level)
        step = step * tokenizer.widening(self.start * step, self.level)
        square = self.distortion_weight * self.decibel * 10 / math.log(10) / self.error
        return (CURVATURE * square * step.square()).expand_as(self.start)

    def offer(self, tokens: Tensor) -> _Offer:
        """The cost of tokens (1, groups, rows, columns), and of steps away from them.

        Activations that are kept for gradients take the most memory here, so no two parts keep theirs at the same time:
        the tile is decoded once for the metrics and once more to go back through."""
        tokens = tokens.detach().requires_grad_()
        with torch.enable_grad():
            with reduced_precision(self.photo.device):
                bits, own = self.rate(tokens)
            (context,) = torch.autograd.grad(bits, tokens)
            with torch.no_grad(), reduced_precision(self.photo.device):
                seen = self.decode(tokens)
            distortion, towards = self.distortion(seen, float(bits.detach()))
            with reduced_precision(self.photo.device):
                decoded = self.decode(tokens)
            (error,) = torch.autograd.grad(decoded, tokens, towards)
        less, here, more = own
        return _Offer(tokens.detach(), float(bits.detach()) + distortion, less - here, more - here, context + error)

    def rate(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The bits of all tokens, whose gradient is that of the tokens they are context for; and the bits of each
        token, without a gradient, if it were one less, as it is, and one more."""
        given = [self.first, F.pad(tokens, self.padding)]
        total = torch.zeros((), dtype=torch.float32, device=tokens.device)
        own: list[list[Tensor]] = [[], [], []]

        def code(stage: int, first: int, groups: int, parameters: Tensor, parity: int) -> Tensor:
            nonlocal total
            mean, scale = parameters.float().chunk(2, 1)
            value = checkerboard_half(given[stage][:, first : first + groups], parity)
            if stage == 1:  # the bits of stage 0 do not change
                fixed = value.detach()
                total = total + (logistic_bits(fixed, mean, scale) * checkerboard_half(self.coded, parity)).sum()
                with torch.no_grad():
                    for change, kept in zip((-1, 0, 1), own, strict=True):
                        kept.append(logistic_bits(fixed + change, mean, scale))
            return value

        self.soft(self.shape, self.level, code)
        rows, columns = tokens.shape[2:]
        wholes = [join_slices(halves) for halves in own]
        return total, [whole[:, :, :rows, :columns] for whole in wholes]

    def decode(self, tokens: Tensor) -> Tensor:
        """Pixels of the tile, (1, 3, rows, columns) in 0..1."""
        tokenizer, (rows, columns) = self.photo.tokenizer, tokens.shape[2:]
        below, right = self.around.shape[2] - self.row - rows, self.around.shape[3] - self.column - columns
        fine = self.around + F.pad(tokens, (self.column, right, self.row, below))
        indices = [stage.detach() + self.half for stage in (self.coarse, fine)]
        exact = tokenizer.dequantize(indices, self.level)
        near = tokenizer.dequantize_lattice([self.coarse, fine], self.level)
        decoded = self.synthesis(straight_through(exact, near), self.level % tokenizer.config.levels).float()
        return decoded[:, :, self.shown[0], self.shown[1]].clamp(0, 1)  # what is outside is not shown

    def distortion(self, decoded: Tensor, bits: float) -> tuple[float, Tensor]:
        """The distortion of the decoded tile (1, 3, rows, columns), in bits, and its gradient."""
        if not self.distortion_weight:
            self.distortion_weight = bits * math.log(2)
            self.error = max(float((decoded - self.pixels).square().sum()), 1e-10 * decoded.numel())
        decoded.requires_grad_()
        total, gradient = 0.0, torch.zeros_like(decoded)
        for metric, share in self.metrics:
            loss = -metric(self.pixels, decoded).sum() * (share * self.distortion_weight)
            gradient += torch.autograd.grad(loss, decoded)[0]
            total += float(loss.detach())
        return total, gradient


def up_to(x: Tensor, rows: int, columns: int) -> tuple[int, int, int, int]:
    """The padding, right and below, that gives the last two dimensions this size."""
    return (0, columns - x.shape[3], 0, rows - x.shape[2])
