"""`imgcodec info`: parts that add up to the file, as JSON and for people."""

import json
from pathlib import Path

import pytest
from in_process import invoke, invoke_silent

GOLDEN = Path(__file__).parents[1] / "golden"


def test_info_adds_up(run, nic, tmp_path) -> None:
    (tmp_path / "a.nic").write_bytes(nic)
    report = json.loads(run("info", "a.nic", "--json").stdout)
    header, sections = report["header"], report["sections"]
    assert (header["width"], header["height"], header["colour_mode"], header["quality"]) == (100, 75, "rgb", 62.5)
    assert header["bytes"] + sum(section["bytes"] for section in sections) == report["bytes"] == len(nic)
    assert header["share"] + sum(section["share"] for section in sections) == pytest.approx(1)
    assert report["bpp"] == pytest.approx(8 * len(nic) / 7500)
    assert [section["type"] for section in sections] == ["tokens"] * header["stage_count"] + ["end"]
    assert sections[0]["offset"] == header["bytes"]


def test_info_for_people(run, nic, tmp_path) -> None:
    (tmp_path / "a.nic").write_bytes(nic)
    told = run("info", "a.nic")
    lines = told.stdout.decode().splitlines()
    assert (told.returncode, told.stderr) == (0, b"")
    assert lines[0].split() == ["width", "100"]
    assert ["format", "version"] in [line.split()[:2] for line in lines]  # the longest name has a gap behind it
    assert [line.split()[0] for line in lines[-5:]] == ["header", "tokens", "tokens", "end", "file"]
    assert lines[-1].split()[1:3] == [str(len(nic)), "100.00%"]


def test_one_rate_is_no_quality(raster_model, photo, tmp_path) -> None:
    assert invoke_silent("compress", photo, "-o", tmp_path / "a.nic", "--model", raster_model)[0] == 0
    code, told, _ = invoke("info", tmp_path / "a.nic", "--json")
    header = json.loads(told)["header"]
    assert (code, header["quality"], header["tune"]) == (0, None, None)
    assert "quality" not in invoke("info", tmp_path / "a.nic")[1]
    code, told = invoke_silent("bench", photo, "--model", raster_model, "-q", "50")
    assert (code, told) == (2, "imgcodec: The model small has one rate: it takes no quality.\n")


def test_files_of_version_2_have_calls(run, tmp_path) -> None:
    (tmp_path / "a.nic").write_bytes((GOLDEN / "few-calls.nic").read_bytes())
    report = json.loads(run("info", "a.nic", "--json").stdout)
    assert (report["header"]["format_version"], report["header"]["stage_count"]) == (2, 2)
    assert [(s["stage"], s["calls"]) for s in report["sections"]] == [(0, [0, 12]), (1, [12, 17]), (0, None)]
    lines = run("info", "a.nic").stdout.decode().splitlines()
    assert [line.split()[:4] for line in lines[-4:-2]] == [["tokens", "0", "0", "0-11"], ["tokens", "1", "0", "12-16"]]
