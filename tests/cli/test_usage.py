"""Mistakes as a new user makes them: one sentence each that says what is wrong and what would be right."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from in_process import call
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, nic: bytes) -> Path:
    """What the command lines name: pictures, .nic files, folders, things that are neither."""
    folder = tmp_path_factory.mktemp("mistakes")
    for name in ("a.png", "a.jpg", "IMG.2024-01-01", "pictures/a.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 30), "teal").save(folder / name, "JPEG" if name.endswith("jpg") else "PNG")
    (folder / "a.nic").write_bytes(nic)
    (folder / "half.nic").write_bytes(nic[:60])
    (folder / "empty").write_bytes(b"")
    (folder / "nothing").mkdir()
    (folder / "folder.safetensors").mkdir()
    (folder / "bad.toml").write_text("profile = 'photo'\nphases = 7\n")
    (folder / "noise.toml").write_bytes(b"\x89\xff")
    shutil.copy(ROOT / "recipes" / "photo.toml", folder)
    return folder


MISTAKES = [
    # the parser's
    ("compres a.png", 2, "imgcodec has no command 'compres'; did you mean compress or decompress? See imgcodec "),
    ("zip a.png", 2, "imgcodec has no command 'zip'."),
    ("data pak pictures", 2, "imgcodec data has no command 'pak'; did you mean pack? See imgcodec data --help"),
    ("models shw", 2, "imgcodec models has no command 'shw'; did you mean show?"),
    ("--verison", 2, "imgcodec has no option --verison; did you mean --version?"),
    ("compress a.png --qualty 5", 2, "did you mean --quality or --quiet? See imgcodec compress --help"),
    ("compress a.png --target-b 5", 2, "has no option --target-b; did you mean --target-bpp?"),
    ("compress a.png --tu psnr", 2, "has no option --tu; did you mean --tune?"),
    ("info a.nic -q", 2, "imgcodec info has no option -q. See imgcodec info --help"),
    ("compress", 2, "imgcodec compress needs INPUT (an image file, or a folder of them; - is stdin). See imgcodec"),
    ("verify", 2, "imgcodec verify needs FILES..."),
    ("generate bsq", 2, "imgcodec generate needs --output (the folder to write to). See imgcodec generate --help"),
    ("train photo.toml", 2, "imgcodec train needs --data"),
    ("tokenize photo -o out", 2, "imgcodec tokenize needs FOLDER"),
    ("compress a.png -o", 2, "-o needs a value behind it. See imgcodec compress --help"),
    ("data pack pictures -o", 2, "-o needs a value behind it. See imgcodec data pack --help"),
    ("compress a.png out.nic", 2, "and here is also out.nic; the output is named with -o."),
    ("decompress a.nic a.png", 2, "and here is also a.png; the output is named with -o."),
    ("generate bsq bsq -o x", 2, "takes no more arguments, and here is also bsq; the output is named with -o."),
    ("compress a.png -q abc", 2, "--quality takes a number, not 'abc'. See imgcodec compress --help"),
    ("compress a.png -q 101", 2, "--quality takes at most 100, not '101'."),
    ("compress a.png -q -1", 2, "--quality takes 0 or more, not '-1'."),
    ("compress a.png -e 1.5", 2, "--effort takes a whole number, not '1.5'."),
    ("compress a.png -e 10", 2, "--effort takes at most 9, not '10'."),
    ("compress a.png --target-bpp x", 2, "--target-bpp takes a number, not 'x'."),
    ("compress a.png --max-pixels 1e6", 2, "--max-pixels takes a whole number, not '1e6'."),
    ("decompress a.nic --scale two", 2, "--scale takes a whole number, not 'two'."),
    ("data picsum -o x --count 0", 2, "--count takes 1 or more, not '0'."),
    # values
    ("compress a.png -q 50 --target-bpp 1", 2, "Give one of a quality and the targets, not several."),
    ("compress a.png --target-size 40q", 2, "--target-size takes a number of bytes like 40000, 40KB or 40KiB,"),
    ("compress a.png --target-size ٤K", 2, "--target-size takes a number of bytes"),
    (f"compress a.png --target-size {'9' * 400}", 2, "--target-size takes less than 2^63 bytes"),
    ("compress a.png --target-bpp -1", 2, "There is no file of -1.000 bits per pixel."),
    ("compress a.png --tune best", 2, "has no tune 'best', only psnr"),
    ("compress a.png --device gpu", 2, "There is no device 'gpu' here; devices are cpu, cuda, cuda:1, mps and auto."),
    ("tokenize photo pictures -o out --shards 0", 2, "--shards takes 1 to 100000, or a size like 64MB, not '0'."),
    ("tokenize photo pictures -o out --split a", 2, "--split takes a list like train=0.9,valid=0.1, not 'a'."),
    ("bench pictures -q x", 2, "--quality takes numbers with commas between them, not 'x'."),
    ("bench pictures -q 101", 2, "Qualities go from 0 to 100, not '101'."),
    ("generate bsq -o out --size 9", 2, "--size takes a width and a height like 256x192, not '9'."),
    ("generate bsq -o out --temperature hot", 2, "--temperature takes a number, not 'hot'."),
    ("decompress a.nic --scale 3", 2, "--scale takes 1, 2 or 4, not 3."),
    ("data picsum -o x --url ftp://x", 2, "--url takes an address that begins with http:// or https://"),
    # names
    ("compress ''", 2, "'' is not the name of a file."),
    ("compress .", 2, "A folder is compressed to another one: name it with -o."),
    ("compress .", 2, "A folder is compressed to another one: name it with -o."),
    ("decompress ..", 2, "'..' is not the name of a file."),
    ("compress a.png -o ''", 2, "An empty name is the name of no file."),
    ("info ''", 1, "There is no file ''."),
    ("compress a.png -o 01.avif", 2, "would be a .nic file by another suffix: name it .nic, or insist with -f."),
    ("decompress a.nic -o x.xyz", 2, ".webp, .tif, .tiff, .ppm, not as '.xyz'."),
    ("decompress a.nic -o x", 2, "not under a name without suffix."),
    # one thing for another
    ("compress a.nic", 3, "a.nic is a .nic file already; imgcodec decompress makes a picture of it."),
    ("decompress a.jpg", 3, "a.jpg is a picture, not a .nic file; imgcodec compress makes one of it."),
    ("info a.png", 3, "a.png is a picture, not a .nic file; imgcodec compress makes one of it."),
    ("verify a.png", 3, "a.png is a picture, not a .nic file; imgcodec compress makes one of it."),
    ("decompress half.nic", 3, "half.nic: The file "),
    ("info empty", 3, "empty: The file is empty."),
    ("compress empty", 3, "empty is empty."),
    ("compress pictures", 2, "A folder is compressed to another one: name it with -o."),
    ("decompress pictures", 3, "pictures is a folder, not a file."),
    ("tokenize photo a.png -o out", 1, "a.png is not a folder."),
    ("data pack a.png -o out", 1, "a.png is not a folder."),
    ("train pictures --data pictures", 3, "pictures is a folder, not a file."),
    ("train noise.toml --data pictures", 2, "The recipe noise.toml is not valid: it is not a text in UTF-8."),
    ("train bad.toml --data pictures", 2, "The recipe bad.toml is not valid: "),
    ("train photo.toml --data pictures --set x", 2, "--set takes KEY=VALUE, the value as in a recipe, and not 'x'."),
    ("bench nothing", 1, "nothing holds no files."),
    # what is not there, and what is there already
    ("compress none.png", 1, "There is no file none.png."),
    ("decompress none.nic", 1, "There is no file none.nic."),
    ("verify none.nic", 1, "There is no file none.nic."),
    ("generate bsq -o out --prefix none.png", 1, "There is no file none.png."),
    ("train none.toml --data pictures", 1, "There is no file none.toml."),
    ("train photo.toml --data none", 1, "There is no file or folder none."),
    ("tokenize photo none -o out", 1, "There is no folder none."),
    ("data pack none -o out", 1, "There is no folder none."),
    ("bench none", 1, "There is no folder none."),
    ("compress a.png --model fotos -o new.nic", 4, "The model 'fotos' is not installed; there are: bsq, photo, "),
    ("compress a.png --model a.png -o new.nic", 4, "'a.png' is not a model file, whose name ends in .safetensors;"),
    ("models show folder.safetensors", 4, "'folder.safetensors' is a folder, not a model; there are: bsq, photo, "),
    ("compress a.png --model bsq --tune psnr", 2, "The model bsq has one way to code a picture: it takes no tune."),
    ("compress a.png -q nan", 2, "--quality takes a number, not 'nan'."),
    ("decompress a.nic --format png", 2, "has no option --format; the format is that of the output's suffix. See"),
    ("data pack folder.safetensors -o out", 1, "folder.safetensors holds no files."),
    ("train photo.toml --data folder.safetensors", 2, "There is no picture of at least "),
    ("train photo.toml --data folder.safetensors -o new/run", 2, "There is no picture of at least "),
    ("models show none", 4, "The model 'none' is not installed; there are: bsq, photo, "),
    ("compress a.png", 1, "a.nic exists already; -f replaces it."),
    ("compress a.png -o none/a.nic", 1, "none/a.nic cannot be written: there is no folder "),
    ("compress a.png -o pictures", 1, "pictures cannot be written: it is a folder."),
    ("compress a.png -o a.png -f", 2, "a.png is the input; name another output with -o."),
    ("compress a.png -o - --json", 2, "The file and the JSON cannot both go to stdout; name a file with -o."),
]  # fmt: skip


@pytest.mark.parametrize(("line", "exit_code", "words"), MISTAKES, ids=[line[:40] for line, _, _ in MISTAKES])
def test_mistake(prepared: Path, monkeypatch: pytest.MonkeyPatch, line: str, exit_code: int, words: str) -> None:
    monkeypatch.chdir(prepared)
    before = sorted(prepared.rglob("*"))
    if "--device" in line or "--tune" in line:
        line += " -f"
    done = call(*shlex.split(line))
    told = done.stderr.decode()
    assert (done.returncode, done.stdout) == (exit_code, b""), told
    assert words in told
    if line.startswith("train"):
        told = told.removeprefix("Reading pictures from folder.safetensors\n")
    assert re.fullmatch(r"imgcodec: .*[.?]\n", told)
    assert ".." not in told.replace("...", "").replace("'..'", "")
    assert sorted(prepared.rglob("*")) == before


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("a.png", "a.nic"),
        ("A.JPEG", "A.nic"),
        ("IMG.2024-01-01", "IMG.2024-01-01.nic"),
        ("archive.v2", "archive.v2.nic"),
        ("photo", "photo.nic"),
        (".png", ".png.nic"),
        ("a.nic.png", "a.nic.nic"),
    ],
)
def test_only_the_suffix_of_a_picture_is_replaced(run, tiny, tmp_path, source, output) -> None:
    Image.new("RGB", (20, 20), "teal").save(tmp_path / source, "PNG")
    assert run("compress", source, "--model", tiny).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source, output])


def test_compress_and_then_decompress_keep_the_original(run, tiny, photo) -> None:
    before = photo.read_bytes()
    assert run("compress", "photo.jpeg", "--model", tiny).returncode == 0
    assert run("decompress", "photo.nic", "--model", tiny).returncode == 0
    assert sorted(path.name for path in photo.parent.iterdir()) == ["photo.jpeg", "photo.nic", "photo.nic.png"]
    assert photo.read_bytes() == before


@pytest.mark.parametrize("output", ["x.nic", "X.NIC", "x", "IMG.2024-01-01"])
def test_names_of_outputs(run, tiny, photo, tmp_path, output) -> None:
    assert run("compress", photo, "--model", tiny, "-o", output).returncode == 0
    assert run("compress", photo, "--model", tiny, "-o", "x.avif", "-f").returncode == 0
    assert (tmp_path / output).read_bytes() == (tmp_path / "x.avif").read_bytes()


def test_a_smaller_png_is_said(run, tiny, photo, tmp_path, monkeypatch) -> None:
    """Not only of an input that is one: a bitmap of stripes has a small PNG, too."""
    monkeypatch.setattr("imgcodec.tasks.compress.FEWEST_BPP_FOR_PNG", 0)  # the small model has only low rates
    stripes = Image.new("L", (256, 256))
    stripes.paste(255, (3, 0, 5, 256))
    stripes.paste(255, (30, 0, 99, 256))
    stripes.convert("RGB").save(tmp_path / "page.bmp")
    assert "PNG" not in run("compress", "page.bmp", "-q", "100", "--model", tiny, "-o", "exact.nic").stderr.decode()
    told = run("compress", "page.bmp", "-q", "100", "--no-exact", "--model", tiny).stderr.decode()
    size = int(re.search(r"page\.bmp: a PNG of it loses nothing and is smaller, (\d+) bytes\.", told)[1])
    assert (tmp_path / "exact.nic").stat().st_size < size < (tmp_path / "page.nic").stat().st_size
    Image.effect_noise((256, 256), 90).save(tmp_path / "noise.bmp")
    assert "PNG" not in run("compress", "noise.bmp", "-q", "0", "--model", tiny).stderr.decode()


@pytest.mark.parametrize("encoding", ["ascii", "ascii:strict", "latin-1", "utf-8"])
def test_names_that_the_terminal_cannot_show(script, tmp_path, monkeypatch, encoding, nic) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    (tmp_path / "größe 図.nic").write_bytes(nic)
    done = script("verify", "größe 図.nic", "図.nic")
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr.count(b"\n")) == (1, 1, 1)
    assert b"sound" in done.stdout
    assert b"Traceback" not in done.stderr


def test_usage_errors_of_processes_are_those_of_the_table(script) -> None:
    done: subprocess.CompletedProcess[bytes] = script("compress", "a.png", "b.nic")
    assert done.returncode == 2
    assert done.stderr.startswith(
        b"imgcodec: Compress takes pictures, and here is also b.nic; the output is named with -o."
    )
