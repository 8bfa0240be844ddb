"""Alpha and metadata: they come back, and what claims to be them is not believed."""

import contextlib
from unittest.mock import patch

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from imgcodec.bitstream import payload
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import Rectangle
from imgcodec.bitstream.payload import (
    pack_alpha,
    pack_bytes,
    pack_density,
    unpack_alpha,
    unpack_alpha_region,
    unpack_bytes,
    unpack_density,
    unpack_reduced_alpha,
)


@given(st.binary(max_size=1000))
def test_metadata_is_unpacked_to_itself(data):
    assert unpack_bytes(pack_bytes(data)) == data


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_alpha_is_unpacked_to_itself(alpha):
    height, width = alpha.shape
    assert np.array_equal(unpack_alpha(pack_alpha(alpha), width, height), alpha)


@given(st.binary(max_size=100), st.booleans())
def test_any_bytes_unpack_or_raise_one_error(data, framed):
    with contextlib.suppress(InvalidFileError):
        assert len(unpack_bytes(b"\x28\xb5\x2f\xfd" + data if framed else data, 1000)) <= 1000


def test_every_truncation_of_a_frame_is_refused():
    frame = pack_bytes(bytes(range(200)))
    for length in range(len(frame)):
        with pytest.raises(InvalidFileError):
            unpack_bytes(frame[:length])
    with pytest.raises(InvalidFileError):
        unpack_bytes(frame + b"\0")


def test_a_frame_larger_than_allowed_is_refused_by_what_it_states():
    bomb = pack_bytes(bytes(10**6))
    assert len(bomb) < 100
    with pytest.raises(InvalidFileError, match="999999"):
        unpack_bytes(bomb, 999_999)
    # One that states nothing.
    with pytest.raises(InvalidFileError):
        unpack_bytes(zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 100))


@pytest.mark.parametrize(
    "behind", ["010000", "010000f1", "0900004141", "0b000041", "00", "ff", "01000028b52ffd2000010000"]
)
def test_a_frame_that_states_no_content_has_none(behind):
    """Its one block is empty and the last, and nothing is behind it."""
    frame = bytes.fromhex("28b52ffd2000" + behind)
    if behind == "010000":
        assert unpack_bytes(frame) == b""
        return
    with pytest.raises(InvalidFileError, match="not a valid zstandard frame"):
        unpack_bytes(frame)


def test_alpha_of_another_size_is_refused():
    data = pack_alpha(np.zeros((4, 6), np.uint8))
    for width, height in ((6, 5), (6, 3)):
        with pytest.raises(InvalidFileError):
            unpack_alpha(data, width, height)


NUMBER = st.integers(1, 2**32 - 1)


@given(NUMBER, NUMBER)
def test_density_is_unpacked_to_itself(across, down):
    assert unpack_density(pack_density((across, down))) == (across, down)


@given(st.binary(max_size=12))
def test_any_bytes_are_a_density_or_refused(data):
    try:
        density = unpack_density(data)
    except InvalidFileError:
        return
    assert pack_density(density) == data


@pytest.mark.parametrize("data", [b"", b"\1", b"\0\1", b"\1\0", b"\1\1\1"])
def test_invalid_densities_are_refused(data):
    with pytest.raises(InvalidFileError):
        unpack_density(data)


def test_large_data_gets_a_quicker_compression_level(monkeypatch):
    levels = []
    frame = payload._frame
    monkeypatch.setattr(payload, "_frame", lambda data, level: levels.append(level) or frame(data, level))
    noise = np.random.default_rng(1).bytes(payload.LARGE + 1)
    for data, expected in (
        (noise[:1000], [payload.HIGHEST]),
        (noise, [payload.QUICK]),
        (bytes(payload.LARGE + 1), [payload.QUICK, payload.HIGH]),
    ):
        levels.clear()
        assert unpack_bytes(pack_bytes(data)) == data
        assert levels == expected


ALPHAS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))


@given(ALPHAS, st.data(), st.sampled_from([1, 50, 2**20]))
def test_alpha_of_a_region_is_what_is_cut_out(alpha, data, band):
    height, width = alpha.shape
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    region = Rectangle(left, top, data.draw(st.integers(1, width - left)), data.draw(st.integers(1, height - top)))
    with patch.object(payload, "BAND", band):
        found = unpack_alpha_region(pack_alpha(alpha), width, height, region)
    assert np.array_equal(found, alpha[top : top + region.height, left : left + region.width])


@given(ALPHAS, st.sampled_from([8, 16, 64]))
def test_reduced_alpha_has_the_means(alpha, reduction):
    height, width = alpha.shape
    found = unpack_reduced_alpha(pack_alpha(alpha), width, height, reduction)
    assert found.shape == (-(-height // reduction), -(-width // reduction))
    for y, x in np.ndindex(height // reduction, width // reduction):
        square = alpha[y * reduction : (y + 1) * reduction, x * reduction : (x + 1) * reduction]
        assert abs(float(found[y, x]) - square.mean()) <= 0.5 + 1e-3


def test_parts_of_alpha_are_refused_where_it_has_another_size_or_is_damaged():
    alpha = np.random.default_rng(1).integers(0, 256, (200, 300), np.uint8)
    sound = pack_alpha(alpha)
    for wrong, width in ((sound, 299), (b"nonsense", 300), (sound[: len(sound) // 2], 300)):
        with pytest.raises(InvalidFileError):
            unpack_alpha_region(wrong, width, 200, Rectangle(0, 190, 10, 10))
        with pytest.raises(InvalidFileError):
            unpack_reduced_alpha(wrong, width, 200, 8)
