"""Profiles made of colours by number: what lcms makes of them, against the formulas of the standards."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from imgcodec.pictures import cicp, icc

PIXELS = np.array([[(128, 100, 90), (60, 90, 80), (200, 190, 180), (255, 255, 255), (0, 0, 0)]], np.uint8)
# From the linear RGB of other primaries under D65 to that of sRGB (ITU-R BT.2407, annex 1; SMPTE EG 432-1).
TO_SRGB = {
    1: np.eye(3),
    9: np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]),
    12: np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0196, -0.0786, 1.0979]]),
}
LIGHT = {
    1: lambda v: np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45)),
    4: lambda v: v**2.2,
    8: lambda v: v,
    13: lambda v: np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4),
}


def as_srgb(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clip(1e-9) ** (1 / 2.4) - 0.055)


def converted(profile: bytes, pixels: np.ndarray) -> np.ndarray:
    """Pixels as sRGB, by lcms."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    shown = ImageCms.profileToProfile(
        Image.fromarray(pixels), source, ImageCms.createProfile("sRGB"), renderingIntent=1, outputMode="RGB"
    )
    return np.asarray(shown).astype(int)


@pytest.mark.parametrize("transfer", LIGHT)
@pytest.mark.parametrize("primaries", TO_SRGB)
def test_a_profile_shows_the_colours_that_the_numbers_say(primaries: int, transfer: int) -> None:
    profile = cicp.profile((primaries, transfer))
    assert profile is not None
    expected = 255 * as_srgb(LIGHT[transfer](PIXELS / 255) @ TO_SRGB[primaries].T).clip(0, 1)
    assert np.abs(converted(profile, PIXELS) - expected).max() < 1.6


@pytest.mark.parametrize("transfer", LIGHT)
def test_a_gray_profile_has_the_curve_alone(transfer: int) -> None:
    gray = np.array([[0, 40, 128, 200, 255]], np.uint8)  # lcms is coarse close to black
    profile = cicp.profile((9, transfer), is_gray=True)
    assert profile is not None
    assert icc.space(profile) == "GRAY"
    expected = 255 * as_srgb(LIGHT[transfer](gray / 255))
    assert np.abs(converted(profile, gray) - expected[..., None]).max() < 1.6


@pytest.mark.parametrize("primaries", [1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 22])
@pytest.mark.parametrize("transfer", [1, 2, 4, 5, 6, 7, 8, 13, 14, 15, 17])
def test_every_profile_is_whole_and_its_white_is_white(primaries: int, transfer: int) -> None:
    profile = cicp.profile((primaries, transfer))
    assert profile is not None
    assert icc.fault(profile) is None
    assert icc.space(profile) == "RGB"
    assert profile == cicp.profile((primaries, transfer))
    assert converted(profile, PIXELS[:, 3:]).tolist() == [[[255] * 3, [0] * 3]]


@pytest.mark.parametrize("code", [(9, 16), (9, 18), (1, 9), (1, 11), (10, 13), (0, 13), (3, 13), (12, 0), (255, 255)])
def test_hdr_and_reserved_numbers_have_no_profile(code: tuple[int, int]) -> None:
    assert cicp.profile(code) is None
    assert not cicp.is_srgb(code)


def test_what_is_unspecified_is_as_in_srgb() -> None:
    assert [cicp.is_srgb(code) for code in ((1, 13), (2, 2), (1, 2), (2, 13), (12, 2), (2, 1), (1, 1))] == (
        [True] * 4 + [False] * 3
    )
    assert cicp.profile((2, 2)) == cicp.profile((1, 13))
