"""Who takes fewer bytes where all are as like the original, and what is said where that is not known."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.evaluation.verdict import LIKENESS, verdict_on


@dataclass(frozen=True)
class File:
    image: str
    bytes: int
    ssimulacra2: float | None


def files(scale: float, scores=(40.0, 60.0, 80.0, 90.0), image="a") -> list[File]:
    """Twice the bytes for every ten points."""
    return [File(image, round(scale * 2 ** (score / 10)), score) for score in scores]


def verdict(samples, png=10**9):
    images = dict.fromkeys(file.image for file in samples["ours"])
    return verdict_on("ours", [name for name in samples if name != "ours"], samples, dict.fromkeys(images, png))


@given(scale=st.floats(0.3, 3))
def test_as_many_bytes_fewer_as_the_curves_are_apart(scale):
    found = verdict({"ours": files(1e4 * scale), "jpeg": files(1e4)})
    assert found.savings["jpeg"].share == pytest.approx(1 - scale, abs=1e-3)
    assert found.pictures[0].bytes["ours"] == pytest.approx(1e4 * scale * 2 ** (LIKENESS / 10), rel=1e-3)


def test_the_sentence_of_one_picture_and_of_several():
    one = {"ours": files(580), "jpeg": files(1000), "avif": files(620)}
    assert verdict(one).sentence == (
        "At SSIMULACRA2 of 70 your picture takes 42 % fewer bytes than JPEG and 6 % fewer than AVIF."
    )
    two = {name: both + files(both[0].bytes / 16, image="b") for name, both in one.items()}
    assert verdict(two).sentence == (
        "At SSIMULACRA2 of 70 your pictures take 42 % fewer bytes than JPEG and 6 % fewer than AVIF; "
        "none of 2 is better off as PNG."
    )


def test_more_bytes_and_as_many_are_said():
    found = verdict({"ours": files(1000), "jpeg": files(1000), "avif": files(800)})
    assert found.sentence == "At SSIMULACRA2 of 70 your picture takes as many bytes as JPEG and 25 % more than AVIF."


def test_nothing_is_said_beyond_what_was_measured():
    low = (20.0, 40.0, 60.0)
    ours = verdict({"ours": files(1000, low), "jpeg": files(1000)})
    assert ours.savings["jpeg"].share is None
    assert ours.sentence.startswith("Nothing is known at SSIMULACRA2 of 70: ")
    other = verdict({"ours": files(1000), "jpeg": files(1000, low)})
    assert other.sentence.startswith("At SSIMULACRA2 of 70 nothing is known of JPEG: ")
    third = verdict({"ours": files(1000), "jpeg": files(2000), "avif": files(1000, low)})
    assert third.sentence == (
        "At SSIMULACRA2 of 70 your picture takes 50 % fewer bytes than JPEG; nothing is known of AVIF there."
    )


def test_pictures_without_figures_are_counted():
    samples = {
        "ours": files(1000) + files(1000, (10.0, 30.0), "b"),
        "jpeg": files(2000) + files(2000, image="b"),
    }
    found = verdict(samples)
    assert "50 % fewer bytes than JPEG (1 of 2 pictures)" in found.sentence
    assert found.savings["jpeg"].pictures == 1
    assert found.pictures[1].saving("ours", "jpeg") is None


@pytest.mark.parametrize(
    ("scores", "png", "better"),
    [
        ((40.0, 60.0, 80.0), 128_000, True),  # at 70 ours has as many
        ((40.0, 60.0, 80.0), 129_000, False),
        ((20.0, 40.0), 15_000, True),  # ours does not get there, and its best file is larger already
        ((20.0, 40.0), 17_000, False),
        ((80.0, 90.0), 255_000, True),  # ours is better throughout, and its smallest file is larger
    ],
)
def test_better_off_as_png(scores, png, better):
    found = verdict({"ours": files(1000, scores), "jpeg": files(1000)}, png)
    assert found.pictures[0].better_as_png is better
    assert found.sentence.endswith("it is better off as PNG.") is better


def test_how_many_are_better_off_as_png():
    samples = {name: files(1000) + files(1000, image="b") for name in ("ours", "jpeg")}
    assert verdict(samples, 1).sentence.endswith("; 2 of 2 are better off as PNG.")
    found = verdict_on("ours", ["jpeg"], samples, {"a": 1, "b": 10**9})
    assert found.sentence.endswith("; 1 of 2 is better off as PNG.")


def test_a_codec_of_one_quality_is_compared_at_its_own_likeness():
    found = verdict({"ours": files(500, (55.0,)), "jpeg": files(1000)})
    assert found.likeness is None
    assert found.savings["jpeg"].share == pytest.approx(0.5, abs=1e-3)
    assert found.sentence == "At its own SSIMULACRA2 (55) your picture takes 50 % fewer bytes than JPEG."


def test_pictures_too_small_for_a_score():
    found = verdict({"ours": [File("a", 100, None)], "jpeg": [File("a", 100, None)]}, 90)
    assert found.pictures[0].likeness is None
    assert found.sentence == "The pictures are too small for SSIMULACRA2, so bytes at the same likeness are not known."


def test_a_codec_that_refused_a_picture():
    found = verdict({"ours": files(1000), "webp": []})
    assert found.pictures[0].bytes["webp"] is None
    assert "nothing is known of WebP" in found.sentence
