"""`imgcodec bench` as a function, with JPEG as the codec under test."""

import csv
import importlib
import io
import json

import pytest
from evaluation.pictures import waves
from PIL import Image

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.evaluation import peers

command = importlib.import_module("imgcodec.cli.bench")  # the package may offer the function under this name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two pictures, one of them too small for MS-SSIM, and a file that is no picture. The model is JPEG."""

    def load_codecs(model_name, device, qualities, tune, effort):
        return [peers.Codec("imgcodec", qualities or (50,), peers.jpeg, peers.decode)]

    monkeypatch.setattr(command, "load_codecs", load_codecs)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(waves(170, 200)).save(pictures / "large.png")
    Image.fromarray(waves(60, 80)).save(pictures / "small [x].png")
    (pictures / "notes.txt").write_text("not a picture")
    (pictures / ".hidden").write_text("not looked at")
    return pictures


def test_tables(folder, capsys):
    command.bench(folder, quality="10,50,90")
    out, err = capsys.readouterr()
    assert "imgcodec: each image" in out
    assert "imgcodec, all images" in out
    assert "small [x].png" in out
    mean = next(line for line in out.splitlines() if "mean curve" in line)
    assert mean.count("%") == 3
    small = [line for line in out.splitlines() if "small [x].png" in line]
    assert len(small) == 4  # three qualities and a BD-rate
    assert all(line.split("│")[6].strip() == "-" for line in small[:3])  # no MS-SSIM
    assert "No file is larger than the JPEG of the same PSNR." in out
    assert err.startswith("Skipped notes.txt: ")
    assert err.count("\n") == 1


def test_pictures_at_which_jpeg_is_better_are_named(folder, monkeypatch, capsys):
    padded = peers.Codec("imgcodec", (50,), lambda pixels, q: peers.jpeg(pixels, q) + bytes(99), peers.decode)
    monkeypatch.setattr(command, "load_codecs", lambda *_: [padded])
    command.bench(folder, quality="50")
    assert capsys.readouterr().out.endswith("at quality:\n  large.png: 50\n  small [x].png: 50\n")


def test_json(folder, capsys):
    command.bench(folder, quality="10, 37.5", as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["model"] == "photo"
    (report,) = report["reports"]
    assert report["codec"] == "imgcodec"
    assert [mean["quality"] for mean in report["means"]] == [10, 37.5]
    assert len(report["samples"]) == 4
    assert set(report["bd_rate_by_image"]) == {"large.png", "small [x].png"}
    assert report["samples"][2]["ms_ssim"] is None
    assert set(report["bd_rate"]["psnr"]) == {"percent", "interval", "overlap", "remark"}


def test_two_codecs_share_one_jpeg(folder, monkeypatch, capsys):
    made = []

    def jpeg(pixels, quality):
        made.append(quality)
        return peers.jpeg(pixels, quality)

    ours = [peers.Codec(f"imgcodec {t}", (30, 60), peers.jpeg, peers.decode) for t in ("psnr", "visual")]
    monkeypatch.setattr(command, "load_codecs", lambda *_: ours)
    monkeypatch.setattr(peers, "JPEG", peers.Codec("jpeg", (20, 50, 80), jpeg, peers.decode))
    command.bench(folder, as_json=True)
    out, err = capsys.readouterr()
    first, second = json.loads(out)["reports"]
    assert (first["codec"], second["codec"]) == ("imgcodec psnr", "imgcodec visual")
    assert first["jpeg_samples"] == second["jpeg_samples"]
    assert first["bd_rate"] == second["bd_rate"]
    assert err.count("Skipped notes.txt") == 1
    assert set(made) == {20, 50, 80}


def test_csv(folder, tmp_path, capsys):
    output = tmp_path / "out.csv"
    command.bench(folder, quality="50", csv_file=output)
    rows = list(csv.DictReader(io.StringIO(output.read_text())))
    ours = [row for row in rows if row["codec"] == "imgcodec"]
    assert [row["image"] for row in ours] == ["large.png", "small [x].png"]
    assert len(rows) - len(ours) == 2 * len(peers.JPEG_QUALITIES)
    assert ours[0]["same_psnr_jpeg_bytes"] == ours[0]["bytes"]
    assert ours[1]["ms_ssim"] == ""
    assert list(tmp_path.glob(".*")) == []  # nothing temporary is left
    assert "imgcodec, all images" in capsys.readouterr().out


def test_csv_to_stdout(folder, capsys):
    command.bench(folder / "large.png", quality="50", csv_file=command.Path("-"))
    out, err = capsys.readouterr()
    assert len(list(csv.DictReader(io.StringIO(out)))) == 1 + len(peers.JPEG_QUALITIES)
    assert err == ""


def test_an_existing_csv_file_is_kept_unless_forced(folder, tmp_path):
    output = tmp_path / "out.csv"
    output.write_text("mine")
    with pytest.raises(CodecError, match="exists already") as error:
        command.bench(folder, csv_file=output)
    assert error.value.exit_code == 1
    assert output.read_text() == "mine"
    command.bench(folder / "large.png", quality="50", csv_file=output, force=True)
    assert output.read_text().startswith("codec,image,")


def test_an_unwritable_csv_file(folder, tmp_path):
    with pytest.raises(CodecError, match="cannot be written") as error:
        command.bench(folder / "large.png", quality="50", csv_file=tmp_path / "missing" / "out.csv")
    assert error.value.exit_code == 1


@pytest.mark.parametrize("text", ["", "ten", "5,,10", "-1", "50,101", "nan"])
def test_wrong_qualities(folder, text):
    with pytest.raises(UsageError):
        command.bench(folder, quality=text)


def test_json_and_csv_cannot_share_stdout(folder):
    with pytest.raises(UsageError):
        command.bench(folder, as_json=True, csv_file=command.Path("-"))


def test_inputs_that_cannot_be_measured(folder, tmp_path):
    with pytest.raises(CodecError, match="There is no folder") as missing:
        command.bench(tmp_path / "missing")
    assert missing.value.exit_code == 1
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CodecError, match="holds no files"):
        command.bench(empty)
    with pytest.raises(InvalidFileError):
        command.bench(folder / "notes.txt")


def test_a_folder_without_pictures(folder, tmp_path):
    others = tmp_path / "others"
    others.mkdir()
    for name in ("a.txt", "b.txt"):
        (others / name).write_text("not a picture")
    with pytest.raises(InvalidFileError, match="holds no picture"):
        command.bench(others)


def test_qualities_are_sorted_and_counted_once():
    assert command.parse_qualities("50,5, 37.5,5") == (5.0, 37.5, 50.0)
