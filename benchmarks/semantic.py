"""What a model of the profile `semantic` keeps of pictures, in few bytes: figures of its card.

    python benchmarks/semantic.py PICTURES... --model semantic -o benchmarks/results/semantic.json --grid grid.png \
        --large-grid large.png

PICTURES are folders and tar shards of pictures that the model has not seen. Measured are

    bytes       of whole files, and of the same integers in zstandard
    recall      of changed pictures among all of them: by the integers, by the floats, by layout and by meaning alone;
                by a JPEG thumbnail of the same bytes, its headers and tables not counted, and by a colour histogram
    nearest     of the first pictures, how often the one that is most like what is drawn is the original: by
                SSIMULACRA2 at the decoder's size and by the features of what is drawn; the same for the thumbnails
                that are in the vectors
    seeds       whether another seed draws another picture, and the same one the same
    enlarged    of pictures at twice the decoder's side, how near the upscaler and the bicubic filter come to them: from
                the same pictures at the decoder's side, and from what is drawn
"""

import argparse
import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import zstandard
from PIL import Image

from imgcodec.bitstream import container
from imgcodec.codec import load_codec
from imgcodec.encoder import encode_picture
from imgcodec.evaluation.retrieval import QUERIES, recall, retrieval
from imgcodec.metrics.ssimulacra2 import Ssimulacra2
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.square import as_square
from imgcodec.profiles.semantic.codec import SemanticCodec, as_semantic
from imgcodec.storage import files
from imgcodec.tokenizers.features import FeatureEncoder
from imgcodec.tokenizers.upscaler import FACTOR
from imgcodec.training.data import load_photographs

BINS = (6, 7, 7)  # of a histogram in a byte each
THUMBNAILS = range(6, 49, 2)  # sides in pixels
THUMBNAIL_QUALITY = 50
GAP = 2
SHOWN = 20  # columns of the grid
LARGE_SHOWN = 8  # of that of twice the side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--model", default="semantic")
    parser.add_argument("--count", type=int, default=500, help="pictures, at most")
    parser.add_argument("--drawn", type=int, default=40, help="of them drawn again")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--guidance", type=float, default=1.0)
    parser.add_argument("--grid", type=Path)
    parser.add_argument("--large-grid", type=Path, help="of what is drawn, enlarged by the filter and by the upscaler")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    codec = as_semantic(load_codec(arguments.model), "This benchmark")
    pictures = load_photographs(arguments.pictures, 64)[: arguments.count]
    result: dict[str, object] = {"model": codec.name, "id": codec.id.hex(), "pictures": len(pictures)}
    result["bytes"] = sizes = measure_bytes(codec, pictures)
    budget = round(sizes["vector"])
    result["recall"] = {
        **retrieval(codec, pictures),
        **{f"{name} alone": figures for name, figures in parts(codec, pictures).items()},
        "jpeg thumbnail": baseline(pictures, lambda p: thumbnails(p, budget)),
        "histogram": baseline(pictures, histogram),
    }
    few = pictures[: arguments.drawn]
    figures, drawn = measure_drawing(codec, few, arguments.steps, arguments.guidance, arguments.grid)
    result["drawing"] = {"steps": arguments.steps, "guidance": arguments.guidance, **figures}
    if codec.tokenizer.upscaler is not None:
        result["enlarged"] = measure_upscaler(codec, few, drawn, arguments.large_grid)
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.output:
        files.write(arguments.output, (text + "\n").encode(), force=True)


def measure_bytes(codec: SemanticCodec, pictures: list[np.ndarray]) -> dict[str, float]:
    """Mean and largest file; mean of the vector in it, and of its integers in zstandard."""
    whole, streams, levels = [], [], []
    for pixels in pictures:
        data = encode_picture(codec, Picture(pixels)).data
        whole.append(len(data))
        file = container.read(data)
        streams.append(len(file.tokens()[0].parts[0].data))
        levels.append(codec.read_features(file).astype(np.uint8).tobytes())
    half = len(levels) // 2
    samples = levels[:half]
    dictionary = zstandard.train_dictionary(16384, samples) if half >= 100 else None
    plain = zstandard.ZstdCompressor(level=22)
    with_one = zstandard.ZstdCompressor(level=22, dict_data=dictionary) if dictionary else plain
    return {
        "mean": float(np.mean(whole)),
        "most": max(whole),
        "vector": float(np.mean(streams)),
        "zstandard": float(np.mean([len(plain.compress(row)) for row in levels[half:]])),
        "zstandard_with_dictionary": float(np.mean([len(with_one.compress(row)) for row in levels[half:]])),
    }


def parts(codec: SemanticCodec, pictures: list[np.ndarray]) -> dict[str, dict[str, float]]:
    """Recall by the layout alone and by the meaning alone, of the integers."""
    encoder = codec.tokenizer.encoder
    if not isinstance(encoder, FeatureEncoder):
        return {}
    layout = encoder.config.layout
    index = codec.vectors(codec.levels(pictures))
    likeness: dict[str, list[dict[str, float]]] = {"layout": [], "meaning": []}
    for change in QUERIES.values():
        query = codec.features([change(pixels) for pixels in pictures])
        for name, part in (("layout", slice(layout)), ("meaning", slice(layout, None))):
            a, b = (v[:, part] / np.linalg.norm(v[:, part], axis=1, keepdims=True) for v in (query, index))
            likeness[name].append(recall(a @ b.T))
    return {name: mean_of(found) for name, found in likeness.items()}


def baseline(
    pictures: list[np.ndarray], describe: Callable[[np.ndarray], np.ndarray | tuple[np.ndarray, ...]]
) -> dict[str, float]:
    """Recall by the distance of descriptions, (n,); or of pairs, what is stored of a picture and of a query."""
    found = []
    described = [describe(pixels) for pixels in pictures]
    stored = np.stack([d[0] if isinstance(d, tuple) else d for d in described]).astype(np.float32)
    for change in QUERIES.values():
        asked = [describe(change(pixels)) for pixels in pictures]
        query = np.stack([d[1] if isinstance(d, tuple) else d for d in asked]).astype(np.float32)
        distance = (query**2).sum(1)[:, None] - 2 * query @ stored.T + (stored**2).sum(1)
        found.append(recall(-distance))
    return mean_of(found)


def mean_of(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}


def thumbnails(pixels: np.ndarray, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest JPEG thumbnail whose scan has at most so many bytes, and the thumbnail before it was a JPEG, both
    at 32 x 32."""
    best = None
    for side in THUMBNAILS:
        small = Image.fromarray(as_square(pixels, side))
        file = io.BytesIO()
        small.save(file, "JPEG", quality=THUMBNAIL_QUALITY, optimize=True)
        data = file.getvalue()
        if best is None or len(data) - data.index(b"\xff\xda") <= budget:
            best = Image.open(io.BytesIO(data)).convert("RGB")
    stored = np.asarray(best.resize((32, 32), Image.Resampling.BICUBIC)).ravel()
    return stored, np.asarray(Image.fromarray(as_square(pixels, 32))).ravel()


def histogram(pixels: np.ndarray) -> np.ndarray:
    """Square roots of shares of 294 colours, in a byte each: their distance is Hellinger's."""
    bins = [as_square(pixels, 128)[..., c].astype(int) * n // 256 for c, n in enumerate(BINS)]
    number = (bins[0] * BINS[1] + bins[1]) * BINS[2] + bins[2]
    counts = np.bincount(number.ravel(), minlength=int(np.prod(BINS)))
    return np.rint(255 * np.sqrt(counts / counts.sum()))


def measure_drawing(
    codec: SemanticCodec, pictures: list[np.ndarray], steps: int, guidance: float, grid: Path | None
) -> tuple[dict[str, float], np.ndarray]:
    """Figures, and what was drawn, uint8 (N, side, side, 3)."""
    decoder, encoder = codec.tokenizer.decoder, codec.tokenizer.encoder
    side = decoder.config.side
    originals = np.stack([as_square(pixels, side) for pixels in pictures])
    vectors = torch.from_numpy(codec.vectors(codec.levels(pictures)))
    began = time.process_time()
    with torch.inference_mode():
        thumbnail = encoder.thumbnail(vectors)

        def draw(seed: int) -> np.ndarray:
            *_, found = decoder.draw(vectors, thumbnail, steps, 0.0, guidance, seed)
            return as_pixels(found)

        drawn = draw(0)
        seconds = time.process_time() - began
        again, other = draw(0), draw(1)
        hint = as_pixels(decoder.hint(thumbnail, len(pictures)))
    if grid:
        show(grid, [originals, hint, drawn, other])
    stored = codec.search_vectors(vectors.numpy())
    figures = {"pictures": len(pictures), "seconds_each": seconds / len(pictures)}
    for name, shown in (("drawn", drawn), ("thumbnail", hint)):
        scores = np.array([[Ssimulacra2(original)(picture) for original in originals] for picture in shown], float)
        likeness = codec.search_vectors(codec.features(list(shown))) @ stored.T
        right = np.arange(len(pictures))
        figures |= {
            f"{name}_nearest_by_ssimulacra2": float((scores.argmax(1) == right).mean()),
            f"{name}_nearest_by_features": float((likeness.argmax(1) == right).mean()),
            f"{name}_ssimulacra2": float(scores.diagonal().mean()),
            f"{name}_psnr": float(np.mean([psnr(a, b) for a, b in zip(originals, shown, strict=True)])),
        }
    figures["same_seed_same_picture"] = bool((drawn == again).all())
    figures["other_seed_other_picture"] = float((drawn != other).any((1, 2, 3)).mean())
    figures["seeds_differ_by_grey_levels"] = float(np.abs(drawn.astype(int) - other).mean())
    return figures, drawn


def measure_upscaler(
    codec: SemanticCodec, pictures: list[np.ndarray], drawn: np.ndarray, grid: Path | None
) -> dict[str, float]:
    upscaler, side = codec.tokenizer.upscaler, codec.tokenizer.decoder.config.side
    large = np.stack([as_square(pixels, FACTOR * side) for pixels in pictures])
    small = np.stack([as_square(pixels, side) for pixels in pictures])
    figures: dict[str, float] = {"side": FACTOR * side}
    shown = []
    for source, pixels in (("originals", small), ("drawn", drawn)):
        with torch.inference_mode():
            upscaled = as_pixels(upscaler(torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)))
        filtered = np.stack([as_square(picture, FACTOR * side) for picture in pixels])
        for name, found in (("filter", filtered), ("upscaler", upscaled)):
            pairs = list(zip(large, found, strict=True))
            figures[f"{source}_by_{name}_psnr"] = float(np.mean([psnr(a, b) for a, b in pairs]))
            scores = [Ssimulacra2(original)(picture) for original, picture in pairs]
            figures[f"{source}_by_{name}_ssimulacra2"] = float(np.mean(scores))
        shown = [filtered, upscaled]
    if grid:
        show(grid, [rows[:LARGE_SHOWN] for rows in (large, *shown)])
    return figures


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(max(1e-10, np.square(a / 255 - b / 255).mean())))


def as_pixels(pictures: torch.Tensor) -> np.ndarray:
    return pictures.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def show(path: Path, rows: list[np.ndarray]) -> None:
    """Writes a picture with a row for each of `rows`: originals, thumbnails, drawn with one seed and with another."""
    side = rows[0].shape[1]
    columns = min(SHOWN, len(rows[0]))
    sheet = np.full((len(rows) * (side + GAP), columns * (side + GAP), 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row[:columns]):
            top, left = y * (side + GAP), x * (side + GAP)
            sheet[top : top + side, left : left + side] = picture
    Image.fromarray(sheet).save(path)


if __name__ == "__main__":
    main()
