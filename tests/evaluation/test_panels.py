"""Pictures to lay over each other: which ones, and the others at the same bytes."""

import dataclasses
import io

import numpy as np
import pytest
from evaluation.pictures import noise, waves
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgcodec.evaluation import bench, panels, peers
from imgcodec.evaluation.peers import Codec
from imgcodec.metrics.reference import psnr

PIXELS = waves(60, 80) // 2 + noise(60, 80, seed=1) // 4
OURS = Codec("imgcodec", (20, 45, 90), peers.jpeg, peers.decode)


@pytest.fixture(scope="module")
def report():
    """Ours takes 100, 107, 114 ... of JPEG's 200 bytes, in another order than that of the names."""
    images = [(f"{number}.png", waves(20, 24)) for number in range(12)]
    made = bench.run(images, [dataclasses.replace(OURS, qualities=(30,))], [peers.JPEG])
    (verdict,) = made.verdicts
    pictures = [
        dataclasses.replace(picture, bytes={"imgcodec": 100.0 + 7 * (number * 5 % 12), "jpeg": 200.0})
        for number, picture in enumerate(verdict.pictures)
    ]
    return dataclasses.replace(made, verdicts=[dataclasses.replace(verdict, pictures=pictures)])


def test_layers_are_what_files_decode_to_at_nearly_the_same_bytes():
    others, _ = peers.peers_named(["jpeg", "webp", "jxl"])
    shown = panels.panel("a.png", PIXELS, OURS, others, {})
    original, ours, *rest = shown.layers
    assert (shown.image, shown.width, shown.height) == ("a.png", 80, 60)
    assert np.array_equal(peers.decode(original.data), PIXELS)
    assert (ours.codec, ours.quality, ours.file_bytes) == ("imgcodec", 45, len(peers.jpeg(PIXELS, 45)))
    assert [layer.codec for layer in rest] == [codec.name for codec in others]
    for layer in rest:
        assert layer.file_bytes == pytest.approx(ours.file_bytes, rel=0.06)
    for layer in (ours, *rest):
        assert layer.scores.psnr == psnr(PIXELS, peers.decode(layer.data))
        assert layer.mime == Image.open(io.BytesIO(layer.data)).get_format_mimetype()
        assert layer.mime != "image/jxl"  # which browsers do not show
    assert np.array_equal(peers.decode(ours.data), peers.decode(peers.jpeg(PIXELS, 45)))


def test_a_codec_that_refused_the_picture_has_no_layer():
    shown = panels.panel("a.png", PIXELS, OURS, [peers.JPEG], {"jpeg": {"a.png": "too large"}})
    assert [layer.codec for layer in shown.layers] == ["original", "imgcodec"]


@given(sizes=st.lists(st.integers(1, 10**6), min_size=100, max_size=100).map(sorted), wanted=st.integers(0, 10**6))
def test_no_quality_comes_nearer_in_bytes(sizes, wanted):
    class Bytes(bytes):
        """As long as it says, without being it."""

        def __new__(cls, size):
            made = super().__new__(cls)
            made.size = size
            return made

        def __len__(self):
            return self.size

    quality, data = panels.nearest_in_bytes(lambda q: Bytes(sizes[q]), wanted)
    assert len(data) == sizes[quality]
    assert abs(len(data) - wanted) == min(abs(size - wanted) for size in sizes[1:])


def test_the_worst_and_the_best_are_among_those_that_are_shown(report):
    chosen = panels.choose(report)
    assert len(chosen) == panels.MOST_PANELS
    assert set(chosen) < set(report.images)
    assert {"0.png", "7.png"} <= set(chosen)
    assert panels.words(report, [None] * 8) == (
        "8 of 12 pictures can be laid over each other, so that the page does not grow too large."
    )


def test_pictures_are_shown_as_long_as_there_is_room(report, monkeypatch):
    monkeypatch.setattr(panels, "MOST_PIXELS", 3 * 20 * 24)
    assert len(panels.choose(report)) == 3
    monkeypatch.setattr(panels, "MOST_PIXELS", 100)
    assert panels.choose(report) == []
