"""CLIP (Radford et al. 2021) as an encoder of pictures, through `open_clip_torch`, which is the extra `clip`.

The weights are no part of a model file: it names them, and has a digest of them. They are loaded when the first picture
or text is encoded; decoding needs none.
"""

import hashlib
import logging
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.bitstream.errors import CodecError, UsageError

PREFIX = "open_clip:"
EXTRA = "CLIP features need the extra: pip install 'imgcodec[clip]'."


@dataclass(frozen=True)
class ClipConfig:
    """model: its name in open_clip, as ViT-B-32. weights: their tag, as laion2b_s34b_b79k, or the path of a checkpoint.
    digest: the first 16 hexadecimal digits of the SHA-256 of the weights; empty for any. dim: numbers in a vector.
    side: pixels of the square that is looked at."""

    model: str
    weights: str
    digest: str = ""
    dim: int = 512
    side: int = 224


class ClipEncoder(nn.Module):
    """What `FeatureEncoder` is, but for its vectors, which hold no thumbnail."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.config = config
        self._loaded: list[nn.Module] = []  # a list, so that its weights are none of ours
        self.weights: str | None = None
        """Where the weights are: a tag or a path. A model file only says what they were, for it may be anyone's, and
        nothing is fetched from the network or opened unless a user says so."""

    @property
    def side(self) -> int:
        return self.config.side

    @property
    def dim(self) -> int:
        return self.config.dim

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> Tensor:
        """Raises CodecError as `open_clip_model`, and for weights that are not those of the model file."""
        clip = self._clip(pixels.device)
        mean, std = (pixels.new_tensor(n)[:, None, None] for n in (clip.visual.image_mean, clip.visual.image_std))
        return F.normalize(clip.encode_image((pixels - mean) / std).float(), dim=1)

    @torch.no_grad()
    def text(self, words: str) -> Tensor:
        """A description -> its unit vector (1, dim). Raises as `forward`."""
        clip = self._clip(torch.device("cpu"))
        tokenizer = import_module("open_clip").get_tokenizer(self.config.model)
        return F.normalize(clip.encode_text(tokenizer([words])).float(), dim=1)

    def thumbnail(self, vector: Tensor) -> Tensor | None:
        return None

    def search_vector(self, vector: Tensor) -> Tensor:
        return F.normalize(vector.float(), dim=1)

    def _clip(self, device: torch.device) -> Any:
        if not self._loaded:
            if self.weights is None:
                known = f"{PREFIX}{self.config.model}/{self.config.weights}"
                raise CodecError(f"The model takes features of CLIP: say where the weights are, as --features {known}.")
            clip = open_clip_model(self.config.model, self.weights)
            if self.config.digest and digest_of(clip) != self.config.digest:
                raise CodecError(
                    f"{self.weights} are not the weights of {self.config.model} that the model was made with."
                )
            self._loaded.append(clip)
        return self._loaded[0].to(device)


def clip_config(features: str) -> ClipConfig:
    """Of what `--features` takes, as open_clip:ViT-B-32/laion2b_s34b_b79k or open_clip:ViT-B-32/FILE; loads the weights
    to see what they are. Raises UsageError for other texts, CodecError as `open_clip_model`."""
    model, weights = parse_features(features)
    clip = open_clip_model(model, weights)
    side = clip.visual.image_size
    side = side[0] if isinstance(side, tuple | list) else side
    with torch.no_grad():
        dim = clip.encode_image(torch.zeros(1, 3, side, side)).shape[1]
    return ClipConfig(model, weights, digest_of(clip), dim, side)


def clip_encoder(features: str) -> ClipEncoder:
    """The encoder of what `--features` takes, with its weights. Raises as `clip_config`."""
    encoder = ClipEncoder(clip_config(features))
    encoder.weights = encoder.config.weights
    return encoder


def parse_features(features: str) -> tuple[str, str]:
    """Name of a CLIP model, and tag or path of its weights. Raises UsageError for other texts."""
    model, _, weights = features.removeprefix(PREFIX).partition("/")
    if not features.startswith(PREFIX) or not model or not weights:
        raise UsageError(
            f"Features are open_clip:MODEL/WEIGHTS, as open_clip:ViT-B-32/laion2b_s34b_b79k, not {features!r:.60}."
        )
    return model, weights


def open_clip_model(model: str, weights: str) -> Any:
    """A CLIP model, ready to be used. Raises CodecError, in one sentence, where the extra is missing, there is no such
    model, its weights cannot be had, or a checkpoint is not of it."""
    if find_spec("open_clip") is None:
        raise CodecError(EXTRA)
    open_clip = import_module("open_clip")
    if model not in open_clip.list_models():
        raise UsageError(f"There is no model {model!r:.60} in open_clip.")
    is_file = Path(weights).is_file()
    if not is_file and weights not in open_clip.list_pretrained_tags_by_model(model):
        raise CodecError(f"{weights} is neither a file nor the name of weights that open_clip has for {model}.")
    before = logging.root.manager.disable
    try:
        logging.disable(logging.CRITICAL)  # what goes wrong is said once, by us
        found = open_clip.create_model(model, pretrained=weights)
    except Exception as error:  # of many kinds, from several libraries
        if is_file:
            raise CodecError(f"{weights} is not a checkpoint of {model}.") from error
        raise CodecError(
            f"The weights {weights} of {model} cannot be had: get {_place_of(open_clip, model, weights)} elsewhere, "
            f"and give --features {PREFIX}{model}/FILE."
        ) from error
    finally:
        logging.disable(before)
    return found.eval().requires_grad_(False)


def _place_of(open_clip: Any, model: str, weights: str) -> str:
    """Where a file of weights comes from, in words."""
    about = open_clip.get_pretrained_cfg(model, weights) or {}
    hub, url = str(about.get("hf_hub") or "").rstrip("/"), str(about.get("url") or "")
    return f"open_clip_model.safetensors of {hub} on the Hugging Face hub" if hub else url or "the file"


def digest_of(clip: nn.Module) -> str:
    """Names the weights of a CLIP model: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(clip.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
