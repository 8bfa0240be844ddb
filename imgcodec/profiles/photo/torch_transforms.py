"""The transforms of a `photo` model in PyTorch: see `imgcodec.profiles.photo.nets.Transforms`."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgcodec.parallel import Threads
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.profiles.photo.masking import importance
from imgcodec.profiles.photo.nets import latents_of
from imgcodec.speed import reduced_precision, torch_threads
from imgcodec.tokenizers.blocks import BLOCK, Box, rows_and_columns
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import POOL, STRIDES, RVQConfig
from imgcodec.tokenizers.transforms import Synthesis


@dataclass(frozen=True)
class TorchTransforms:
    """A tokenizer on a device. `exact_arithmetic` keeps TF32 out of it, which would cost more than a gray level."""

    tokenizer: ResidualVQ
    device: torch.device

    @property
    def config(self) -> RVQConfig:
        return self.tokenizer.config

    @property
    def threads(self) -> Threads:
        """See `Transforms`."""
        return torch_threads(self.device)

    def analyse(self, pixels: NDArray[np.uint8], shown: Box) -> Tensor:
        """(1, C, rows, columns), on the device."""
        x = torch.from_numpy(pixels).to(self.device).permute(2, 0, 1)[None]
        with exact_arithmetic(), reduced_precision(self.device):
            return self.tokenizer.analysis(x.float().div_(255), shown)

    def quantize(
        self, latent: Tensor, level: float, masked: bool
    ) -> tuple[NDArray[np.float16], NDArray[np.float16], NDArray[np.float32] | None]:
        """See `Transforms`."""
        with exact_arithmetic():
            levels = self._levels(level)
            found = self.tokenizer.scaled_residuals(latent, levels)
            coarse, fine = (values[0].half().cpu().numpy() for values in found)
            weight = importance(self.tokenizer, latent, found[1], levels)[0].cpu().numpy() if masked else None
            return coarse, fine, weight

    def synthesise(
        self, coarse: NDArray[np.int16], fine: NDArray[np.int16], level: float, shown: Box
    ) -> NDArray[np.uint8]:
        """See `Transforms`."""
        with exact_arithmetic():
            latents, place = latents_of(shown)
            latent = self._latent(coarse, fine, level).contiguous(memory_format=torch.channels_last)
            with reduced_precision(self.device):
                decoded = self._synthesis(level)(latent, self._levels(level % self.config.levels), latents)
            return _samples(decoded[:, :, *rows_and_columns(place)])

    def reduced(
        self, coarse: NDArray[np.int16], fine: NDArray[np.int16], level: float, reduction: int
    ) -> NDArray[np.uint8]:
        """See `Transforms`."""
        with exact_arithmetic():
            if reduction == STRIDES[0]:
                tokens = [torch.from_numpy(coarse).to(self.device)[None]]
                latent = self.tokenizer.dequantize(tokens, self._levels(level))[:, :, ::POOL, ::POOL]
            else:
                latent = self._latent(coarse, fine, level)
            return _samples(self._synthesis(level).reduced(latent, min(reduction, BLOCK)))

    def _latent(self, coarse: NDArray[np.int16], fine: NDArray[np.int16], level: float) -> Tensor:
        tokens = [torch.from_numpy(stage).to(self.device)[None] for stage in (coarse, fine)]
        return self.tokenizer.dequantize(tokens, self._levels(level))

    def _levels(self, level: float) -> Tensor:
        return torch.tensor([level], dtype=torch.float32, device=self.device)

    def _synthesis(self, level: float) -> Synthesis:
        visual = self.tokenizer.visual
        return self.tokenizer.synthesis if visual is None or level < self.config.levels else visual


def _samples(pixels: Tensor) -> NDArray[np.uint8]:
    """(1, 3, H, W) -> (H, W, 3)."""
    return pixels[0].permute(1, 2, 0).mul(255).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
