"""Made the golden files of the profile `semantic`, and adds new ones; see make.py, whose rules hold here.

    python tests/golden/make_semantic.py

    semantic.safetensors    a small model: the layout is that of made pictures, everything else is random
    semantic.json           what golden.json is for the first model, and the SHA-256 of each vector

There are files of an odd size, of one pixel and of integers that no picture has, and a file of tiny.safetensors with
features.
"""

import hashlib
import json
import sys

import numpy as np
from make import FOLDER, make_picture

sys.path.insert(0, str(FOLDER.parent))

from small_semantic import save_small_model

from imgcodec.bitstream import container
from imgcodec.codec import decode_picture, load_codec
from imgcodec.encoder import encode_picture
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.pil_images import to_pil
from imgcodec.profiles.semantic.codec import SemanticCodec, as_semantic, with_drawing
from imgcodec.profiles.semantic.drawing import DrawingOptions

MODEL = "semantic.safetensors"
STEPS = 5
INDEX = FOLDER / "semantic.json"


def main() -> None:
    if not (FOLDER / MODEL).exists():
        save_small_model(FOLDER / MODEL)
    codec = with_drawing(as_semantic(load_codec(FOLDER / MODEL), "This"), DrawingOptions(steps=STEPS))
    tiny = load_codec(FOLDER / "tiny.safetensors")
    pixels = np.asarray(make_picture((300, 200, 100, 75), "RGB"))
    index = json.loads(INDEX.read_text()) if INDEX.exists() else {"files": {}}
    index["model"] = entry_of_model(codec)
    random = codec.choose(codec.header((70, 33), None, None), [random_levels(codec.dim)])
    files = {
        "semantic-odd-size": encode_picture(codec, Picture(pixels)).data,
        "semantic-one-pixel": encode_picture(codec, Picture(pixels[:1, :1].copy())).data,
        "semantic-random": container.write(random.header, codec.write(random)),
        "semantic-in-photo": encode_picture(tiny, Picture(pixels, features=codec.write_features(pixels)), 50).data,
    }
    for name, data in files.items():
        if name in index["files"]:  # golden files are made once
            continue
        file = container.read(data)
        (FOLDER / f"{name}.nic").write_bytes(data)
        of_photo = name == "semantic-in-photo"
        to_pil(decode_picture(tiny if of_photo else codec, file)).save(FOLDER / f"{name}.png")
        levels = codec.read_features(file)
        index["files"][name] = {
            "bytes": len(data), "width": file.header.width, "height": file.header.height,
            "model": "tiny" if of_photo else "semantic", "levels_sha256": sha256(levels.astype("<i2")),
            "vector_sha256": sha256(codec.vectors(levels[None]).astype("<f4")),
        }  # fmt: skip
    INDEX.write_text(json.dumps(index, indent=1) + "\n")


def entry_of_model(codec: SemanticCodec) -> dict[str, str]:
    digest = hashlib.sha256((FOLDER / MODEL).read_bytes()).hexdigest()
    return {"file": MODEL, "sha256": digest, "id": codec.id.hex()}


def random_levels(dim: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 255, (dim, 1, 1)).astype(np.int16)


def sha256(numbers: np.ndarray) -> str:
    return hashlib.sha256(numbers.tobytes()).hexdigest()


if __name__ == "__main__":
    main()
