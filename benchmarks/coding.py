"""What the coder and the container add to the model's own cross-entropy, and what each stage gives.

    python benchmarks/coding.py PICTURES -o benchmarks/results/coding.json [--model NAME|PATH] [--quality 5,25,50]

For each quality, over all pictures: bits of the tokens under the model's tables, bits of the token sections' data, bits
of the whole file, the share of stage 0, and the PSNR of the picture decoded from stage 0 alone and from both.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from machine import describe
from PIL import Image

from imgcodec.bitstream import container
from imgcodec.codec import detokenize, load_codec, tokenize, write_tokens
from imgcodec.evaluation.code_length import stage_bits
from imgcodec.metrics.reference import psnr
from imgcodec.profiles.photo.codec import PhotoCodec
from imgcodec.tokens import Tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--quality", default="0,10,20,30,40,50,60,70,80,90,100")
    arguments = parser.parse_args()
    codec = load_codec(arguments.model)
    assert isinstance(codec, PhotoCodec)
    pictures = [np.asarray(Image.open(p).convert("RGB")) for p in sorted(arguments.pictures.glob("*.png"))]
    rows = []
    for quality in map(float, arguments.quality.split(",")):
        rows.append(measure(codec, pictures, quality))
        print(json.dumps(rows[-1]))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    result = {"model": codec.id.hex(), "pictures": len(pictures), "qualities": rows, "made": describe()}
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")


def measure(codec: PhotoCodec, pictures: list[np.ndarray], quality: float) -> dict[str, float]:
    """Means and sums over the pictures at one quality."""
    ideal, coded, whole, first, prefix, full = 0.0, 0, 0, 0.0, [], []
    pixels = sum(p.shape[0] * p.shape[1] for p in pictures)
    for picture in pictures:
        tokens = tokenize(codec, picture, quality, "psnr")
        stages = stage_bits(codec, tokens)
        data = write_tokens(codec, tokens)
        ideal += sum(stages)
        first += stages[0]
        coded += 8 * sum(len(part.data) for tile in container.read(data).tokens() for part in tile.parts)
        whole += 8 * len(data)
        prefix.append(psnr(picture, detokenize(codec, Tokens(tokens.header, tokens.stages[:1]))))
        full.append(psnr(picture, detokenize(codec, tokens)))
    return {
        "quality": quality,
        "bpp": whole / pixels,
        "ideal_bpp": ideal / pixels,
        "coding_loss_percent": 100 * (coded / ideal - 1),
        "file_loss_percent": 100 * (whole / ideal - 1),
        "stage_0_share_percent": 100 * first / ideal,
        "stage_0_psnr": float(np.mean(prefix)),
        "psnr": float(np.mean(full)),
    }


if __name__ == "__main__":
    main()
