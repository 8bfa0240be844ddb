"""The loop, on a model of three numbers: schedules, bad gradients, averages, checkpoints, and the end of a phase."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from imgcodec import CodecError
from imgcodec.training import loop
from imgcodec.training.loop import Phase, Report, Run, export_model, run_phase, run_phases

CPU = torch.device("cpu")


def test_schedules_start_stay_and_fall() -> None:
    for schedule in ("linear", "cosine"):
        phase = Phase("x", steps=100, rate=1.0, warmup=10, schedule=schedule, decay_from=0.5, final=0.1)
        rates = [phase.rate * phase.schedule_at(step, 0.0) for step in range(101)]
        assert rates[0] == pytest.approx(0.1)
        assert rates[10:51] == pytest.approx([1.0] * 41)
        assert rates[100] == pytest.approx(0.1)
        assert rates[75] == pytest.approx(0.55)
        assert rates[50:] == sorted(rates[50:], reverse=True)
    assert phase.schedule_at(60, 0.0) > Phase("x", steps=100, rate=1.0, warmup=10, decay_from=0.5).schedule_at(60, 0.0)


def test_a_phase_ends_after_its_steps_or_its_minutes() -> None:
    phase = Phase("x", steps=100, minutes=10)
    assert [phase.progress(*at) for at in ((0, 0.0), (50, 0.0), (50, 8.0), (100, 0.0), (200, 0.0), (3, 20.0))] == [
        0, 0.5, 0.8, 1, 1, 1,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a/b", "", "../x"])
def test_a_phase_is_called_as_a_file_may_be(name: str) -> None:
    with pytest.raises(ValueError, match="letters"):
        Phase(name, steps=1)


class Model(nn.Module):
    """Numbers that should be 1, 2 and 3, and how often they were asked for."""

    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.numbers = nn.Parameter(torch.zeros(3))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, progress: float, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        self.calls += 1
        loss = (self.numbers - torch.tensor([1.0, 2.0, 3.0]) + noise).square().sum()
        return loss, {"loss": loss, "noise": noise.mean()}


def noise(step: int) -> tuple[Tensor]:
    return (torch.randn(3, generator=torch.Generator().manual_seed(step)) * 0.1,)


def run_of(phase: Phase, folder: Path, model: Model | None = None) -> Run:
    return Run(phase, model or Model(), lambda name: "normal", folder)


def test_a_phase_trains_and_leaves_the_averages(tmp_path: Path) -> None:
    run = run_of(Phase("x", steps=200, rate=0.1, warmup=5, average=0.9), tmp_path)
    seen = []
    run_phase(run, run.model, noise, Report, seen.append)
    assert seen == list(range(200))
    torch.testing.assert_close(run.model.numbers.detach(), torch.tensor([1.0, 2.0, 3.0]), rtol=0, atol=0.1)
    kept = load_file(run.checkpoint)
    assert torch.equal(kept["average.numbers"], run.model.numbers)
    assert not torch.equal(kept["model.numbers"], run.model.numbers)
    assert not run.model.training


def test_an_average_that_is_the_start_is_kept(tmp_path: Path) -> None:
    """Of a new run the first weights are forgotten soon, for they are bad; those of a long one are not."""
    phase = Phase("x", steps=20, rate=0.1, warmup=1, average=0.99)
    starts, new = Model().numbers.detach(), run_of(phase, tmp_path / "new")
    long = Run(phase, Model(), lambda name: "normal", tmp_path / "long", before=10_000)
    for run in (new, long):
        run_phase(run, run.model, noise, Report)
    assert (new.model.numbers - starts).norm() > 3 * (long.model.numbers - starts).norm() > 0
    again = run_of(phase, tmp_path / "long")
    assert again.resume()
    assert again.before == 10_000


def test_validation_sees_the_averages_and_pictures_go_to_the_log(tmp_path: Path) -> None:
    run = run_of(Phase("x", steps=6, rate=0.1, warmup=1, validate_every=3), tmp_path)
    seen = []

    def validate() -> Report:
        seen.append((run.step, run.model.training, run.model.numbers.detach().clone()))
        assert not torch.equal(run.model.numbers, run.averaged["numbers"])
        return Report({"error": 0.5}, {"picture": torch.zeros(3, 8, 8)})

    run_phase(run, run.model, noise, validate)
    assert [at[:2] for at in seen] == [(3, False), (6, False)]
    assert torch.equal(seen[1][2], run.model.numbers)  # of the last step, which are left in the model
    assert len(list((tmp_path / "log" / "x").iterdir())) == 1


def test_an_interrupted_phase_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    phase = Phase("x", steps=9, rate=0.1, warmup=2)

    def interrupted(step: int) -> tuple[Tensor]:
        if step == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return noise(step)

    whole = run_of(phase, tmp_path / "whole")
    run_phase(whole, whole.model, noise, Report)
    cut = run_of(phase, tmp_path / "cut")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_phase(cut, cut.model, interrupted, Report)
    assert signal.getsignal(signal.SIGINT) is before
    again = run_of(phase, tmp_path / "cut")
    assert again.resume()
    assert again.step == 5
    run_phase(again, again.model, noise, Report)
    for name, tensor in load_file(whole.checkpoint).items():
        if name != "rng":
            assert torch.equal(load_file(again.checkpoint)[name], tensor), name
    assert again.model.calls == 9


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    run_of(Phase("x", steps=1), tmp_path).save()
    larger = Model()
    larger.another = nn.Parameter(torch.zeros(2))
    with pytest.raises(CodecError, match="made with another recipe"):
        run_of(Phase("x", steps=1), tmp_path, larger).resume()


def test_without_a_checkpoint_nothing_is_resumed(tmp_path: Path) -> None:
    assert not run_of(Phase("x", steps=1), tmp_path).resume()


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 1e4])
def test_steps_with_gradients_out_of_all_proportion_are_skipped(factor: float, tmp_path: Path) -> None:
    run = run_of(Phase("x", steps=100, rate=0.01, warmup=1), tmp_path)

    def update(scale: float) -> bool:
        norm, _ = run.gradient(lambda progress: (run.model.numbers.sum() * scale, {}), 0.0, ())
        return run.update(float(norm))

    for _ in range(5):
        assert update(1)
        run.step += 1
    before = run.model.numbers.detach().clone()
    assert not update(factor)
    assert torch.equal(run.model.numbers, before)
    assert update(1)


def test_weights_and_averages_change_places_and_back(tmp_path: Path) -> None:
    run = run_of(Phase("x", steps=1), tmp_path)
    run.averaged["numbers"].fill_(7)
    run.swap_average()
    assert run.model.numbers.tolist() == [7, 7, 7]
    run.swap_average()
    assert run.model.numbers.tolist() == [0, 0, 0]


def test_a_training_that_diverges_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    run = run_of(Phase("x", steps=100, rate=1e-6), tmp_path)
    with pytest.raises(CodecError, match="has diverged"):
        run_phase(run, run.model, lambda step: (torch.full((3,), 10.0 if step > 5 else 0.0),), Report)
    assert run.step == 8
    assert not run.checkpoint.exists()


def test_a_training_whose_losses_are_no_numbers_stops_and_one_of_them_is_left_out(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 4)
    run = run_of(Phase("x", steps=12, rate=1e-6), tmp_path)
    run_phase(run, run.model, lambda step: (torch.full((3,), float("nan") if step % 4 == 1 else 1.0),), Report)
    assert run.step == 12
    again = run_of(Phase("y", steps=100, rate=1e-6), tmp_path)
    with pytest.raises(CodecError, match="has diverged"):
        run_phase(again, again.model, lambda step: (torch.full((3,), float("nan")),), Report)
    assert again.step == 4


def test_finished_phases_are_read_only_if_told_so(tmp_path: Path) -> None:
    phases = [Phase("first", steps=1), Phase("second", steps=1)]
    model, trained = Model(), []

    def train(phase: Phase) -> None:
        trained.append(phase.name)
        with torch.no_grad():
            model.numbers.add_(1)

    run_phases(phases[:1], model, tmp_path, False, train)
    with torch.no_grad():
        model.numbers.fill_(-5)
    run_phases(phases, model, tmp_path, True, train)
    assert trained == ["first", "second"]
    assert model.numbers.tolist() == [2, 2, 2]
    run_phases(phases, model, tmp_path, False, train)
    assert trained == ["first", "second", "first", "second"]


def test_what_an_export_costs_is_written_beside_the_model(tmp_path: Path) -> None:
    written = []
    path = export_model(tmp_path / "a.safetensors", CPU, lambda path: written.append(path) or {"bpp": 0.25})
    assert written == [path] == [tmp_path / "a.safetensors"]
    assert json.loads((tmp_path / "export.json").read_text()) == {"bpp": 0.25}
