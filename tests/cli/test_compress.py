"""`imgcodec compress`: what it says of the file that it made, and what it makes where it may not."""

import json
from pathlib import Path

import numpy as np
import pytest
from in_process import invoke
from made_pictures import save_everything
from PIL import Image

from imgcodec.bitstream import container
from imgcodec.bitstream.entropy import RangeEncoder
from imgcodec.bitstream.payload import pack_alpha
from imgcodec.bitstream.sections import Section, SectionType


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    y, x = np.mgrid[:50, :70]
    image = Image.fromarray(np.stack([x * 3, y * 4, x + y], axis=2).astype(np.uint8))
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(path)
    return path


def test_compress_verifies_what_it_made(tiny, picture) -> None:
    code, _, _ = invoke("compress", picture, "--verify", "--model", tiny)
    assert code == 0
    data = picture.with_suffix(".nic").read_bytes()
    assert invoke("compress", picture, "-f", "--model", tiny)[0] == 0
    assert picture.with_suffix(".nic").read_bytes() == data


@pytest.mark.parametrize("fault", ["other tokens", "no tokens", "other alpha", "no alpha"])
def test_an_encoder_that_errs_leaves_no_file(tiny, picture, monkeypatch, fault) -> None:
    def write(header, sections, write=container.write):
        changed = []
        for section in sections:
            if section.type == SectionType.ALPHA and fault.endswith("alpha"):
                if fault.startswith("no"):
                    continue
                section = Section(section.type, 0, 0, pack_alpha(np.zeros((50, 70), np.uint8)))
            changed.append(section)
        return write(header, changed)

    def finish(coder, finish=RangeEncoder.finish):
        data = finish(coder)
        return b"\xff" * 40 if fault == "no tokens" else data[:2] + bytes([data[2] ^ 1]) + data[3:]

    if fault.endswith("alpha"):
        monkeypatch.setattr(container, "write", write)
    else:
        monkeypatch.setattr(RangeEncoder, "finish", finish)
    before = sorted(picture.parent.iterdir())
    code, _, message = invoke("compress", picture, "--verify", "--model", tiny)
    assert code == 1
    assert "was thrown away" in message
    assert message.count("\n") == 1
    assert sorted(picture.parent.iterdir()) == before
    assert invoke("compress", picture, "--model", tiny)[0] == 0  # not asked, nobody looks


def test_existing_output_is_replaced_only_by_force(run, tiny, photo, tmp_path, nic) -> None:
    (tmp_path / "photo.nic").write_bytes(nic)
    refused = run("compress", photo)
    assert refused.returncode == 1
    assert b"photo.nic exists already; -f replaces it." in refused.stderr
    assert (tmp_path / "photo.nic").read_bytes() == nic
    assert run("compress", photo, "-f", "--model", tiny).returncode == 0
    assert (tmp_path / "photo.nic").read_bytes() != nic
    (tmp_path / "photo.nic.png").write_bytes(b"mine")
    refused = run("decompress", "photo.nic")
    assert (refused.returncode, refused.stderr) == (1, b"imgcodec: photo.nic.png exists already; -f replaces it.\n")
    assert (tmp_path / "photo.nic.png").read_bytes() == b"mine"


def test_summary_as_json(run, tiny, photo, tmp_path) -> None:
    made = run("compress", photo, "-o", "out.nic", "--json", "--model", tiny)
    summary = json.loads(made.stdout)
    assert made.stderr == b""
    assert summary["bytes"] == (tmp_path / "out.nic").stat().st_size
    assert (summary["width"], summary["height"], summary["quality"], summary["output"]) == (70, 50, 50, "out.nic")
    assert json.loads(run("info", "out.nic", "--json").stdout)["header"]["codebook_id"] == summary["codebook_id"]


def test_strip_keeps_what_shows(run, tiny, tmp_path) -> None:
    save_everything(tmp_path / "all.png")
    run("compress", "all.png", "--strip", "--no-exact", "--model", tiny)
    sections = json.loads(run("info", "all.nic", "--json").stdout)["sections"]
    assert [section["type"] for section in sections] == ["icc", "tokens", "tokens", "alpha", "end"]


def test_a_result_larger_than_the_input_is_said(run, tiny, tmp_path) -> None:
    Image.new("1", (300, 2)).save(tmp_path / "small.png")
    made = run("compress", "-", "-o", "a.nic", "--model", tiny, input=(tmp_path / "small.png").read_bytes())
    size = (tmp_path / "small.png").stat().st_size
    assert (tmp_path / "a.nic").stat().st_size > size
    assert f"-: the result is larger than the input, which has {size} bytes.\n" in made.stderr.decode()


def test_output_that_is_the_input_is_refused(run, tiny, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    refused = run("compress", "a.png", "-o", tmp_path / "a.png", "-f", "--model", tiny)
    assert refused.returncode == 2
    assert b"is the input; name another output with -o." in refused.stderr
    assert (tmp_path / "a.png").read_bytes() == before
