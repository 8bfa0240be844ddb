"""The classical codecs, and the search for the JPEG of a given PSNR."""

import io

import numpy as np
import pytest
from evaluation.pictures import noise, waves
from PIL import Image, JpegImagePlugin

from imgcodec.bitstream.errors import UsageError
from imgcodec.evaluation import peers
from imgcodec.metrics.reference import psnr

AVAILABLE, MISSING = peers.peers_named(list(peers.TITLES))


def test_jpeg_is_baseline_with_half_resolution_chroma():
    data = peers.jpeg(waves(64, 80), 95)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        assert JpegImagePlugin.get_sampling(image) == 2  # 4:2:0
        assert "progressive" not in image.info


@pytest.mark.parametrize("codec", AVAILABLE, ids=lambda codec: codec.name)
def test_every_peer_codes_odd_sizes(codec):
    pixels = waves(37, 51)
    decoded = codec.decompress(codec.compress(pixels, 80))
    assert decoded.shape == pixels.shape
    assert decoded.dtype == np.uint8
    assert psnr(pixels, decoded) > 25


def test_peers_come_in_the_order_of_their_names_and_once():
    codecs, missing = peers.peers_named(["webp", "jpeg", "webp"])
    assert ([codec.name for codec in codecs], missing) == (["webp", "jpeg"], {})
    with pytest.raises(UsageError, match="'heic'"):
        peers.peers_named(["jpeg", "heic"])


def refuse(pixels, format, **options):
    raise ValueError("Invalid codec-specific option")  # as an older libaom says it


def test_what_this_machine_lacks_is_left_out_with_a_reason(monkeypatch):
    monkeypatch.setattr(peers.features, "check", lambda name: False)
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    monkeypatch.setattr(peers, "_save", refuse)
    codecs, missing = peers.peers_named(list(peers.TITLES))
    assert [codec.name for codec in codecs] == ["jpeg"]
    assert set(missing) == set(peers.TITLES) - {"jpeg"}
    assert "imgcodec[bench]" in missing["jxl"]
    assert all(reason.endswith(".") for reason in missing.values())


def test_tunes_of_avif_are_different_files_with_full_chroma():
    codecs = {codec.name: codec for codec in AVAILABLE}
    if not {"avif", "avif-ssimulacra2", "avif-psnr"} <= set(codecs):
        pytest.skip("Pillow's AVIF has no tunes here")
    made = {codecs[name].compress(waves(48, 64), 60) for name in ("avif", "avif-ssimulacra2", "avif-psnr")}
    assert len(made) == 3
    red_on_blue = np.zeros((32, 32, 3), np.uint8)
    red_on_blue[:, ::2, 0] = red_on_blue[:, 1::2, 2] = 255
    full = psnr(red_on_blue, peers.decode(peers.avif_tuned("psnr", red_on_blue, 95)))
    assert full > psnr(red_on_blue, peers.decode(peers.avif(red_on_blue, 95))) + 10


def test_png_loses_nothing():
    pixels = noise(20, 30, seed=1)
    assert np.array_equal(peers.decode(peers.png(pixels)), pixels)


def test_the_jpeg_of_the_same_psnr_is_found():
    pixels = waves(96, 128) // 2 + noise(96, 128, seed=1) // 4  # on smooth pictures PSNR hardly depends on quality
    matcher = peers.JpegMatcher(pixels)
    for quality in (1, 2, 30, 77, 100):
        data = peers.jpeg(pixels, quality)
        match = matcher.nearest(psnr(pixels, peers.decode(data)))
        # Not the quality: 1 and 2 may make the same file.
        assert (match.bytes, match.psnr) == (len(data), psnr(pixels, peers.decode(data)))


def test_the_nearest_of_two_qualities_is_taken():
    matcher = peers.JpegMatcher(waves(96, 128))
    lower, higher = matcher.nearest(30.0), matcher.nearest(35.0)
    assert lower.quality < higher.quality
    assert lower.psnr == pytest.approx(30.0, abs=0.5)
    assert higher.psnr == pytest.approx(35.0, abs=0.5)


def test_no_jpeg_beyond_its_worst_and_best():
    matcher = peers.JpegMatcher(waves(96, 128))
    assert matcher.nearest(3.0) is None
    assert matcher.nearest(99.0) is None
