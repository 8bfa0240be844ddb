"""The losses of the `photo` tokenizer and prior: bpp + lambda * 255^2 * MSE for all qualities at once, and perceptual
metrics for the synthesis of `--tune visual`, on the tokens of its own tune."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from imgcodec.metrics.differentiable import visual_loss
from imgcodec.training.loop import Phase
from imgcodec.training.photo.data import Lambdas
from imgcodec.training.photo.networks import PhotoNetworks, weights_as_stored
from imgcodec.training.photo.rates import decoded_latent, rate_and_distortion
from imgcodec.training.precision import mixed_precision


@dataclass(frozen=True)
class PhotoPhase(Phase):
    """trains: all, or only the prior, the synthesis or the visual synthesis, which for frozen tokens do not depend on
    each other; or only the post filter of one of these (`imgcodec.training.photo.post_filter`). linear_until: the
    fraction of the phase in which the analysis is its linear path alone (a quarter cheaper). noisy: the gradient of the
    rate by the latent comes from uniform noise instead of straight-through rounding, and dead zeros have none.
    quantized: the prior trains with fake quantization, so that its export to integers loses next to nothing.
    shift_gains: added to the logarithm of the gains of stage 1 before the phase, one number for each slice of the
    prior. Straight-through gradients do not see that tokens of early slices are context for later ones, and make their
    steps too wide. begin_visual: before the phase the model gets a visual tune: steps by sensitivity
    (`imgcodec.training.photo.visual`), level tables and synthesis as copies of those for PSNR. decoded: the crops that
    a post filter learns from, 600 KB each at 256 x 256.
    """

    trains: Literal["all", "prior", "synthesis", "visual", "filter", "visual filter"] = "all"
    linear_until: float = 0.0
    noisy: bool = False
    quantized: bool = False
    shift_gains: tuple[float, ...] = ()
    begin_visual: bool = False
    decoded: int = 1500

    @property
    def is_visual(self) -> bool:
        """Whether it trains what only the visual tune has."""
        return self.trains in ("visual", "visual filter")

    @property
    def trains_filter(self) -> bool:
        """Whether it trains a post filter alone."""
        return self.trains in ("filter", "visual filter")


class PhotoObjective(nn.Module):
    """(progress, pixels uint8 (B, 3, H, W), level (B,)) -> loss, and figures to log.

    Levels of the visual tune follow those of the other; a phase that trains its synthesis has them as for PSNR."""

    def __init__(self, model: PhotoNetworks, phase: PhotoPhase, lambdas: Lambdas) -> None:
        super().__init__()
        self.model, self.phase, self.lambdas = model, phase, lambdas

    def forward(self, progress: float, pixels: Tensor, level: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        pixels = pixels.float().div_(255)
        tokenizer, trains = self.model.tokenizer, self.phase.trains
        with mixed_precision(pixels.device):
            if trains == "visual":
                return visual_loss(pixels, decode_visually(self.model, pixels, level))
            linear = progress < self.phase.linear_until
            bits, error = rate_and_distortion(
                tokenizer, self.model.prior, pixels, level, linear, trains, self.phase.noisy
            )
        levels = tokenizer.config.levels
        bpp, lambda_ = bits / pixels[0, 0].numel(), self.lambdas.at(level % levels, levels)
        loss = ((bpp + lambda_ * 255**2 * error) / lambda_.sqrt()).mean()
        return loss, {"loss": loss, "bpp": bpp.mean(), "psnr": -10 * error.clamp(min=1e-10).log10().mean()}


def decode_visually(model: PhotoNetworks, pixels: Tensor, level: Tensor) -> Tensor:
    """Pixels (B, 3, H, W) in 0..1 and level (B,) as for PSNR -> their reconstruction in the visual tune, with gradients
    for its synthesis alone."""
    tokenizer = model.tokenizer
    assert tokenizer.visual is not None
    with torch.no_grad():
        latent = decoded_latent(model, pixels, level + tokenizer.config.levels)
    decoded: Tensor = functional_call(tokenizer.visual, weights_as_stored(tokenizer.visual), (latent, level))
    return decoded
