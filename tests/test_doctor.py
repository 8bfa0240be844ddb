"""What the doctor finds, on this machine and on others."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import imgcodec
from imgcodec import doctor
from imgcodec.model_file import find

MODELS = Path(__file__).parents[1] / "models"


def test_versions_are_those_of_what_runs():
    versions = doctor.versions()
    assert versions["imgcodec"] == imgcodec.__version__
    assert versions["torch"] == torch.__version__
    assert versions["numpy"] == np.__version__
    assert {"pillow", "libavif", "python"} <= set(versions)
    assert not {"pytest", "matplotlib"} & set(versions)  # of extras


def test_the_machine(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    machine = doctor.machine()
    assert machine.threads == torch.get_num_threads()
    assert machine.environment["OMP_NUM_THREADS"] == "3"
    assert machine.uses == torch.backends.cpu.get_cpu_capability()
    assert machine.cores >= 1
    assert "cpu" in machine.devices


def test_an_older_torch_that_knows_no_instructions(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert doctor.machine().instructions == []


def test_gpus_are_named(monkeypatch):
    class Facts:
        name, total_memory = "A GPU", 8 * 2**30

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: Facts)
    found = doctor.devices()
    assert (found["cuda:0"], found["cuda:1"]) == ("A GPU, 8 GiB",) * 2


def test_a_damaged_model_is_told_from_a_whole_one_that_computes_something_else(tmp_path, monkeypatch):
    for name in ("bsq.safetensors", "snac.safetensors", "ids.json"):
        shutil.copy(MODELS / name, tmp_path)
    damaged = tmp_path / "bsq.safetensors"
    data = bytearray(damaged.read_bytes())
    data[-1000] ^= 64
    damaged.write_bytes(data)
    monkeypatch.setattr(find, "_folder", lambda: tmp_path)
    bsq, snac = doctor.models("cpu")
    assert (bsq.name, bsq.id, bsq.whole, bsq.computes) == ("bsq", None, False, False)
    assert "is damaged" in bsq.problem
    assert (snac.name, snac.whole, snac.computes, snac.problem) == ("snac", True, True, None)
    assert bytes.fromhex(snac.id) == find.shipped_ids()["snac"]
    monkeypatch.setattr("imgcodec.model_file.model.known_answer", lambda prior: "another")
    snac = doctor.models("cpu")[1]
    assert (snac.whole, snac.computes) == (True, False)
    assert snac.problem


def test_extras_that_are_not_whole(monkeypatch):
    monkeypatch.setattr(doctor, "_is_installed", lambda package: package != "lpips")
    assert doctor.missing_extras() == {"eval": ["lpips"]}
    monkeypatch.undo()
    assert doctor._is_installed("numpy")
    assert not doctor._is_installed("imgcodec-has-no-such-thing")


def test_every_extra_for_users_has_a_purpose():
    extras = {extra for _, extra in doctor._requirements() if extra}
    assert set(doctor.PURPOSES) == extras - {"dev", "fuzz", "audit", "docs", "release"}


def test_speeds_are_those_of_real_files(monkeypatch):
    monkeypatch.setattr(doctor, "SIDE", 64)
    tiny = str(Path(__file__).parent / "golden" / "tiny.safetensors")
    ours, *others = doctor.speeds(tiny, "cpu")
    data = imgcodec.load_model(tiny).compress(doctor.made_picture(64), quality=50)
    assert (ours.codec, ours.bpp) == ("imgcodec psnr", 8 * len(data) / 64**2)
    assert [speed.codec for speed in others] == ["avif"]
    assert all(speed.encode_mp_per_second > 0 < speed.decode_mp_per_second for speed in (ours, *others))


def test_the_made_picture_is_the_same_everywhere_and_neither_flat_nor_noise():
    picture = doctor.made_picture(96)
    assert (picture.shape, picture.dtype) == ((96, 96, 3), np.uint8)
    assert np.array_equal(picture, doctor.made_picture(96))
    assert 20 < picture.std() < 100
    steps = np.abs(np.diff(picture.astype(int), axis=1))
    assert np.median(steps) < 12 < steps.max()


def test_a_model_that_is_not_there_has_no_speed():
    with pytest.raises(imgcodec.CodecError):
        doctor.speeds("nowhere", "cpu")
