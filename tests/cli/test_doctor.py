"""`imgcodec doctor`: on a sound machine, and where something is wrong."""

import json

import pytest
from in_process import invoke

import imgcodec
from imgcodec import doctor
from imgcodec.bitstream.errors import UnusableModelError

SOUND = doctor.ModelHealth("tiny", "8c1a8b0f349f2838", True, True, None)
DAMAGED = doctor.ModelHealth("hurt", None, False, False, "The model hurt is damaged.")
WRONG = doctor.ModelHealth("odd", "0123456789abcdef", True, False, "This machine's arithmetic is not that of odd.")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(doctor, "SIDE", 32)
    monkeypatch.setattr(doctor, "models", lambda device: [SOUND])


def test_a_sound_machine(monkeypatch):
    monkeypatch.setattr(doctor, "SIDE", 32)
    code, told, complained = invoke("doctor", "--json")
    assert (code, complained) == (0, "")
    report = json.loads(told)
    assert report["versions"]["imgcodec"] == imgcodec.__version__
    assert {"bsq", "photo", "pixelcnn", "semantic", "snac", "svqvae"} == {model["name"] for model in report["models"]}
    assert all(model["whole"] and model["computes"] for model in report["models"])
    assert [speed["codec"] for speed in report["speeds"]] == ["imgcodec visual", "avif"]
    assert report["devices"]["cpu"]


def test_text(quick, monkeypatch):
    monkeypatch.setattr(doctor, "missing_extras", lambda: {"eval": ["lpips", "scikit-image"]})
    code, told, complained = invoke("doctor")
    assert (code, complained) == (0, "")
    assert max(map(len, told.splitlines())) <= 80
    assert "model tiny            whole, known answer right on cpu, 8c1a8b0f349f2838\n" in told
    assert "missing extra eval    to measure SSIM and LPIPS with imgcodec eval: pip install\n" in told
    assert "'imgcodec[eval]' (lpips, scikit-image)\n" in told
    assert "\nspeed                 imgcodec visual: " in told
    monkeypatch.setattr(doctor, "missing_extras", dict)
    assert "extras                all are installed\n" in invoke("doctor")[1]


def test_what_is_wrong_is_said_and_exits_4(quick, monkeypatch):
    def refuse(model, device):
        raise UnusableModelError("The model photo is damaged.")

    monkeypatch.setattr(doctor, "models", lambda device: [SOUND, DAMAGED, WRONG])
    monkeypatch.setattr(doctor, "speeds", refuse)
    code, told, complained = invoke("doctor")
    assert code == 4
    assert "model hurt            damaged\n" in told
    assert "model odd             whole, known answer wrong on cpu, 0123456789abcdef\n" in told
    assert complained.splitlines() == [
        "imgcodec: Speed is not known: The model photo is damaged.",
        "imgcodec: The model hurt is damaged.",
        "imgcodec: This machine's arithmetic is not that of odd.",
    ]


def test_a_device_that_is_not_there():
    code, told, complained = invoke("doctor", "--device", "tpu")
    assert (code, told) == (2, "")
    assert "There is no device 'tpu' here" in complained
