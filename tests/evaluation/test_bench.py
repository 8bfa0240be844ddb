"""The bench, with JPEG as the codec under test: what it must say of JPEG against JPEG is known."""

import dataclasses
import json
from statistics import fmean

import numpy as np
import pytest
from evaluation.pictures import RGBPixels, waves
from exact.contents import make

import imgcodec
from imgcodec.evaluation import bench, peers
from imgcodec.evaluation.bench import Report
from imgcodec.evaluation.peers import Codec
from imgcodec.metrics.reference import psnr, to_db

SAME = dataclasses.replace(peers.JPEG, name="same")
LARGE, OTHER, SMALL = ("large", waves(180, 200)), ("other", waves(170, 260)), ("small", waves(90, 120))


def padded(pixels: RGBPixels, quality: float) -> bytes:
    """JPEG with a quarter more bytes, which its decoder does not mind."""
    data = peers.jpeg(pixels, quality)
    return data + bytes(len(data) // 4)


PADDED = Codec("padded", peers.JPEG.qualities, padded, peers.decode)


def run(images, codec=SAME, others=(peers.JPEG,), **options) -> Report:
    return bench.run(images, [codec], others, **options)


@pytest.fixture(scope="module")
def report():
    return run([LARGE, OTHER])


def test_jpeg_against_jpeg_is_zero(report):
    assert set(report.bd_rate) == {"same", "jpeg"}
    assert set(report.bd_rate_by_image["same"]) == {"large", "other"}
    for comparison in (*report.bd_rate.values(), *report.bd_rate_by_image["same"].values()):
        for rate in (comparison.psnr, comparison.ms_ssim_db, comparison.ssimulacra2):
            assert rate.percent == pytest.approx(0, abs=1e-9)


def test_a_quarter_more_bytes_is_a_quarter_more_rate():
    result = run([LARGE], PADDED, rates=(0.05, 8.0))
    assert result.bd_rate["padded"].psnr.percent == pytest.approx(25, abs=0.2)  # bytes are whole
    (verdict,) = result.verdicts
    assert verdict.savings["jpeg"].share == pytest.approx(-0.25, abs=0.01)
    assert verdict.sentence.startswith("At SSIMULACRA2 of 70 your picture takes 25 % more bytes than JPEG")
    assert result.png_bytes == {"large": len(peers.png(LARGE[1]))}


def test_a_sample_is_what_the_real_file_gives(report):
    name, pixels = LARGE
    data = peers.jpeg(pixels, 50)
    sample = next(s for s in report.samples["same"] if s.image == name and s.quality == 50)
    assert (sample.width, sample.height) == (200, 180)
    assert sample.bytes == len(data)
    assert sample.bpp == pytest.approx(8 * len(data) / (200 * 180))
    assert sample.psnr == psnr(pixels, peers.decode(data))
    assert sample.ms_ssim_db == to_db(sample.ms_ssim)
    assert sample.encode_seconds > 0
    assert sample.decode_seconds > 0


def test_means_follow_the_conventions(report):
    samples = [sample for sample in report.samples["same"] if sample.quality == 25]
    mean = next(mean for mean in report.means["same"] if mean.quality == 25)
    assert mean.images == 2
    assert mean.bytes == sum(sample.bytes for sample in samples)
    assert mean.bpp == pytest.approx(fmean(sample.bpp for sample in samples))
    assert mean.psnr == pytest.approx(fmean(sample.psnr for sample in samples))
    assert mean.ms_ssim_db == pytest.approx(to_db(fmean(sample.ms_ssim for sample in samples)))


def test_a_small_image_lacks_a_metric_and_does_not_spoil_the_others():
    result = run([LARGE, SMALL])
    samples = result.samples["same"]
    assert all(sample.ms_ssim is None for sample in samples if sample.image == "small")
    by_image = result.bd_rate_by_image["same"]
    small = by_image["small"]
    assert small.ms_ssim_db.percent is None
    assert small.ms_ssim_db.remark == ""
    assert small.psnr.percent == pytest.approx(0, abs=1e-9)
    assert result.bd_rate["same"].ms_ssim_db == by_image["large"].ms_ssim_db
    alone = next(sample for sample in samples if sample.image == "large" and sample.quality == 50)
    assert next(mean for mean in result.means["same"] if mean.quality == 50).ms_ssim == alone.ms_ssim


def test_images_are_taken_one_at_a_time_and_progress_is_reported():
    events = []

    def images():
        for image in (LARGE, SMALL):
            events.append(image[0])
            yield image

    codec = dataclasses.replace(SAME, qualities=(20, 60))
    run(images(), codec, advance=lambda: events.append("step"))
    steps = ["step"] * bench.steps([codec, peers.JPEG])
    assert len(steps) == 2 + len(peers.JPEG_QUALITIES)
    assert events == ["large", *steps, "small", *steps]


def test_a_report_is_plain_data(report):
    text = json.dumps(dataclasses.asdict(report), allow_nan=False)
    assert json.loads(text)["bd_rate"]["same"]["psnr"]["percent"] == pytest.approx(0, abs=1e-9)


def test_the_first_of_the_others_is_what_bd_rates_are_against():
    result = run([LARGE], SAME, [PADDED, peers.JPEG], rates=(0.05, 8.0))
    assert result.others == ["padded", "jpeg"]
    assert result.bd_rate["padded"].psnr.percent == pytest.approx(0, abs=1e-9)
    assert result.bd_rate["same"].psnr.percent == pytest.approx(-20, abs=0.2)
    assert result.bd_rate["jpeg"] == result.bd_rate["same"]


def test_a_picture_that_another_codec_cannot_code_is_left_out_of_its_comparisons():
    def narrow(pixels, quality):
        if pixels.shape[1] > 200:
            raise ValueError("encoding error 5: Image size exceeds the limit")
        return peers.jpeg(pixels, quality)

    result = run([LARGE, OTHER], SAME, [peers.JPEG, Codec("narrow", (20, 50, 90), narrow, peers.decode)])
    assert result.refused == {"narrow": {"other": "encoding error 5: Image size exceeds the limit"}}
    assert {sample.image for sample in result.samples["narrow"]} == {"large"}
    assert result.bd_rate["narrow"].psnr.percent == pytest.approx(0, abs=2)  # of one picture on both sides
    assert result.verdicts[0].pictures[1].bytes["narrow"] is None


def test_no_images():
    with pytest.raises(ValueError, match="no images"):
        run([])


def test_a_codec_that_changes_the_size():
    cropping = dataclasses.replace(SAME, decompress=lambda data: peers.decode(data)[1:])
    with pytest.raises(ValueError, match="different sizes"):
        run([SMALL], cropping)


def test_drawings_are_told_from_photographs():
    checks = np.ascontiguousarray(make("checks", (3, 70, 90), 255, 1).astype(np.uint8).transpose(1, 2, 0))
    result = run([LARGE, ("checks", checks)])
    (drawing,) = result.drawings
    assert drawing.image == "checks"
    assert drawing.ours == len(imgcodec.compress(checks, lossless=True))
    assert drawing.png == result.png_bytes["checks"]
    assert drawing.webp == len(peers.webp_lossless(checks))
