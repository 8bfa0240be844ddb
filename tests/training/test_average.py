"""The average of an unfinished run, small, is a start for another."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from training.photo.small import PRIOR, TOKENIZER, small_networks

from imgcodec import UsageError
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training.average import is_average, load_average, write_average
from imgcodec.training.loop import Run
from imgcodec.training.photo.networks import PhotoNetworks
from imgcodec.training.photo.objective import PhotoPhase
from imgcodec.training.photo.phases import parameter_groups


def test_average_of_a_checkpoint_is_a_start(tmp_path: Path) -> None:
    wide = replace(TOKENIZER, widening=(0.1, 0.0))
    had = small_networks(wide)
    had.tokenizer.contrast.fill_(0.3)  # no parameter
    phase = PhotoPhase("main", steps=2, matrix_rate=1e-3)
    run = Run(phase, had, parameter_groups(had, phase), tmp_path, before=40)
    run.step = 2
    run.save()
    path = tmp_path / "average.safetensors"
    write_average(run.checkpoint, path)
    assert is_average(path)
    assert not is_average(run.checkpoint)
    assert not is_average(tmp_path / "none.safetensors")
    start = PhotoNetworks(ResidualVQ(wide), PhotoPrior(PRIOR))
    assert load_average(path, start) == 42
    for (name, parameter), kept in zip(had.named_parameters(), start.parameters(), strict=True):
        tolerance = 2**-10 if ".linear." in name else 2**-8 if parameter.dim() == 4 else 0.0
        torch.testing.assert_close(kept, parameter, rtol=tolerance, atol=1e-7, msg=name)
    assert torch.equal(start.tokenizer.contrast, had.tokenizer.contrast)
    assert {t.dtype for t in load_file(path).values()} == {torch.bfloat16, torch.float16, torch.float32}
    steeper = PhotoNetworks(ResidualVQ(replace(wide, widening=(0.2, 0.0))), PhotoPrior(PRIOR))
    with pytest.raises(UsageError, match=r"were made with \{'widening': \[0\.1, 0\.0\]\} in the recipe"):
        load_average(path, steeper)
    with pytest.raises(UsageError, match=r"was made with \{'widening': \[0\.1, 0\.0\]\} in the recipe"):
        Run(phase, steeper, parameter_groups(steeper, phase), tmp_path).resume()
    other = PhotoNetworks(ResidualVQ(replace(wide, width_fine=12)), PhotoPrior(PRIOR))
    with pytest.raises(UsageError, match="other sizes"):
        load_average(path, other)


def test_another_file_is_no_checkpoint(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match="is no checkpoint of a training"):
        write_average(tmp_path / "other.safetensors", tmp_path / "average.safetensors")
    assert not (tmp_path / "average.safetensors").exists()
