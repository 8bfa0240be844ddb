"""The bench, with JPEG as the codec under test: what it must say of JPEG against JPEG is known."""

import dataclasses
import json
from statistics import fmean

import pytest
from evaluation.pictures import RGBPixels, waves

from imgcodec.evaluation import bench, peers
from imgcodec.evaluation.peers import Codec
from imgcodec.metrics.reference import psnr, to_db

SAME = dataclasses.replace(peers.JPEG, name="same")
LARGE, OTHER, SMALL = ("large", waves(180, 200)), ("other", waves(170, 260)), ("small", waves(90, 120))


def padded(pixels: RGBPixels, quality: float) -> bytes:
    """JPEG with a quarter more bytes, which its decoder does not mind."""
    data = peers.jpeg(pixels, quality)
    return data + bytes(len(data) // 4)


PADDED = Codec("padded", peers.JPEG.qualities, padded, peers.decode)


@pytest.fixture(scope="module")
def report():
    return bench.run([LARGE, OTHER], SAME)


def test_jpeg_against_jpeg_is_zero(report):
    for comparison in (report.bd_rate, *report.bd_rate_by_image.values()):
        for rate in (comparison.psnr, comparison.ms_ssim_db, comparison.ssimulacra2):
            assert rate.percent == pytest.approx(0, abs=1e-9)


def test_a_quarter_more_bytes_is_a_quarter_more_rate():
    result = bench.run([LARGE], PADDED, rates=(0.05, 8.0))
    assert result.bd_rate.psnr.percent == pytest.approx(25, abs=0.2)  # bytes are whole
    assert result.means[3].jpeg.saving == pytest.approx(-0.25, abs=0.01)


def test_a_sample_is_what_the_real_file_gives(report):
    name, pixels = LARGE
    data = peers.jpeg(pixels, 50)
    sample = next(s for s in report.samples if s.image == name and s.quality == 50)
    assert (sample.width, sample.height) == (200, 180)
    assert sample.bytes == len(data)
    assert sample.bpp == pytest.approx(8 * len(data) / (200 * 180))
    assert sample.psnr == psnr(pixels, peers.decode(data))
    assert sample.ms_ssim_db == to_db(sample.ms_ssim)
    assert sample.encode_seconds > 0
    assert sample.decode_seconds > 0
    assert sample.jpeg.bytes == sample.bytes


def test_means_follow_the_conventions(report):
    samples = [sample for sample in report.samples if sample.quality == 25]
    mean = next(mean for mean in report.means if mean.quality == 25)
    assert mean.images == 2
    assert mean.bytes == sum(sample.bytes for sample in samples)
    assert mean.bpp == pytest.approx(fmean(sample.bpp for sample in samples))
    assert mean.psnr == pytest.approx(fmean(sample.psnr for sample in samples))
    assert mean.ms_ssim_db == pytest.approx(to_db(fmean(sample.ms_ssim for sample in samples)))
    assert mean.jpeg.images == 2
    assert mean.jpeg.saving == pytest.approx(0)


def test_a_small_image_lacks_a_metric_and_does_not_spoil_the_others():
    result = bench.run([LARGE, SMALL], SAME)
    assert all(sample.ms_ssim is None for sample in result.samples if sample.image == "small")
    small = result.bd_rate_by_image["small"]
    assert small.ms_ssim_db.percent is None
    assert small.ms_ssim_db.remark == ""
    assert small.psnr.percent == pytest.approx(0, abs=1e-9)
    assert result.bd_rate.ms_ssim_db == result.bd_rate_by_image["large"].ms_ssim_db
    alone = next(sample for sample in result.samples if sample.image == "large" and sample.quality == 50)
    assert next(mean for mean in result.means if mean.quality == 50).ms_ssim == alone.ms_ssim


def test_images_are_taken_one_at_a_time_and_progress_is_reported():
    events = []

    def images():
        for image in (LARGE, SMALL):
            events.append(image[0])
            yield image

    codec = dataclasses.replace(SAME, qualities=(20, 60))
    bench.run(images(), codec, advance=lambda: events.append("step"))
    steps = ["step"] * bench.steps(codec)
    assert events == ["large", *steps, "small", *steps]


def test_a_report_is_plain_data(report):
    text = json.dumps(dataclasses.asdict(report), allow_nan=False)
    assert json.loads(text)["bd_rate"]["psnr"]["percent"] == pytest.approx(0, abs=1e-9)


def test_where_jpeg_is_better_is_named(report):
    halved = [dataclasses.replace(sample, bytes=sample.bytes // 2) for sample in report.samples]
    assert bench.worse_than_jpeg(halved, report.jpeg_samples) == {}
    padding = bench.run([LARGE, SMALL], dataclasses.replace(PADDED, qualities=(25, 65)))
    assert padding.worse_than_jpeg == {"large": [25, 65], "small": [25, 65]}


def test_a_picture_worse_than_the_worst_jpeg_is_named():
    ruined = dataclasses.replace(PADDED, decompress=lambda data: 255 - peers.decode(data))
    result = bench.run([SMALL], dataclasses.replace(ruined, qualities=(5, 92)))
    assert [sample.jpeg for sample in result.samples] == [None, None]
    assert result.worse_than_jpeg == {"small": [5, 92]}


def test_no_images():
    with pytest.raises(ValueError, match="no images"):
        bench.run([], SAME)


def test_a_codec_that_changes_the_size():
    cropping = dataclasses.replace(SAME, decompress=lambda data: peers.decode(data)[1:])
    with pytest.raises(ValueError, match="different sizes"):
        bench.run([SMALL], cropping)
