"""Made the golden files, and adds new ones: a tiny model, files of it, and what they must decode to.

    python tests/golden/make.py

What is here is frozen for ever: every later version must decode these files to the same tokens. So nothing that exists
is made anew. To add a file, add a line to `FILES` and run this again; to cover a new version of the format or a new
kind of model, add a second model beside the first.

    tiny.safetensors   a model of the `photo` profile, small enough to be kept, good enough not to be trivial; its
                       known answer, no part of its id, has been replaced in place when the known-answer test grew
    *.nic              files of it
    *.png              the pixels that these decode to, to one gray level
    golden.json        SHA-256 of the tokens of each file, and how it was made; what is told of a damaged one
"""

import hashlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms

import imgcodec
from imgcodec import Model
from imgcodec.bitstream import container
from imgcodec.bitstream.entropy import FrequencyTables
from imgcodec.model_file.model import save_model
from imgcodec.pictures import io as images
from imgcodec.pictures.exif import of_density as exif_of_density
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.sections import picture_sections
from imgcodec.priors.integer.exact import check_bounds
from imgcodec.priors.integer.trainable import Attention, LevelTable, calibrate, export
from imgcodec.priors.photo.config import PhotoPriorConfig
from imgcodec.priors.photo.tables import fit_tables, integer_weights
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.profiles.photo import tile_coder
from imgcodec.profiles.photo.model import photo_model_contents
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import RVQConfig
from imgcodec.tokens import Tokens
from imgcodec.training.photo.data import PhotoData
from imgcodec.training.photo.export import symbol_counts
from imgcodec.training.photo.klt import init_from_klt
from imgcodec.training.photo.networks import PhotoNetworks
from imgcodec.training.photo.objective import PhotoPhase
from imgcodec.training.photo.phases import calibration_pass, train_phase

FOLDER = Path(__file__).parent
PHOTOGRAPH = FOLDER.parent.parent / "examples" / "photo.png"

# name: (left, top, width, height) of the photograph and its mirror image side by side, PIL mode, quality
FILES = {
    "one-pixel": ((100, 200, 1, 1), "RGB", 50),
    "one-block": ((300, 200, 64, 64), "RGB", 30),
    "odd-size": ((420, 250, 100, 75), "RGB", 62.5),
    "lowest": ((100, 100, 70, 130), "RGB", 0),
    "highest": ((500, 300, 90, 50), "RGB", 100),
    "gray": ((350, 150, 33, 65), "L", 40),
    "alpha": ((50, 350, 40, 30), "RGBA", 80),
    "two-tiles": ((0, 280, 1100, 40), "RGB", 75),
    "random-tokens": ((0, 0, 100, 70), "RGB", 87.25),
    "everything": ((250, 180, 140, 100), "RGBA", 45),
    # from here on in version 2 of the format
    "version-2": ((420, 250, 100, 75), "RGB", 62.5),
    "few-calls": ((100, 100, 70, 130), "RGB", 0),
    "no-calls": ((0, 0, 70, 20), "RGB", 30),
    "divided": ((250, 180, 140, 100), "RGB", 75),
    "random-calls": ((0, 0, 100, 70), "RGB", 87.25),
}
RANDOM = ("random-tokens", "random-calls")  # keep nothing of their picture: tokens that no picture has, of any size
FEW_CALLS, NO_CALLS = "few-calls", "no-calls"  # only the first group of stage 1; zero codewords only
DIVIDED = ("divided", "random-calls")  # stage 1 in many sections
PART_BYTES = 12  # of them
DAMAGED = "divided-damaged"  # `divided` with four bytes changed in the middle of one of its sections

EVERYTHING = "everything"  # small tiles in rows and columns, and a section of every kind
SMALL_TILE = 64

CONFIG = RVQConfig(
    channels=(4, 6),
    codebooks=(1, 6),
    codes=511,
    levels=4,
    width_coarse=16,
    width_fine=8,
    analysis_blocks=(1, 1),
    synthesis_blocks=(1, 1),
)
PRIOR = PhotoPriorConfig(
    width=16,
    hidden=24,
    heads=2,
    slices=((2, 2), (2, 4)),
    windows=(2, 4),
    attention=((True, False), (False, True)),
    levels=4,
)
NARROW = 8  # tables of -8..8 and escape, where the shipped ones have -24..24: a quarter of the size, and more escapes


def make_model(path: Path) -> None:
    """A short training on one photograph, from a start in which nothing is zero that could be."""
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    photographs = [np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))]
    model = PhotoNetworks(ResidualVQ(CONFIG), PhotoPrior(PRIOR))
    data = PhotoData(photographs, [p[:256, :256] for p in photographs], batch=4)
    init_from_klt(model.tokenizer, model.prior, photographs, data.lambdas.at(torch.arange(4.0), 4), rng)
    shake(model)
    with tempfile.TemporaryDirectory() as folder:
        phase = PhotoPhase("tiny", steps=400, rate=3e-3, slow=0.03, warmup=20)
        train_phase(model, phase, data, Path(folder), resume=False)
    calibrate(model.prior, lambda: calibration_pass(model, data))
    export(model.prior)
    check_bounds(model.prior)
    counts = symbol_counts(model.tokenizer, model.prior, photographs, 60, rng)
    tensors, metadata = photo_model_contents(model.tokenizer, model.prior, narrow_tables(counts), (0.0008, 0.1))
    save_model(path, tensors, metadata | {"note": "Frozen for ever, with the files beside it: see make.py."})


@torch.no_grad()
def shake(model: PhotoNetworks) -> None:
    """Noise on what starts at zero and moves little in a short training: score biases, rows, learned codebooks."""
    for layer in model.prior.modules():
        match layer:
            case Attention():
                layer.position.normal_(0, 0.5)
            case LevelTable():
                layer.rows.add_(torch.randn_like(layer.rows) * 0.1)
    for book in model.tokenizer.codebooks:
        noise = torch.rand_like(book) * 0.6 - 0.3
        noise[:, CONFIG.codes // 2] = 0
        book.add_(noise)


def narrow_tables(counts: NDArray[np.float64]) -> FrequencyTables:
    """The usual tables with all that is beyond `NARROW` left to the escape."""
    wide = fit_tables(counts)
    probabilities = (wide.weights + 1.0) / 2**24
    inner = probabilities[:, wide.half - NARROW : wide.half + NARROW + 1]
    escape = 1 - inner.sum(1, keepdims=True)
    return FrequencyTables(integer_weights(np.concatenate([inner, escape], 1)), wide.shift)


def make_picture(place: tuple[int, int, int, int], mode: str) -> Image.Image:
    """A part of the photograph; with alpha, one that falls from left to right."""
    photograph = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))
    left, top, width, height = place
    wide = np.concatenate([photograph, photograph[:, ::-1]], 1)
    picture = Image.fromarray(wide[top : top + height, left : left + width])
    if mode == "RGBA":
        picture.putalpha(Image.linear_gradient("L").rotate(90).resize((width, height)))
        return picture
    return picture.convert(mode)


def random_tokens(like: Tokens) -> Tokens:
    """Tokens of the same shapes, one in four anywhere in the codebook, the others small."""
    rng = np.random.default_rng(1)
    largest = CONFIG.codes // 2
    stages = []
    for stage in like.stages:
        reach = rng.choice([1, 8, 64, largest], stage.shape)
        stages.append((rng.integers(-reach, reach + 1) + largest).astype(np.int16))
    return Tokens(like.header, stages)


def with_everything(model: Model, picture: Picture, tokens: Tokens) -> bytes:
    """The file of these tokens in small tiles, with transparency and every kind of metadata."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = exif_of_density((2835, 2835))
    full = replace(picture, icc=profile, exif=exif, xmp=b"<x:xmpmeta/>", density=(11811, 5906))
    plain = model.write_tokens(Tokens(replace(tokens.header, tile_size=SMALL_TILE), tokens.stages))
    file = container.read(plain)
    return container.write(file.header, [*file.sections, *picture_sections(full)])


def make_file(model: Model, name: str) -> dict[str, object]:
    """Writes a golden file and its picture; returns its entry in golden.json."""
    place, mode, quality = FILES[name]
    data = model.compress(make_picture(place, mode), quality=quality, exact=False)
    tokens = model.read_tokens(data)
    if name in RANDOM:
        data = model.write_tokens(random_tokens(tokens))
    if name in (FEW_CALLS, NO_CALLS):
        coarse, fine = tokens.stages
        fine[int(name == FEW_CALLS) :] = CONFIG.codes // 2
        if name == NO_CALLS:
            coarse[:] = CONFIG.codes // 2
        data = model.write_tokens(Tokens(tokens.header, [coarse, fine]))
    if name in DIVIDED:
        small = replace(tokens.header, tile_size=SMALL_TILE)
        data = write_divided(model, Tokens(small, model.read_tokens(data).stages))
    if name == EVERYTHING:
        data = with_everything(model, images.load(make_picture(place, mode)), model.read_tokens(data))
    (FOLDER / f"{name}.nic").write_bytes(data)
    model.decompress(data).save(FOLDER / f"{name}.png", optimize=True)
    tokens = model.read_tokens(data)
    return {
        "width": tokens.header.width,
        "height": tokens.header.height,
        "mode": mode,
        "quality": quality,
        "bytes": len(data),
        "tokens_sha256": tokens.sha256(),
    }


def write_divided(model: Model, tokens: Tokens) -> bytes:
    """The file of these tokens with many small sections."""
    with mock.patch.multiple(tile_coder, PART_BYTES=PART_BYTES, SMALL_FILE=0):
        return model.write_tokens(tokens)


def damage(data: bytes) -> bytes:
    """Four bytes in the middle of the largest section changed that is not one of its tile's first."""
    entry = max((e for e in container.read(data).entries if e.stage > 63), key=lambda e: e.size)
    damaged = bytearray(data)
    for offset in range(entry.offset + entry.size // 2, entry.offset + entry.size // 2 + 4):
        damaged[offset] ^= 0xA5
    return bytes(damaged)


def make_damaged(model: Model) -> dict[str, object]:
    """Writes the damaged golden file and the picture that is left of it; returns its entry in golden.json."""
    data = damage((FOLDER / f"{DIVIDED[0]}.nic").read_bytes())
    (FOLDER / f"{DAMAGED}.nic").write_bytes(data)
    found = model.recover(data)
    found.image.save(FOLDER / f"{DAMAGED}.png", optimize=True)
    return {"bytes": len(data), "coarse": found.coarse, "notes": found.notes}


def main() -> None:
    path, index = FOLDER / "tiny.safetensors", FOLDER / "golden.json"
    if not path.exists():
        make_model(path)
    model = imgcodec.load_model(str(path))
    golden = json.loads(index.read_text()) if index.exists() else {
        "note": "Frozen for ever: every later version decodes these files to these tokens. See make.py.",
        "model": {"file": path.name, "id": model.id.hex(), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        "files": {},
    }  # fmt: skip
    for name in FILES:
        if name not in golden["files"]:
            golden["files"][name] = make_file(model, name)
    if DAMAGED not in golden.setdefault("damaged", {}):
        golden["damaged"][DAMAGED] = make_damaged(model)
    index.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
