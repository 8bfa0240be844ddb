"""Commands on many files: trees that are mirrored, what is done and left out, what fails and is listed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from in_process import invoke
from PIL import Image

SCRIPT = Path(sys.executable).with_name("imgcodec")
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pictures, one in a folder; a file of another kind; the command runs in the folder above."""
    folder = tmp_path / "photos"
    (folder / "in").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, name in enumerate(("a.png", "b.jpg", "in/c.png")):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        coarse.resize((64 + number, 48), Image.Resampling.BICUBIC).save(folder / name)
        os.utime(folder / name, (10**9 + number, 10**9 + number))
    (folder / "notes.txt").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_tree_is_mirrored_and_then_there_is_nothing_to_do(photos, tiny) -> None:
    code, told, said = invoke("compress", "photos", "-r", "-o", "out", "--model", tiny)
    assert (code, told) == (0, "")
    first, last = said.splitlines()
    assert first == "photos: 1 file of another kind is left alone."
    assert last.startswith("3 files made, ")
    made = tree(Path("out"))
    assert sorted(made) == ["a.nic", "b.nic", "in/c.nic"]
    for name, original in (("a.nic", "a.png"), ("in/c.nic", "in/c.png")):
        assert os.stat(f"out/{name}").st_mtime == os.stat(photos / original).st_mtime
        assert invoke("compress", photos / original, "-o", "alone.nic", "-f", "--model", tiny)[0] == 0
        assert Path("alone.nic").read_bytes() == made[name]  # the same as one by one

    code, _, said = invoke("compress", "photos", "-r", "-o", "out", "--model", tiny)
    assert (code, said.splitlines()[-1]) == (0, "0 files made; 3 done already.")
    os.utime(photos / "b.jpg")
    Path("out/in/c.nic").unlink()
    code, _, said = invoke("compress", "photos", "-r", "-o", "out", "-v", "--model", tiny)
    assert code == 0
    assert [line.split(":")[0] for line in said.splitlines()[1:4]] == ["out/a.nic", "out/b.nic", "out/in/c.nic"]
    assert said.splitlines()[-1].endswith("1 done already.")
    assert tree(Path("out")) == made

    code, _, said = invoke("decompress", "out", "-r", "-o", "back", "--model", tiny)
    assert (code, sorted(tree(Path("back")))) == (0, ["a.nic.png", "b.nic.png", "in/c.nic.png"])
    assert Image.open("back/in/c.nic.png").size == (66, 48)
    assert os.stat("back/a.nic.png").st_mtime == os.stat(photos / "a.png").st_mtime


def test_processes_make_what_one_makes(photos, tiny) -> None:
    for name, jobs in (("one", 1), ("two", 2)):
        assert invoke("compress", "photos", "-r", "-o", name, "-j", jobs, "--model", tiny)[0] == 0
    assert tree(Path("one")) == tree(Path("two"))
    one, two = (invoke("verify", "one", "-r", "-j", jobs) for jobs in (1, 2))
    assert one == two == (0, "one/a.nic: sound\none/b.nic: sound\none/in/c.nic: sound\n", "")


def test_bad_files_are_listed_at_the_end_and_stop_nothing(photos, tiny) -> None:
    (photos / "aa.png").write_bytes(b"broken")
    code, told, said = invoke("compress", "photos", "-r", "--json", "--model", tiny)
    assert code == 1
    assert said.splitlines()[-1] == "imgcodec: photos/aa.png is not an image of a kind that can be read."
    assert said.splitlines()[-2].endswith("; 1 failed:")
    lines = [json.loads(line) for line in told.splitlines()]
    assert [line["input"] for line in lines] == ["photos/a.png", "photos/aa.png", "photos/b.jpg", "photos/in/c.png"]
    assert "not an image" in lines[1]["error"]
    assert lines[2]["bytes"] == (photos / "b.nic").stat().st_size
    (photos / "b.nic").write_bytes(b"broken")
    code, told, said = invoke("decompress", "photos", "-r", "--json", "--quiet", "--model", tiny)
    assert code == 1
    assert said.startswith("imgcodec: photos/b.nic: The file is not a .nic file")
    assert said.count("\n") == 1
    assert [len(json.loads(line)) > 3 for line in told.splitlines()] == [True, False, True]


def test_inputs_that_would_collide_are_named_before_anything_is_written(photos, tiny) -> None:
    shutil.copy(photos / "a.png", photos / "a.webp")
    shutil.copy(photos / "a.png", photos / "in" / "a.png")
    before = tree(photos)
    code, told, said = invoke("compress", "photos", "-r", "-o", "out", "--model", tiny)
    assert (code, told) == (2, "")
    collision = "imgcodec: photos/a.png and photos/a.webp would both become out/a.nic."
    assert said.splitlines()[-1] == collision
    assert tree(photos) == before
    assert not Path("out").exists()
    code, _, said = invoke("compress", "photos/a.png", "photos/in/a.png", "-o", "out/", "--model", tiny)
    assert (code, said) == (2, "imgcodec: photos/a.png and photos/in/a.png would both become out/a.nic.\n")
    assert invoke("compress", "photos/a.png", "photos/in/a.png", "--model", tiny)[0] == 0  # beside them they do not


def test_what_no_earlier_run_made_is_left_alone(photos, tiny) -> None:
    (photos / "a.nic").write_bytes(b"mine")
    os.utime(photos / "a.nic", (9, 9))
    code, _, said = invoke("compress", "photos/a.png", "photos/b.jpg", "--model", tiny)
    assert (code, (photos / "a.nic").read_bytes()) == (1, b"mine")
    assert said.splitlines()[-1] == "imgcodec: photos/a.nic exists already; -f replaces it."
    assert (photos / "b.nic").exists()
    assert invoke("compress", "photos/a.png", "photos/b.jpg", "-f", "--model", tiny)[0] == 0
    assert (photos / "a.nic").read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("compress photos/a.png photos/b.jpg -o x.nic", 2, "Several files go to a folder, and x.nic is the name of"),
        ("compress photos/a.png photos/b.jpg -o -", 2, "Several files do not go to stdout"),
        ("compress - photos/b.jpg", 2, "Standard input is for one file alone."),
        ("verify - photos/b.jpg -j 2", 2, "Standard input is read by one process alone"),
        ("decompress photos -r", 1, "photos holds nothing of the kind among its 4 files."),
        ("compress photos -r -q 50 --model bsq", 2, "has one rate: it takes no quality"),
        ("compress photos -r --model none", 4, "The model 'none' is not installed"),
        ("compress photos -r --quiet -v", 2, "Give one of --quiet and --verbose, not both."),
        ("compress photos/a.png photos/b.jpg -o photos/notes.txt", 1, "photos/notes.txt cannot be written"),
    ],
)
def test_what_concerns_all_files_is_said_once(photos, line, code, words) -> None:
    before = tree(photos)
    found, told, said = invoke(*line.split())
    assert (found, told) == (code, ""), said
    errors = [line for line in said.splitlines() if line.startswith("imgcodec: ")]
    assert len(errors) == 1
    assert words in errors[0]
    assert tree(photos) == before


def test_one_output_goes_into_a_folder_that_is_named_with_a_slash(photos, tiny) -> None:
    Path("out").mkdir()
    assert invoke("compress", "photos/in/c.png", "-o", "out/", "--model", tiny)[0] == 0
    assert invoke("decompress", "out/c.nic", "-o", "out/", "--model", tiny)[0] == 0
    assert sorted(tree(Path("out"))) == ["c.nic", "c.nic.png"]


def test_info_of_many_files(photos, tiny) -> None:
    assert invoke("compress", "photos", "-r", "-o", "out", "--model", tiny)[0] == 0
    (Path("out") / "bad.nic").write_bytes(b"")
    code, told, said = invoke("info", "out", "-r", "--json")
    assert (code, said) == (3, "imgcodec: out/bad.nic: The file is empty.\n")
    lines = [json.loads(line) for line in told.splitlines()]
    assert [Path(line["file"]).name for line in lines] == ["a.nic", "b.nic", "bad.nic", "c.nic"]
    code, told, _ = invoke("info", "out/a.nic", "out/b.nic")
    assert code == 0
    firsts = [line for line in told.splitlines() if line.startswith("file  ")][::2]  # a file's last line has its bytes
    assert [line.split()[1] for line in firsts] == ["out/a.nic", "out/b.nic"]


def test_files_at_addresses(photos, tiny) -> None:
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.store.clear()
    for name in ("a.png", "in/c.png"):
        system.pipe_file(f"/bucket/{name}", (photos / name).read_bytes())
    assert invoke("compress", "memory://bucket", "-r", "-o", "memory://made", "--model", tiny)[0] == 0
    assert sorted(system.find("/made")) == ["/made/a.nic", "/made/in/c.nic"]
    code, _, said = invoke("compress", "memory://bucket", "-r", "-o", "memory://made", "--model", tiny)
    assert (code, said) == (0, "0 files made; 2 done already.\n")
    assert invoke("decompress", "memory://made/a.nic", "-o", "a.png", "--model", tiny)[0] == 0
    assert Image.open("a.png").size == (64, 48)
    assert invoke("verify", "memory://made", "-r")[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="abandoned files are told by their locks")
def test_after_a_kill_the_same_command_does_the_rest(photos, tiny) -> None:
    """kill -9 of the command itself; its processes end with it, and what they wrote is whole."""
    for number in range(30):
        shutil.copy(photos / "a.png", photos / f"x{number:02d}.png")
    line = [SCRIPT, "compress", "photos", "-r", "-o", "out", "-j", "2", "--model", tiny]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as process:
        while not list(Path("out").glob("*.nic")):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    time.sleep(0.5)
    there = {path: path.read_bytes() for path in Path("out").rglob("*.nic")}
    assert 0 < len(there) < 33
    code, _, said = invoke("compress", "photos", "-r", "-o", "out", "--model", tiny)
    assert (code, said.splitlines()[-1].endswith(f"{len(there)} done already.")) == (0, True)
    assert {path: path.read_bytes() for path in there} == there
    assert len(tree(Path("out"))) == 33  # and no temporary file among them
    assert invoke("verify", "out", "-r")[0] == 0
