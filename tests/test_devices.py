"""Devices: names and torch.devices become the device that is there, and whatever is not there is one sentence."""

import numpy as np
import pytest
import torch

import imgcodec
from imgcodec import UsageError
from imgcodec.devices import resolve_device
from imgcodec.training.distributed import choose_device


@pytest.mark.parametrize("device", ["cpu", "cpu:0", torch.device("cpu")])
def test_names_and_torch_devices_are_taken(device):
    assert resolve_device(device).type == choose_device(device).type == "cpu"


def test_auto_is_a_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for cuda, mps, best in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert resolve_device("auto") == torch.device(best)


@pytest.mark.parametrize(
    "device", ["abacus", "", "cpu:x", "cpu:1", "cuda:99", np.int64(99), "xla", torch.device("meta"), None, 2.5]
)
def test_what_is_not_there_is_one_sentence_everywhere(device):
    for call in (resolve_device, choose_device, lambda device: imgcodec.load_model("photo", device=device)):
        with pytest.raises(UsageError, match=r"^There is no device '.*' here; .*\.$"):
            call(device)
