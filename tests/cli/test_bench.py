"""`imgcodec bench`, with JPEG as the codec under test."""

import csv
import importlib
import io
import json
import re

import pytest
from evaluation.pictures import waves
from in_process import invoke
from PIL import Image

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.evaluation import peers
from imgcodec.evaluation.ours import DEFAULT_QUALITIES

command = importlib.import_module("imgcodec.cli.bench")  # the package may offer the function under this name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two pictures, one of them too small for MS-SSIM, and a file that is no picture. The model is JPEG."""
    monkeypatch.setattr("imgcodec.evaluation.ours.codecs_of_model", jpeg_as_ours)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(waves(170, 200)).save(pictures / "large.png")
    Image.fromarray(waves(60, 80)).save(pictures / "small [x].png")
    (pictures / "notes.txt").write_text("not a picture")
    (pictures / ".hidden").write_text("not looked at")
    return pictures


def jpeg_as_ours(model_name, device, qualities, tune, effort):
    return [peers.Codec("imgcodec", qualities or (50,), peers.jpeg, peers.decode)]


def test_tables(folder):
    qualities = ",".join(map(str, peers.JPEG_QUALITIES))
    code, out, err = invoke("bench", folder, "--quality", qualities, "--against", "jpeg,webp")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    small = [line for line in out.splitlines() if line.startswith("small [x].png ")]
    assert len(small) == 1
    assert "vs jpeg" in out
    assert "vs webp" in out
    assert re.search(r"(?m)^jpeg +\+0.0 % ", out)
    sentence = " ".join(out.split("\n\n")[-1].split())
    assert sentence.startswith("At SSIMULACRA2 of 70 your pictures take as many bytes as JPEG and ")
    assert sentence.endswith(" better off as PNG.")
    assert err.startswith("Skipped notes.txt: ")
    assert err.count("\n") == 1


def test_json(folder):
    code, out, _ = invoke("bench", folder, "-q", "10, 37.5", "--json", "--against", "jpeg")
    assert code == 0
    report = json.loads(out)
    assert (report["model"], report["ours"], report["others"]) == ("photo", ["imgcodec"], ["jpeg"])
    assert [mean["quality"] for mean in report["means"]["imgcodec"]] == [10, 37.5]
    assert len(report["samples"]["imgcodec"]) == 4
    assert set(report["bd_rate_by_image"]["imgcodec"]) == {"large.png", "small [x].png"}
    assert report["samples"]["imgcodec"][2]["ms_ssim"] is None
    assert set(report["bd_rate"]["imgcodec"]["psnr"]) == {"percent", "interval", "overlap", "remark"}
    assert report["verdicts"][0]["sentence"]


def test_two_codecs_of_ours_share_the_files_of_the_others(folder, monkeypatch):
    ours = [peers.Codec(f"imgcodec {t}", (30, 60), peers.jpeg, peers.decode) for t in ("psnr", "visual")]
    monkeypatch.setattr("imgcodec.evaluation.ours.codecs_of_model", lambda *_: ours)
    code, out, err = invoke("bench", folder, "--against", "jpeg", "--json")
    assert code == 0
    report = json.loads(out)
    assert len(report["samples"]["jpeg"]) == 2 * len(peers.JPEG_QUALITIES)
    assert report["bd_rate"]["imgcodec psnr"] == report["bd_rate"]["imgcodec visual"]
    assert [verdict["codec"] for verdict in report["verdicts"]] == ["imgcodec psnr", "imgcodec visual"]
    assert err.count("Skipped notes.txt") == 1


def test_what_is_not_here_is_left_out_with_a_word(folder, monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    one = folder / "small [x].png"
    code, out, err = invoke("bench", one, "-q", "50", "--against", "jpeg,jxl", "--json")
    assert code == 0
    assert json.loads(out)["others"] == ["jpeg"]
    assert err == "jxl is left out: JPEG XL needs pillow-jxl-plugin: pip install 'imgcodec[bench]'.\n"
    code, out, err = invoke("bench", one, "--against", "jxl")
    assert (code, out) == (1, "")
    assert "None of the codecs jxl is here to compare with." in err


@pytest.mark.parametrize("text", ["", "heic", "jpeg,,avif"])
def test_wrong_codecs_to_compare_with(folder, text):
    code, out, err = invoke("bench", folder, "--against", text)
    assert (code, out) == (2, "")
    assert "to compare with, only jpeg, " in err


def test_help_names_every_codec_to_compare_with():
    told = "".join(invoke("bench", "--help")[1].split())
    assert ", ".join(peers.TITLES) == command.PEERS
    assert all(name in told for name in peers.TITLES)
    assert ",".join(f"{quality:g}" for quality in DEFAULT_QUALITIES) in told


def test_a_page(folder, tmp_path):
    output = tmp_path / "report.html"
    line = ("bench", folder, "-q", "20,60", "--against", "jpeg", "--html", output)
    code, out, err = invoke(*line)
    assert code == 0
    assert "BD-rate against JPEG" in out  # the tables all the same
    page = output.read_text(encoding="utf-8")
    assert "small [x].png" in page
    assert (
        err.splitlines()[-1] == f"The page has {len(page) / 2**20:.1f} MiB; all pictures can be laid over each other."
    )
    code, out, err = invoke(*line)
    assert (code, out) == (1, "")
    assert "exists already" in err
    code, out, err = invoke("bench", folder / "large.png", "-q", "50", "--against", "jpeg", "--html", "-")
    assert (code, out.count("<html"), out.count("</html>")) == (0, 1, 1)


def test_csv(folder, tmp_path, capsys):
    output = tmp_path / "out.csv"
    command.bench(folder, quality="50", against="jpeg", csv_file=output)
    rows = list(csv.DictReader(io.StringIO(output.read_text())))
    ours = [row for row in rows if row["codec"] == "imgcodec"]
    assert [row["image"] for row in ours] == ["large.png", "small [x].png"]
    assert len(rows) - len(ours) == 2 * len(peers.JPEG_QUALITIES)
    assert [row["bytes"] for row in rows if row["codec"] == "jpeg" and row["quality"] == "50"] == [
        row["bytes"] for row in ours
    ]
    assert ours[1]["ms_ssim"] == ""
    assert list(tmp_path.glob(".*")) == []  # nothing temporary is left
    assert "BD-rate against JPEG" in capsys.readouterr().out


def test_csv_to_stdout(folder, capsys):
    command.bench(folder / "large.png", quality="50", against="jpeg", csv_file=command.Path("-"))
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
    command.bench(folder / "large.png", quality="50", against="jpeg", csv_file=output, force=True)
    assert output.read_text().startswith("codec,image,")


def test_an_unwritable_csv_file(folder, tmp_path):
    with pytest.raises(CodecError, match="cannot be written") as error:
        command.bench(folder / "large.png", quality="50", against="jpeg", csv_file=tmp_path / "missing" / "out.csv")
    assert error.value.exit_code == 1


@pytest.mark.parametrize("text", ["", "ten", "5,,10", "-1", "50,101", "nan"])
def test_wrong_qualities(folder, text):
    with pytest.raises(UsageError):
        command.bench(folder, quality=text)


@pytest.mark.parametrize(
    "options", [("--json", "--csv", "-"), ("--csv", "-", "--html", "-"), ("--html", "-", "--json")]
)
def test_only_one_result_goes_to_stdout(folder, options):
    code, out, err = invoke("bench", folder, *options)
    assert (code, out) == (2, "")
    assert err == "imgcodec: Of JSON, CSV and HTML only one can go to standard output.\n"


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
