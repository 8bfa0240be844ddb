"""What is on record of the shipped weights: their ids, what they reach on three crops of the included photograph, and
files of them from two processors.

    python tests/expected/make.py                 # after a change of weights: all of it anew
    python tests/expected/make.py photo           # the ids, and the figures of one model

The ids come first, because a shipped model that has another id is refused as damaged. A model file that was exported
before there were digests gets one, and the picture of its known-answer test, which change no id:

    models/ids.json                     the id of each model, by its name
    models/NAME.safetensors             digest and picture, where it has none
    models/NAME.md                      the row `| id |` of its card
    NAME.json                           bytes of the file, PSNR in dB and SSIMULACRA2 for each crop, quality and tune
    photo-avx512.nic, photo-avx2.nic    the photograph, written under AVX-512 and under AVX2
    photo-avx512.png, photo-avx2.png    what a part of it decodes to, to one gray level
    files.json                          SHA-256 of the tokens of each of the two

The two files are the shipped model's golden files: they are made anew with each release of weights until 1.0, and from
then on kept. They take a processor with AVX-512; PyTorch is told to leave it alone for the second. For the first,
convolutions are in bfloat16, as on most of these processors, also on one that lacks the instructions and takes longer.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import imgcodec
from imgcodec.codec import detokenize, load_codec, tokenize, write_tokens
from imgcodec.metrics.reference import psnr
from imgcodec.metrics.ssimulacra2 import Ssimulacra2
from imgcodec.model_file.card import ID_ROW
from imgcodec.model_file.find import LARGEST_FILE, TABLE, find_model, id_of_file, installed_models, version_of
from imgcodec.model_file.model import save_model
from imgcodec.model_file.torch_tensors import as_torch
from imgcodec.model_file.untrusted import read_tensors
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.tokenizers.known_inputs import as_text
from imgcodec.tokenizers.known_picture import known_picture

FOLDER = Path(__file__).parent
MODELS = FOLDER.parent.parent / "models"
PHOTOGRAPH = FOLDER.parent.parent / "examples" / "photo.png"
CROPS = {
    "sky": (0, 0, 256, 256),
    "middle": (256, 128, 512, 384),
    "odd": (500, 250, 701, 427),
}  # left, top, right, bottom
QUALITIES = (15.0, 50.0, 85.0)
QUALITY_OF_FILES = 95.0  # so high that the two differ
PART = (300, 200, 460, 360)
IN_BFLOAT16 = """
from imgcodec import speed
speed.bfloat16_is_native = lambda: True
from imgcodec.__main__ import main
main()
"""
SETTINGS = {"avx512": {}, "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}}


def crop(box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    with Image.open(PHOTOGRAPH) as image:
        return np.asarray(image.convert("RGB").crop(box))


def ids() -> dict[str, str]:
    """Of the models in the package, computed from their files, by name."""
    return {name: id_of_file(version_of(find_model(name))).hex() for name in installed_models()}


def write_ids() -> None:
    """The table of ids, and the ids in the cards."""
    (MODELS / TABLE).write_text(json.dumps(ids(), indent=1) + "\n")
    for name, id in ids().items():
        card = MODELS / f"{name}.md"
        lines = [f"| id | `{id}` |" if ID_ROW.fullmatch(line) else line for line in card.read_text().splitlines()]
        card.write_text("\n".join(lines) + "\n")


def complete(name: str) -> None:
    """Adds to a model file what `save_model` and `model_metadata` write today."""
    path = find_model(name)
    tensors, metadata = read_tensors(path, LARGEST_FILE)
    if not {"digest", "picture"} <= metadata.keys():
        with exact_arithmetic():
            picture = known_picture(load_codec(name).tokenizer)
        save_model(path, as_torch(tensors), {**metadata, "picture": as_text(picture)})


def measure(name: str) -> list[dict[str, Any]]:
    """Bytes, PSNR and SSIMULACRA2 of every crop, quality and tune of an installed model.

    Of the tokens that are written, which need not be read for that: a raster prior takes seconds to read a tile.
    """
    codec = load_codec(name)
    found = []
    for crop_name, box in CROPS.items():
        pixels = crop(box)
        for quality in QUALITIES if codec.has_qualities else (None,):
            for tune in (tune.name.lower() for tune in codec.tunes):
                tokens = tokenize(codec, pixels, quality, tune if codec.has_qualities else None)
                back = detokenize(codec, tokens)
                figures = {
                    "bytes": len(write_tokens(codec, tokens)),
                    "psnr": round(psnr(pixels, back), 3),
                    "ssimulacra2": round(Ssimulacra2(pixels)(back) or 0.0, 2),
                }
                found.append({"crop": crop_name, "quality": quality, "tune": tune, **figures})
    return found


def write(name: str) -> None:
    """The figures of a model, and the files of `photo`."""
    complete(name)
    text = ",\n".join(f"  {json.dumps(row)}" for row in measure(name))
    (FOLDER / f"{name}.json").write_text(f"[\n{text}\n]\n")
    if name == "photo":
        hashes = {}
        for setting, environment in SETTINGS.items():
            path = FOLDER / f"photo-{setting}.nic"
            run = ["-c", IN_BFLOAT16] if setting == "avx512" else ["-m", "imgcodec"]
            command = [sys.executable, *run, "compress", str(PHOTOGRAPH), "-f", "-o", str(path)]
            command += ["-q", str(QUALITY_OF_FILES), "--engine", "torch"]  # which can be told its instructions
            subprocess.run(command, env={**os.environ, **environment}, check=True)
            hashes[setting] = imgcodec.read_tokens(path.read_bytes()).sha256()
            imgcodec.decompress(path.read_bytes()).crop(PART).save(path.with_suffix(".png"))
        (FOLDER / "files.json").write_text(json.dumps(hashes, indent=1) + "\n")


if __name__ == "__main__":
    write_ids()
    for wanted in sys.argv[1:] or ["photo", "snac", "svqvae", "bsq", "pixelcnn"]:
        write(wanted)
