"""`imgcodec models`: what it tells of sound models, damaged ones, and none."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from in_process import invoke
from safetensors import safe_open
from safetensors.torch import save_file

GOLDEN = Path(__file__).parents[1] / "golden"
MODELS = Path(__file__).parents[2] / "models"


def damaged(source: Path, target: Path, name: str, places: slice) -> Path:
    """A copy of a model with a bit flipped in some numbers of one tensor."""
    with safe_open(source, framework="pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    assert name in tensors
    tensors[name].view(torch.uint8).flatten()[places] ^= 4
    save_file(tensors, target, metadata)
    return target


def test_list() -> None:
    code, told, complained = invoke("models", "list", "--json")
    assert (code, complained) == (0, "")
    models = {model["name"]: model for model in json.loads(told)}
    assert set(models) == {path.stem for path in MODELS.glob("*.safetensors")}
    photo = models["photo"]
    assert photo["profile"] == "photo"
    assert photo["bytes"] == (MODELS / "photo.safetensors").stat().st_size
    assert photo["purpose"] in (MODELS / "photo.md").read_text().splitlines()[0]
    low, high = photo["bpp"]
    assert 0 < low < high
    code, text, _ = invoke("models", "list")
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == ["name", *models]


def test_show(tiny) -> None:
    code, told, _ = invoke("models", "show", tiny, "--json")
    report = json.loads(told)
    golden = json.loads((GOLDEN / "golden.json").read_text())["model"]
    assert code == 0
    assert (report["name"], report["id"], report["path"], report["sound"]) == ("tiny", golden["id"], tiny, True)
    assert report["config"]["tokenizer"]["codes"] == 511
    assert report["digest"] is False
    assert json.loads(invoke("models", "show", "bsq", "--json")[1])["digest"] is True
    assert min(report["parameters"].values()) > 1000
    code, told, _ = invoke("models", "show", tiny)
    assert code == 0
    assert f"id                    {golden['id']}\n" in told
    assert "digest                none: damage to the transforms may go unnoticed\n" in told
    assert "known answer          as it should be\n" in told


def test_verify(tiny) -> None:
    assert invoke("models", "verify", tiny) == (0, f"{tiny}: sound, 8c1a8b0f349f2838\n", "")


def test_every_installed_model_is_sound() -> None:
    code, told, complained = invoke("models", "verify", "--json")
    assert (code, complained) == (0, "")
    reports = json.loads(told)
    assert [report["model"] for report in reports] == sorted(path.stem for path in MODELS.glob("*.safetensors"))
    assert all(report["sound"] for report in reports)


@pytest.mark.parametrize("kind", ["bits", "cut", "text", "no config", "deep config"])
def test_damage_is_found(tiny, tmp_path, kind) -> None:
    path = tmp_path / "x.safetensors"
    match kind:
        case "bits":
            damaged(Path(tiny), path, "prior.between.attention.merge.weight", slice(None))
        case "cut":
            path.write_bytes(Path(tiny).read_bytes()[:-1])
        case "text":
            path.write_text("hello")
        case "no config":
            save_file({"prior.x": torch.zeros(3)}, path)
        case "deep config":
            save_file({"prior.x": torch.zeros(3)}, path, {"config": "[" * 10**5})
    for command in ("verify", "show"):
        code, told, complained = invoke("models", command, path)
        assert code == 4, complained
        assert complained.count("\n") <= 1
        assert "sound, " not in told
    code, told, complained = invoke("models", "verify", tiny, path, "nowhere", "--json")
    assert code == 4
    assert [report["sound"] for report in json.loads(told)] == [True, False, False]
    assert complained.count("\n") == 2


def test_a_model_that_is_not_there(tmp_path) -> None:
    for command in ("verify", "show"):
        code, told, complained = invoke("models", command, "nowhere")
        assert (code, told) == (4, "")
        assert "'nowhere' is not installed" in complained
    assert invoke("models", "verify", tmp_path / "x.safetensors")[0] == 4


def test_a_card_states_the_id(tiny, tmp_path) -> None:
    """One bit in a weight may change nothing that the known-answer test sees, but it is another model."""
    path = damaged(Path(tiny), tmp_path / "x.safetensors", "prior.between.attention.merge.weight", slice(3, 4))
    path.with_suffix(".md").write_text("# `x`\n\n| | |\n|---|---|\n| id | `8c1a8b0f349f2838` |\n")
    code, _, complained = invoke("models", "verify", path)
    assert code == 4
    assert "its card states id 8c1a8b0f349f2838" in complained
    shutil.copy(tiny, path)
    assert invoke("models", "verify", path)[0] == 0


def test_a_card_beside_a_model(tiny, tmp_path) -> None:
    shutil.copy(tiny, tmp_path / "own.safetensors")
    (tmp_path / "own.md").write_text(
        "# `own`, for \x1b[31mtests\n\n| q | bpp |\n|--|--:|\n| 1 | 0.5 |\n| 2 | 0.25 |\n\n1 | 9\n"
    )
    code, told, _ = invoke("models", "show", tmp_path / "own.safetensors")
    assert code == 0
    assert "what it is for        for ?[31mtests\n" in told
    assert "bpp                   0.25 to 0.5\n" in told
