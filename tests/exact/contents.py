"""Samples of all kinds, for the tests of exact pixels."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

CONTENTS = ("flat", "noise", "ramp", "checks", "two values", "smooth", "ends")


def make(content: str, shape: tuple[int, int, int], most: int, seed: int) -> NDArray[np.uint16]:
    """Samples (channels, H, W), 0 to `most`."""
    random = np.random.default_rng(seed)
    channels, height, width = shape
    rows, columns = np.mgrid[:height, :width]
    match content:
        case "flat":
            found = np.broadcast_to(random.integers(0, most + 1, (channels, 1, 1)), shape)
        case "noise":
            found = random.integers(0, most + 1, shape)
        case "ramp":
            found = np.stack([(most * (rows + columns + c) // (height + width + c)) for c in range(channels)])
        case "checks":
            found = np.stack([(rows // (c + 1) + columns) % 2 * most for c in range(channels)])
        case "two values":
            found = random.choice(random.integers(0, most + 1, 2), shape)
        case "smooth":
            waves = most / 2 * (1 + np.sin(rows / 5 + random.random()) * np.cos(columns / 7))
            found = np.stack(
                [waves * (0.5 + c / 8) + random.normal(0, most / 200, waves.shape) for c in range(channels)]
            )
        case _:
            found = random.integers(0, 2, shape) * most
    return np.clip(found, 0, most).astype(np.uint16)


@st.composite
def samples(draw: st.DrawFn, side: int = 70) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], int]:
    """Samples of 1 to 4 channels and sides of 1 to `side`, uint8 or uint16, and their depth."""
    depth = draw(st.sampled_from([1, 4, 8, 9, 12, 16]))
    shape = draw(st.integers(1, 4)), draw(st.integers(1, side)), draw(st.integers(1, side))
    found = make(draw(st.sampled_from(CONTENTS)), shape, 2 ** max(8, depth) - 1, draw(st.integers(0, 2**32 - 1)))
    return (found.astype(np.uint8) if depth <= 8 else found), depth
