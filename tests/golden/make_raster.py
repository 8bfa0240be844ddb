"""Made the golden files of the profile `raster`, and adds new ones; see make.py, whose rules hold here.

    python tests/golden/make_raster.py

    snac, svqvae, bsq, pixelcnn .safetensors    a small model of each kind, trained for seconds on one photograph
    family.json                                 what golden.json is for the first model; frozen, like the name that its
                                                note has for this script

Each has files of an odd size, of two tiles, and of tokens that no picture has.
"""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make import FOLDER, PHOTOGRAPH, make_picture
from PIL import Image

import imgcodec
from imgcodec import Model
from imgcodec.priors.raster.init import init_embeddings
from imgcodec.profiles.raster.model import build_prior, build_tokenizer, round_as_stored
from imgcodec.tokens import Tokens
from imgcodec.training.raster.export import export_raster
from imgcodec.training.raster.objective import (
    CropTokens,
    LossWeights,
    RasterData,
    RasterNetworks,
    RasterPhase,
    calibrate_prior,
    train_prior,
    train_tokenizer,
)

RASTER = {"kind": "raster", "width": 32, "hidden": 48, "heads": 2, "blocks": 2}
VQ = {"kind": "vq", "ch": 4, "z_channels": 6, "codebook_embed_dim": 6, "num_res_blocks": 1}

# profile: tokenizer, prior
MODELS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "snac": (
        {"kind": "snac", "latent_dim": 8, "codebook_size": 64, "codebook_dim": 6, "widths": [16, 8]},
        {**RASTER, "sides": [2, 4, 8, 16], "codes": 64, "digits": [8, 8]},
    ),
    "svqvae": (
        {**VQ, "encoder_ch_mult": [1, 1, 1, 2, 2], "decoder_ch_mult": [1, 1, 1, 2, 2], "codebook_size": 256},
        {**RASTER, "sides": [16], "codes": 256, "digits": [16, 16]},
    ),
    "bsq": (
        {"kind": "bsq", "bits_of": [4, 3, 3, 2, 2, 1], "latent_dim": 8, "widths": [16, 8]},
        {**RASTER, "sides": [16], "codes": 32768, "digits": [32, 32, 32]},
    ),
    "pixelcnn": (
        {
            **VQ,
            "encoder_ch_mult": [1, 1, 2, 2],
            "decoder_ch_mult": [1, 1, 2, 2],
            "codebook_size": 64,
            "patch_nums": [1],
        },
        {"kind": "pixelcnn", "num_codes": 64, "latent_dim": 16, "image_size": 32, "num_blocks": 3},
    ),
}

# name: (left, top, width, height) as in make.py, PIL mode
FILES = {
    "odd-size": ((420, 250, 75, 49), "RGB"),
    "two-tiles": ((500, 280, 300, 20), "RGB"),
    "random": ((0, 0, 40, 33), "L"),
}
RANDOM = "random"  # keeps nothing of its picture: any code anywhere


def make_model(profile: str, path: Path) -> None:
    """A short training on one photograph."""
    torch.manual_seed(1)
    tokenizer, prior = MODELS[profile]
    model = RasterNetworks(build_tokenizer(tokenizer), build_prior(prior))
    photographs = [np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))]
    tile = torch.from_numpy(photographs[0][:256, :256].copy()).permute(2, 0, 1)[None]
    weights = LossWeights(commit=8.0 if tokenizer["kind"] == "vq" else 1.0)
    data = RasterData(photographs, tile, weights, crop=128, batch=2, token_crops=64, mixed=False)
    model.tokenizer.init_from_data(data.crops(256, 64, 0).float() / 255)
    with tempfile.TemporaryDirectory() as folder:
        phase = RasterPhase("tokenizer", steps=60, rate=1e-3, warmup=5, average=0.9)
        train_tokenizer(model, phase, data, Path(folder), resume=False)
        round_as_stored(model.tokenizer)
        init_embeddings(model.prior, model.tokenizer.code_vectors())
        tokens = CropTokens(model.tokenizer.eval(), data)
        phase = RasterPhase("prior", steps=150, rate=3e-3, warmup=5, average=0.9, trains="prior")
        train_prior(model, phase, data, tokens, Path(folder), resume=False)
    calibrate_prior(model.prior, tokens, batch=2)
    export_raster(profile, model.tokenizer, model.prior, path)


def random_tokens(like: Tokens, codes: int) -> Tokens:
    """Tokens of the same shapes, any of the codes."""
    rng = np.random.default_rng(1)
    return Tokens(like.header, [rng.integers(0, codes, s.shape).astype(s.dtype) for s in like.stages])


def make_file(model: Model, profile: str, name: str) -> dict[str, object]:
    """Writes a golden file and its picture; returns its entry in family.json."""
    place, mode = FILES[name]
    data = model.compress(make_picture(place, mode))
    if name == RANDOM:
        tokenizer = build_tokenizer(MODELS[profile][0])
        data = model.write_tokens(random_tokens(model.read_tokens(data), tokenizer.codebook_size))
    path = FOLDER / f"{profile}-{name}.nic"
    path.write_bytes(data)
    model.decompress(data).save(path.with_suffix(".png"), optimize=True)
    tokens = model.read_tokens(data)
    return {
        "model": profile,
        "width": tokens.header.width,
        "height": tokens.header.height,
        "mode": mode,
        "bytes": len(data),
        "tokens_sha256": tokens.sha256(),
    }


def main() -> None:
    index = FOLDER / "family.json"
    golden = json.loads(index.read_text()) if index.exists() else {
        "note": "Frozen for ever: every later version decodes these files to these tokens. See make_raster.py.",
        "models": {},
        "files": {},
    }  # fmt: skip
    for profile in MODELS:
        path = FOLDER / f"{profile}.safetensors"
        if not path.exists():
            make_model(profile, path)
        model = imgcodec.load_model(str(path))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        golden["models"].setdefault(profile, {"file": path.name, "id": model.id.hex(), "sha256": sha256})
        for name in FILES:
            if f"{profile}-{name}" not in golden["files"]:
                golden["files"][f"{profile}-{name}"] = make_file(model, profile, name)
    index.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
