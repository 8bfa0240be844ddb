"""Windows: they cover a picture, overlap in pairs, and leave no seams."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from raster_models import small_tokenizer

from imgcodec.profiles.raster.windows import decode_windows, encode_windows, spans


@given(places=st.integers(1, 200), unit=st.sampled_from([8, 16, 32, 64, 128]))
def test_windows_cover_every_position_once_or_twice(places: int, unit: int) -> None:
    windows = spans(places * unit, unit)
    seen = np.zeros(places, int)
    for start, end in windows:
        assert start % unit == end % unit == 0
        seen[start // unit : end // unit] += 1
    assert seen.min() >= 1
    assert seen.max() <= 2


class Identity:
    """A tokenizer whose tokens are the brightness of 16 x 16 blocks."""

    strides, codebook_size, scales = (16,), 256, (1, 2)

    def encode(self, pixels):  # type: ignore[no-untyped-def]
        return [pixels[:, 0, ::16, ::16].mul(255).round().long()]

    def decode(self, tokens, scale=1):  # type: ignore[no-untyped-def]
        side = 16 * scale
        return (
            tokens[0]
            .float()
            .div(255)[:, None]
            .repeat_interleave(side, 2)
            .repeat_interleave(side, 3)
            .expand(-1, 3, -1, -1)
        )


@given(width=st.integers(1, 700), height=st.integers(1, 300), scale=st.sampled_from([1, 2]))
@settings(max_examples=25)
def test_windows_leave_no_seams(width: int, height: int, scale: int) -> None:
    rng = np.random.default_rng(width * height)
    small = rng.integers(0, 256, (-(-height // 16), -(-width // 16)), np.uint8)
    pixels = np.repeat(np.repeat(small, 16, 0), 16, 1)[:height, :width, None].repeat(3, 2)
    cpu = torch.device("cpu")
    stages = encode_windows(Identity(), pixels, cpu)  # type: ignore[arg-type]
    assert np.array_equal(stages[0][0], small)
    back = decode_windows(Identity(), stages, (height, width), scale, cpu)  # type: ignore[arg-type]
    assert np.array_equal(back, pixels.repeat(scale, 0).repeat(scale, 1))


@pytest.mark.parametrize("stages", [1, 2])
def test_the_first_stages_alone_are_decoded(stages: int) -> None:
    tokenizer = small_tokenizer("bsq").requires_grad_(False)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 300, 3), np.uint8)
    tokens = encode_windows(tokenizer, pixels, torch.device("cpu"))
    whole = tokenizer.strides[0]
    assert [t.shape for t in tokens] == [
        (1, -(-40 // whole) * whole // s, -(-300 // whole) * whole // s) for s in tokenizer.strides
    ]
    back = decode_windows(tokenizer, tokens[:stages], (40, 300), 1, torch.device("cpu"))
    assert (back.shape, back.dtype) == ((40, 300, 3), np.uint8)


def test_a_picture_of_one_window_is_what_the_tokenizer_makes_of_it() -> None:
    tokenizer = small_tokenizer("bsq").requires_grad_(False)
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    tokens = encode_windows(tokenizer, pixels, torch.device("cpu"))
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    assert all(np.array_equal(*pair) for pair in zip(tokens, tokenizer.encode(x), strict=True))
    decoded = tokenizer.decode(tokenizer.encode(x), 1)[0].permute(1, 2, 0).numpy()
    expected = np.rint(decoded * 255).clip(0, 255).astype(np.uint8)
    assert np.array_equal(decode_windows(tokenizer, tokens, (128, 128), 1, torch.device("cpu")), expected)
