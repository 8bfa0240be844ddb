"""A model of two tunes, with post filters and steps that are wider by contrast, made of the tiny one."""

from dataclasses import replace
from pathlib import Path

import torch

from imgcodec.model_file.model import save_model
from imgcodec.priors.integer.trainable import LevelTable, export, restore
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.profiles.photo.model import load_photo_model, photo_model_contents
from imgcodec.tokenizers.rvq import ResidualVQ


def save_two_tunes(path: Path) -> None:
    """Writes the tiny model with a second tune, a shaken copy of the first, and for both post filters and steps
    that are wider by contrast."""
    tiny = load_photo_model(str(Path(__file__).parent / "golden" / "tiny.safetensors"))
    torch.manual_seed(1)
    tokenizer = ResidualVQ(
        replace(tiny.tokenizer.config, visual=True, widening=(0.1, 0.3), width_filter=8, filter_blocks=1)
    )
    state = tiny.tokenizer.state_dict()
    for name, tensor in list(state.items()):
        if name.startswith("synthesis."):
            state[name.replace("synthesis.", "visual.")] = tensor * (1 + 0.01 * torch.randn(tensor.shape))
    for name, tensor in tokenizer.state_dict().items():
        if ".post_filter." in name:
            state[name] = tensor + 0.05 * torch.randn(tensor.shape)
    state["visual_shift"] = torch.linspace(0.3, -0.3, len(tokenizer.visual_shift))
    state["contrast"] = torch.linspace(2, 0, len(tokenizer.contrast))
    tokenizer.load_state_dict(state)
    prior = PhotoPrior(replace(tiny.prior.config, tunes=2))
    restore(prior, tiny.prior)
    for layer in prior.modules():
        if isinstance(layer, LevelTable):
            layer.rows.data[len(layer.rows) // 2 :].add_(0.2)
    export(prior)
    save_model(path, *photo_model_contents(tokenizer, prior, tiny.tables, tiny.lambdas))
