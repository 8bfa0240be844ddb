"""Whether changed pictures find their originals: recall at 1 and 5."""

import io
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgcodec.metrics.reference import RGBPixels
from imgcodec.profiles.semantic.codec import SemanticCodec

RANKS = (1, 5)
SIDE_KEPT = 0.7  # of each side
JPEG_QUALITY = 30
BRIGHTNESS = 1.4


def crop(pixels: RGBPixels) -> RGBPixels:
    """The middle: 70 % of each side, 49 % of the area."""
    height, width = pixels.shape[:2]
    h, w = max(1, round(SIDE_KEPT * height)), max(1, round(SIDE_KEPT * width))
    top, left = (height - h) // 2, (width - w) // 2
    return pixels[top : top + h, left : left + w]


def flip(pixels: RGBPixels) -> RGBPixels:
    """Mirrored."""
    return np.ascontiguousarray(pixels[:, ::-1])


def brightness(pixels: RGBPixels) -> RGBPixels:
    """Samples 1.4 times as large, as far as 255 goes."""
    return (pixels * BRIGHTNESS).clip(0, 255).astype(np.uint8)


def jpeg(pixels: RGBPixels) -> RGBPixels:
    """As a JPEG of quality 30."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(file).convert("RGB"))


def gray(pixels: RGBPixels) -> RGBPixels:
    """Without colours."""
    return np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))


QUERIES: dict[str, Callable[[RGBPixels], RGBPixels]] = {
    "crop": crop, "flip": flip, "brightness": brightness, "jpeg": jpeg, "gray": gray,
}  # fmt: skip


def recall(likeness: NDArray[np.floating]) -> dict[str, float]:
    """Of likenesses (queries, pictures), of which query i belongs to picture i: how many queries have theirs among the
    nearest 1 and 5, 0..1. A picture that is as near as the right one counts as nearer."""
    own = np.diagonal(likeness)[:, None]
    nearer = (likeness >= own).sum(1) - 1
    return {f"recall@{rank}": float((nearer < rank).mean()) for rank in RANKS}


def retrieval(codec: SemanticCodec, pictures: Sequence[RGBPixels]) -> dict[str, dict[str, float]]:
    """Recall of each kind of query and of all, among these pictures: their vectors as files have them (`recall@1`), and
    before they became integers (`float recall@1`). Queries are looked for as they are, without a file of their own."""
    floats = codec.features(pictures)
    stored = codec.vectors(codec.quantize(floats))
    indexes = {"": codec.search_vectors(stored), "float ": codec.search_vectors(floats)}
    figures: dict[str, dict[str, float]] = {}
    for name, change in QUERIES.items():
        query = codec.search_vectors(codec.features([change(pixels) for pixels in pictures]))
        figures[name] = {f"{p}{k}": r for p, index in indexes.items() for k, r in recall(query @ index.T).items()}
    names = list(figures["crop"])
    figures["all"] = {name: float(np.mean([figures[query][name] for query in QUERIES])) for name in names}
    return figures
