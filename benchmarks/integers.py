"""What exact arithmetic costs: the time of a prior in integers against the same layers in ordinary float32.

    python benchmarks/integers.py [--model photo] -o benchmarks/results/integers.json

One tile of 1024 x 1024 pixels, the whole prior without the coder, in turns; the medians.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from machine import describe
from torch import Tensor

from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.integer.trainable import restore, unquantize
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.priors.photo.windows import checkerboard_half
from imgcodec.profiles.photo.model import load_photo_model

SIZE = (1, 16, 16)  # batch, rows and columns of stage 0
TURNS = 9


def in_float(exact: PhotoPrior) -> PhotoPrior:
    """The layers that the integers came from, with no quantization in them."""
    prior = PhotoPrior(exact.config).requires_grad_(False).eval()
    restore(prior, exact)
    unquantize(prior)
    return prior.to(memory_format=torch.channels_last)


def seconds(prior: PhotoPrior, tokens: list[Tensor], level: Tensor | int) -> float:
    start = time.perf_counter()
    prior(
        SIZE,
        level,
        lambda stage, first, groups, _, parity: checkerboard_half(tokens[stage][:, first : first + groups], parity),
    )
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="photo")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    exact = load_photo_model(arguments.model).prior
    floating = in_float(exact)
    torch.manual_seed(1)
    stages = zip(exact.config.slices, (1, 4), strict=True)
    sizes = [(sum(slices), factor * SIZE[1], factor * SIZE[2]) for slices, factor in stages]
    tokens = [torch.randint(-3, 4, (1, *size)).float() for size in sizes]
    times: dict[str, list[float]] = {"integers": [], "float32": []}
    for _ in range(TURNS):
        with exact_arithmetic():
            times["integers"].append(seconds(exact, tokens, 12800))
        with torch.inference_mode():
            times["float32"].append(seconds(floating, tokens, torch.tensor([(exact.config.levels - 1) / 2])))
    medians = {name: statistics.median(values) for name, values in times.items()}
    result = {"seconds": medians, "ratio": medians["integers"] / medians["float32"], "made": describe()}
    print(json.dumps(result["seconds"]), f"ratio {result['ratio']:.2f}")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
