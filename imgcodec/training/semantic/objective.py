"""The losses of the profile `semantic`, and what its validation shows.

a view ─────► vector ─┬─► by a linear map of its meaning, what the teacher sees   distil: 1 - cosine
  │                   ├─► near the vector of the same view, changed, and far      contrast: InfoNCE
  │                   │   from those of other views
  └─► with noise ─────┴─► the noise, by the decoder                               squared error over what is kept of
                                                                                  the picture; and, of the picture
                                                                                  without it, recon_w, tv_w, clip_w
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.pictures.square import as_square
from imgcodec.tokenizers.features import FeatureEncoder
from imgcodec.tokenizers.semantic import SemanticTokenizer
from imgcodec.training import distributed
from imgcodec.training.loop import Phase, Report, Run, run_phase
from imgcodec.training.precision import mixed_precision
from imgcodec.training.semantic.teacher import DIM
from imgcodec.training.semantic.views import Views, as_tensor, augmented

MOST_VALIDATED = 64  # of the pictures that are held out
SHOWN = 8  # pictures in the log
SHOWN_STEPS = 25
TIMES = (50, 250, 450, 650, 850, 950)
"""Of a thousand, at which validation measures the error of the velocity."""
TRAINS = ("encoder", "both", "decoder", "upscaler")
"""What phases train, in their order."""


@dataclass(frozen=True)
class SemanticLoss:
    """The weights of the losses; the squared error of the noise, over the share that is kept of the picture (which is
    that of the velocity), counts once, times `diffusion`. temperature: of the contrast. drop: the share of pictures
    whose vector the decoder is not told, for guidance. recon_w: the L1 error of the picture without its noise; tv_w:
    its total variation; clip_w: 1 - cosine of its vector, as the encoder sees it, and the one that it was drawn
    from."""

    diffusion: float = 1.0
    distil: float = 1.0
    contrast: float = 0.5
    temperature: float = 0.1
    drop: float = 0.1
    recon_w: float = 0.0
    tv_w: float = 0.0
    clip_w: float = 0.0

    def __post_init__(self) -> None:
        for name, value in self.__dict__.items():
            if not 0 <= value <= 1000:
                raise ValueError(f"{name} must be a number from 0 to 1000")
        if not self.temperature or self.drop >= 1:
            raise ValueError("temperature must be above 0, and drop below 1")

    def trains(self, what: str) -> bool:
        """Whether any of the losses of a phase that trains this counts."""
        encoder, decoder = self.distil + self.contrast, self.diffusion + self.recon_w + self.tv_w + self.clip_w
        # the upscaler's loss has no weight
        return {"encoder": encoder, "both": encoder + decoder, "decoder": decoder, "upscaler": 1.0}[what] > 0


@dataclass(frozen=True)
class SemanticPhase(Phase):
    """trains: the encoder, without the decoder's loss; both together; the decoder alone, on vectors as they come out of
    the quantizer; or the upscaler (`imgcodec.training.semantic.upscaler`). batch: 0 for that of the recipe."""

    trains: Literal["encoder", "both", "decoder", "upscaler"] = "both"
    batch: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch < 0:
            raise ValueError("batch must be a whole number, 0 or more")


class SemanticNetworks(nn.Module):
    """The tokenizer, and a linear map from the meaning in its vectors to those of the teacher, which the model file has
    not."""

    def __init__(self, tokenizer: SemanticTokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        encoder = tokenizer.encoder
        self.student = nn.Linear(encoder.config.meaning if isinstance(encoder, FeatureEncoder) else encoder.dim, DIM)


class SemanticObjective(nn.Module):
    """(progress, view (B, 3, side, side), changed view, pixels to draw (B, 3, S, S), teacher's vectors (B, 1280), times
    (B,), noise (B, 3, S, S), dropped (B,)) -> loss, and figures to log. All pictures in 0..1."""

    def __init__(self, networks: SemanticNetworks, loss: SemanticLoss, trains: str, mixed: bool) -> None:
        super().__init__()
        self.networks, self.loss, self.trains, self.mixed = networks, loss, trains, mixed

    def forward(
        self, progress: float, view: Tensor, changed: Tensor, pixels: Tensor, taught: Tensor, times: Tensor,
        noise: Tensor, dropped: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        weights, encoder = self.loss, self.networks.tokenizer.encoder
        figures: dict[str, Tensor] = {}
        loss = pixels.new_zeros(())
        with mixed_precision(pixels.device, self.mixed):
            if self.trains == "decoder":
                with torch.no_grad():
                    quantizer = self.networks.tokenizer.quantizer
                    vector = quantizer.dequantize(quantizer.quantize(encoder(view)))
            else:
                both = encoder(torch.cat([view, changed]))
                vector, other = both.chunk(2)
                if weights.distil:
                    student = self.networks.student
                    seen = student(both[:, -student.in_features :]).float()
                    figures["distil"] = 1 - F.cosine_similarity(seen, taught.repeat(2, 1)).mean()
                    loss = loss + weights.distil * figures["distil"]
                if weights.contrast:
                    figures["contrast"], figures["recall"] = _contrast(
                        encoder.search_vector(vector), encoder.search_vector(other), weights.temperature
                    )
                    loss = loss + weights.contrast * figures["contrast"]
            if self.trains != "encoder":
                loss = loss + self._diffusion(vector, pixels, times, noise, dropped, figures)
        return loss, {"loss": loss, **figures}

    def _diffusion(
        self, vector: Tensor, pixels: Tensor, times: Tensor, noise: Tensor, dropped: Tensor, figures: dict[str, Tensor]
    ) -> Tensor:
        weights, tokenizer = self.loss, self.networks.tokenizer
        decoder = tokenizer.decoder
        thumbnail = tokenizer.encoder.thumbnail(vector)
        # detached: the thumbnail is as good as it can be, and would only be pulled to where little is left to draw
        hint = decoder.hint(None if thumbnail is None else thumbnail.detach(), len(pixels))
        difference = decoder.to_difference(pixels, hint)
        noisy = decoder.noise.q_sample(difference, times, noise)
        found = decoder.predict(noisy, times, vector * ~dropped[:, None], hint).float()
        error = (found - noise).square().mean((1, 2, 3))
        figures["noise"] = error.mean()
        kept = decoder.noise.kept.to(times.device)[times]
        figures["velocity"] = (error / kept).mean()
        loss = weights.diffusion * figures["velocity"]
        if not (weights.recon_w or weights.tv_w or weights.clip_w):
            return loss
        drawn = decoder.to_pixels(decoder.noise.predict_x0(noisy, times, found), hint)
        if weights.recon_w:  # as far as the picture can be seen through the noise
            figures["recon"] = (kept * (drawn - pixels).abs().mean((1, 2, 3))).mean()
            loss = loss + weights.recon_w * figures["recon"]
        if weights.tv_w:
            across = (drawn[..., 1:] - drawn[..., :-1]).abs().mean((1, 2, 3))
            down = (drawn[..., 1:, :] - drawn[..., :-1, :]).abs().mean((1, 2, 3))
            figures["tv"] = (kept * (across + down)).mean()
            loss = loss + weights.tv_w * figures["tv"]
        if weights.clip_w:
            side = tokenizer.encoder.side
            again = tokenizer.encoder(F.interpolate(drawn, (side, side), mode="bilinear"))
            unlike = 1 - F.cosine_similarity(again.float(), vector.detach().float())
            figures["align"] = (kept * unlike).mean()
            loss = loss + weights.clip_w * figures["align"]
        return loss


def _contrast(one: Tensor, other: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """InfoNCE (van den Oord et al. 2018) in both directions of unit vectors (B, n), and how often the right one is
    nearest."""
    likeness = one.float() @ other.float().T / temperature
    right = torch.arange(len(one), device=one.device)
    loss = (F.cross_entropy(likeness, right) + F.cross_entropy(likeness.T, right)) / 2
    return loss, (likeness.argmax(0) == right).float().mean()


@dataclass(frozen=True)
class SemanticData:
    """views: to train on. held_out: pictures to validate on, uint8 (H, W, 3)."""

    views: Views
    held_out: list[NDArray[np.uint8]]
    batch: int
    device: torch.device

    def batch_of(self, tokenizer: SemanticTokenizer, step: int, batch: int) -> tuple[Tensor, ...]:
        """What the objective takes, but for progress; the same for the same step."""
        rank = distributed.rank()
        rng = np.random.default_rng((self.views.seed, step, rank, 1))
        generator = torch.Generator().manual_seed(hash((self.views.seed, step, rank)) % 2**63)
        drawn = self.views.draw(batch, step, rank)
        side, size = tokenizer.encoder.side, tokenizer.decoder.config.side
        views = [self.views.view(*numbers) for numbers in drawn]
        if self.views.targets is None:
            taught = torch.zeros(batch, DIM)
        else:
            taught = torch.stack([self.views.targets[p, v] for p, v in drawn]).float()
        parts = (
            as_tensor([as_square(view, side) for view in views]),
            as_tensor([as_square(augmented(view, rng), side) for view in views]),
            as_tensor([as_square(view, size) for view in views]),
            taught,
            torch.randint(tokenizer.decoder.noise.steps, (batch,), generator=generator),
            torch.randn((batch, 3, size, size), generator=generator),
            torch.rand(batch, generator=generator),
        )
        return tuple(part.to(self.device) for part in parts)


def train_phase(
    networks: SemanticNetworks, phase: SemanticPhase, data: SemanticData, loss: SemanticLoss, mixed: bool, folder: Path,
    resume: bool,
) -> None:  # fmt: skip
    """Trains for one phase, and leaves the averaged weights in the networks."""
    tokenizer = networks.tokenizer
    networks.requires_grad_(False)
    if phase.trains != "decoder":
        tokenizer.encoder.requires_grad_(True)
        networks.student.requires_grad_(bool(loss.distil))
    if phase.trains != "encoder":
        tokenizer.decoder.requires_grad_(True)
    run = Run(phase, networks, lambda name: "normal", folder)
    if resume:
        run.resume()
    size = phase.batch or data.batch

    def batch(step: int) -> tuple[Tensor, ...]:
        *parts, chance = data.batch_of(tokenizer, step, size)
        return *parts, chance < loss.drop

    objective = SemanticObjective(networks, loss, phase.trains, mixed)
    run_phase(run, objective, batch, lambda: validate(networks, data, phase.trains != "encoder"))


@torch.no_grad()
def validate(networks: SemanticNetworks, data: SemanticData, draws: bool) -> Report:
    """Of pictures held out: PSNR of the thumbnail, how often a changed picture finds its original among them; of
    the decoder the error of the velocity, and a grid with originals, thumbnails and what is drawn, below each other."""
    tokenizer = networks.tokenizer
    encoder, decoder = tokenizer.encoder, tokenizer.decoder
    rng = np.random.default_rng(0)
    held_out = data.held_out[:MOST_VALIDATED]
    pixels = as_tensor([as_square(p, decoder.config.side) for p in held_out]).to(data.device)
    vector = encoder(as_tensor([as_square(p, encoder.side) for p in held_out]).to(data.device)).float()
    others = [as_square(augmented(p, rng), encoder.side) for p in held_out]
    changed = encoder(as_tensor(others).to(data.device)).float()
    likeness = encoder.search_vector(changed) @ encoder.search_vector(vector).T
    right = torch.arange(len(vector), device=vector.device)
    figures = {"recall": float((likeness.argmax(1) == right).float().mean())}
    thumbnail = encoder.thumbnail(vector)
    hint = decoder.hint(thumbnail, len(vector))
    figures["thumbnail_psnr"] = float(-10 * (hint - pixels).square().mean((1, 2, 3)).log10().mean())
    if not draws:
        return Report(figures)
    generator = torch.Generator().manual_seed(0)
    errors = []
    for per_mille in TIMES:
        times = torch.full((len(pixels),), per_mille * decoder.noise.steps // 1000, device=data.device)
        noise = torch.randn(pixels.shape, generator=generator).to(data.device)
        noisy = decoder.noise.q_sample(decoder.to_difference(pixels, hint), times, noise)
        error = (decoder.predict(noisy, times, vector, hint) - noise).square().mean()
        errors.append(error / decoder.noise.kept[times[0].cpu()])
    figures["velocity"] = float(torch.stack(errors).mean())
    few = slice(SHOWN)
    steps = min(SHOWN_STEPS, decoder.noise.steps)
    *_, drawn = decoder.draw(vector[few], None if thumbnail is None else thumbnail[few], steps, 0.0, 1.0, seed=0)
    rows = [torch.cat(list(row), 2) for row in (pixels[few], hint[few], drawn)]
    return Report(figures, {"samples": torch.cat(rows, 1)})
