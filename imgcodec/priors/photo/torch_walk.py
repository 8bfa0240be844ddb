"""The `photo` prior in PyTorch, as the codec walks it: see `imgcodec.priors.photo.coding.Walk`."""

from dataclasses import dataclass

import torch
from torch import Tensor

from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.photo.coding import SliceCoder
from imgcodec.priors.photo.transformer import PhotoPrior


@dataclass(frozen=True)
class TorchWalk:
    """A prior in integers, on its device."""

    prior: PhotoPrior

    def __call__(self, size: tuple[int, int], quality: int, code: SliceCoder, slices: int | None = None) -> None:
        """See `Walk`."""
        device = self.prior.upsample.weight.device

        def coded(stage: int, first: int, groups: int, parameters: Tensor, parity: int) -> Tensor:
            tokens = code(stage, first, groups, parameters[0].to(torch.int32).cpu().numpy(), parity)
            shape = (1, groups, *parameters.shape[2:])
            plane = torch.empty(shape, dtype=torch.float32, device=device, memory_format=torch.channels_last).zero_()
            plane[0, :, : tokens.shape[1], : tokens.shape[2]] = torch.from_numpy(tokens).to(device)
            return plane

        with exact_arithmetic():
            self.prior((1, *size), quality, coded, slices)
