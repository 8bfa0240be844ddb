"""The tables of `imgcodec bench`: five columns that never wrap."""

import dataclasses

import pytest
from evaluation.pictures import waves
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from imgcodec.cli import bench_tables as tables
from imgcodec.evaluation import bench, peers
from imgcodec.evaluation.bd import BdRate

NAME = "eine sehr lange Aufnahme von 図書館 [x] \x1b[31m.png"


@pytest.fixture(scope="module")
def report():
    ours = [peers.Codec("imgcodec", (30, 90), peers.jpeg, peers.decode)]
    others = [dataclasses.replace(peers.JPEG, name=name, qualities=(20, 60, 95)) for name in list(peers.TITLES)[:4]]
    return bench.run([(NAME, waves(60, 80)), ("b.png", waves(64, 64))], ours, others)


def test_no_line_is_wider_than_80_columns(report):
    lines = tables.lines(report)
    assert max(map(cell_len, lines)) <= 80
    assert not any("\x1b" in line for line in lines)


def test_five_columns(report):
    (verdict,) = report.verdicts
    _, heading, first, second = tables.pictures(verdict, ["jpeg", "avif"])
    assert heading.split("  ")[0] == "picture"
    assert heading.split() == ["picture", "bytes", "vs", "jpeg", "vs", "avif", "vs", "png"]
    assert first.startswith("…")
    assert len({cell_len(line) for line in (heading, first, second)}) == 1
    assert len(second.replace(" %", "%").split()) == 5


def test_of_many_others_the_best_is_named(report):
    (verdict,) = report.verdicts
    picture = dataclasses.replace(
        verdict.pictures[0], bytes={"imgcodec": 50.0, "jpeg": 100.0, "webp": 80.0, "avif": 40.0, "avif-psnr": None}
    )
    assert tables.best_of(picture, "imgcodec", ["webp", "avif", "avif-psnr"]) == "+25 % avif"
    assert tables.best_of(picture, "imgcodec", ["webp"]) == "-38 %"
    assert tables.best_of(picture, "imgcodec", ["avif-psnr"]) == tables.best_of(picture, "imgcodec", []) == "-"


def test_a_remark_is_below_the_table(report):
    remarked = dataclasses.replace(report.bd_rate["imgcodec"], psnr=BdRate(-12.3, (1, 2), 0.1, "little overlap, 10%"))
    lines = tables.codecs(dataclasses.replace(report, bd_rate=report.bd_rate | {"imgcodec": remarked}))
    assert lines[2].split()[:3] == ["imgcodec", "-12.3", "%*"]
    assert lines[-1] == "* imgcodec, PSNR: little overlap, 10%."


@given(st.text(max_size=60))
def test_a_name_always_has_its_width(name):
    assert cell_len(tables.padded(name)) == tables.NAME
    assert cell_len(tables.shortened(name)) < tables.NAME


def test_drawings_are_counted_and_shown_without_a_loss(report):
    drawings = [bench.Drawing(NAME, 300, 400, None), bench.Drawing("b.png", 10, 12, 9)]
    lines = tables.drawings(dataclasses.replace(report, drawings=drawings))
    assert lines[0].startswith("2 of 2 pictures look drawn.")
    assert lines[-1].split() == ["b.png", "10", "9", "12"]
    assert lines[-2].split()[-3:] == ["300", "-", "400"]
    assert max(map(cell_len, lines)) <= 80
    assert not any("look drawn" in line for line in tables.lines(report))
