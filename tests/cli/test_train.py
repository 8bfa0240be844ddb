"""`imgcodec train`: what it refuses before it trains, and what it asks of the training."""

from pathlib import Path

from in_process import invoke_silent

from imgcodec.training.loop import TrainingInterrupted

RECIPE = Path(__file__).parents[2] / "recipes" / "photo.toml"


def test_training_into_a_folder_that_cannot_be(run, tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"")
    done = run("train", RECIPE, "--data", ".", "-o", "file/run")
    assert done.returncode == 1
    assert done.stderr.decode().startswith("imgcodec: file/run cannot be written to: ")
    assert done.stderr.count(b"\n") == 1


def test_command_refuses_what_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "no"
    assert invoke_silent("train", RECIPE, "--data", missing) == (
        1,
        f"imgcodec: There is no file or folder {missing}.\n",
    )


def test_a_run_in_the_output_folder_is_not_overwritten(run, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "base.safetensors").write_bytes(b"a checkpoint")
    done = run("train", RECIPE, "--data", ".", "-o", "out")
    told = b"imgcodec: out holds a run already: give --resume to go on with it, or another --output.\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_all_options_reach_the_training(run, tmp_path, monkeypatch) -> None:
    asked = []

    def train(*arguments: object) -> Path:
        asked.append(arguments)
        return Path("photo.safetensors")

    monkeypatch.setattr("imgcodec.training.recipe.train", train)
    (tmp_path / "few").mkdir()
    options = ["--validation", "few", "--set", "batch=3", "--set", "crop=512", "--start", "photo", "--resume"]
    done = run("train", RECIPE, "--data", ".", "--data", "few", *options, "--device", "auto")
    assert (done.returncode, done.stderr) == (0, b"Wrote photo.safetensors\n")
    ((recipe, *rest),) = asked
    assert (recipe.batch, recipe.crop) == (3, 512)
    assert rest == [[Path("."), Path("few")], Path("few"), Path("runs/photo"), True, "photo", "auto"]
    assert (tmp_path / "runs" / "photo").is_dir()
    monkeypatch.setenv("RANK", "1")  # of several processes, the first one speaks
    assert run("train", RECIPE, "--data", ".", "-o", "other").stderr == b""


def test_an_interrupted_training_says_what_it_saved_and_how_to_go_on(run, tmp_path, monkeypatch) -> None:
    def interrupted(*_: object) -> Path:
        raise TrainingInterrupted(Path("out/base.safetensors"), "base", 340)

    monkeypatch.setattr("imgcodec.training.recipe.train", interrupted)
    done = run("train", RECIPE, "--data", ".", "-o", "out", "--set", "batch=3")
    assert done.returncode == 130
    assert done.stderr.decode().splitlines() == [
        "Step 340 of the phase base is saved in out/base.safetensors.",
        f"To go on: imgcodec train {RECIPE} --data . -o out --set batch=3 --resume",
        "imgcodec: Interrupted.",
    ]


def test_recipes_of_the_package_go_by_name(run, tmp_path, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr("imgcodec.training.recipe.train", lambda recipe, *_: asked.append(recipe) or Path("x"))
    for name in ("photo", RECIPE):
        done = run("train", name, "--data", ".", "-o", tmp_path / "out")
        assert (done.returncode, done.stderr) == (0, b"Wrote x\n")
    assert asked[0] == asked[1]
    assert run("train", "phot", "--data", ".").stderr.startswith(b"imgcodec: There is no recipe 'phot'; in the package")
