"""A semantic model that trains in a second, and pictures to train it on."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

FEATURES = {"kind": "shipped", "side": 32, "thumbnail": 8, "layout": 24, "meaning": 16, "widths": [16, 32],
            "blocks": [1, 1], "search_layout": 0.25}  # fmt: skip
DECODER = {"side": 16, "patch": 2, "base": 16, "ch_mult": [1, 2], "blocks": 1, "condition": 16, "steps": 100}
UPSCALER = {"width": 4, "blocks": 1}
PHASE = "steps = 2\nbatch = 4\nvalidate_every = 2\nwarmup = 1\nrate = 1e-3\naverage = 0.5"


def recipe_text(*trains: str, **loss: float) -> str:
    """A recipe with a phase of two steps for each of `trains`."""
    weights = {"distil": 0.0, **loss}
    lines = ['profile = "semantic"', "crop = 32", "batch = 4", "views = 2", "layout_bytes = 14", "meaning_bytes = 10"]
    lines += [f"{part} = {table(values)}" for part, values in (("features", FEATURES), ("decoder", DECODER))]
    if "upscaler" in trains:
        lines.append(f"upscaler = {table(UPSCALER)}")
    lines.append(f"loss = {table(weights)}")
    for name in trains:
        lines += ["[[phases]]", f'name = "{name}"', f'trains = "{name}"', PHASE]
    return "\n".join(lines) + "\n"


def table(values: dict) -> str:
    return "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in values.items()) + "}"


def pictures(count: int, side: int = 48, seed: int = 0) -> list[np.ndarray]:
    """Different pictures, uint8 (side, side, 3): a few coloured shapes on a gradient."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    made = []
    for _ in range(count):
        a, b = rng.integers(0, 256, (2, 3))
        angle = rng.uniform(0, 2 * np.pi)
        ramp = ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) + 0.7) / 1.4
        picture = a + (b - a) * ramp[..., None]
        for _ in range(3):
            cx, cy, radius = *rng.uniform(0.1, 0.9, 2), rng.uniform(0.08, 0.3)
            picture = np.where(((x - cx) ** 2 + (y - cy) ** 2 < radius**2)[..., None], rng.integers(0, 256, 3), picture)
        made.append(picture.clip(0, 255).astype(np.uint8))
    return made


def save(folder: Path, made: list[np.ndarray]) -> Path:
    """Writes pictures as PNG files, 00.png and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(made):
        Image.fromarray(picture).save(folder / f"{number:02d}.png")
    return folder


def save_small_model(path: Path, seed: int = 0) -> Path:
    """Writes a model file with a decoder of random weights, and an encoder whose layout is that of `pictures`."""
    import torch

    from imgcodec.pictures.square import as_square
    from imgcodec.priors.channel import ChannelPrior
    from imgcodec.profiles.semantic.model import build_tokenizer, round_as_stored
    from imgcodec.training.semantic.calibrate import set_scales, set_tables
    from imgcodec.training.semantic.recipe import export_semantic
    from imgcodec.training.semantic.views import as_tensor

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tokenizer = build_tokenizer(FEATURES, DECODER).eval().requires_grad_(False)
        for layer in tokenizer.decoder.unet.modules():
            if isinstance(layer, torch.nn.Conv2d):  # the last ones would be zeros, and nothing would tell of the vector
                torch.nn.init.normal_(layer.weight, std=0.1)
    x = as_tensor([as_square(picture, FEATURES["side"]) for picture in pictures(120, seed=9)])
    tokenizer.encoder.init_from_data(tokenizer.encoder.small(x))
    tokenizer.decoder.spread.fill_(0.1)
    round_as_stored(tokenizer)
    vectors = tokenizer.encoder(x)
    set_scales(tokenizer, vectors, [(FEATURES["layout"], 14), (FEATURES["meaning"], 10)])
    prior = ChannelPrior(tokenizer.encoder.dim)
    set_tables(tokenizer, prior, vectors)
    export_semantic(tokenizer, prior, path)
    return path
