"""Recorded kernels, on a GPU where there is one; and training that records, with a stand-in that computes anew."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from imgcodec.training import loop, soap
from imgcodec.training.cuda_graph import Recorded
from imgcodec.training.loop import Phase, Report, Run, run_phase


class Anew:
    """Instead of `Recorded`, where there is no GPU."""

    def __init__(self, function: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor], warm_up: int = 3) -> None:
        self.function, self.places = function, [tensor.clone() for tensor in inputs]
        for _ in range(warm_up):
            function(*self.places)
        self.outputs: list[Tensor] = []

    def __call__(self, *inputs: Tensor) -> Sequence[Tensor]:
        for place, tensor in zip(self.places, inputs, strict=True):
            place.copy_(tensor)
        new = list(self.function(*self.places))
        self.outputs = self.outputs or [tensor.clone() for tensor in new]
        for place, tensor in zip(self.outputs, new, strict=True):
            place.copy_(tensor)
        return self.outputs


class Quadratic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.matrix, self.numbers = nn.Parameter(torch.randn(5, 4)), nn.Parameter(torch.randn(4))

    def forward(self, progress: float, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = ((x @ self.matrix + self.numbers - 1) ** 2).mean()
        return loss, {"loss": loss, "bias": self.numbers.mean()}


def batch(step: int) -> tuple[Tensor]:
    return (torch.randn(3, 5, generator=torch.Generator().manual_seed(step)),)


@pytest.mark.parametrize("others", ["adam", "soap"])
def test_a_training_that_records_is_one_that_does_not(
    others: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (loop, soap):
        monkeypatch.setattr(module, "Recorded", Anew)
    monkeypatch.setattr(loop, "LOG_EVERY", 10)
    phase = Phase("x", steps=30, rate=0.01, matrix_rate=0.02 if others == "soap" else 0.0, warmup=3)
    weights, said = [], []
    for records in (False, True):
        model = Quadratic()
        group = {"matrix": "matrix" if others == "soap" else "normal", "numbers": "normal"}
        run = Run(phase, model, group.__getitem__, tmp_path / str(records))
        run_phase(run, model, batch, Report, records=records)
        weights.append([p.detach().clone() for p in model.parameters()])
        said.append([line.split("min")[1] for line in capsys.readouterr().err.splitlines() if " loss " in line])
    assert said[0] == said[1] != []
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
    assert not torch.equal(weights[0][0], Quadratic().matrix)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_recorded_kernels_compute_with_new_inputs() -> None:
    weight = torch.ones(3, device="cuda")
    calls = []

    def function(x: Tensor) -> list[Tensor]:
        calls.append(x)
        weight.mul_(2)
        return [(x * weight).sum()]

    recorded = Recorded(function, [torch.zeros(3, device="cuda")], warm_up=2)
    assert weight.tolist() == [4, 4, 4]  # the recording itself computes nothing
    assert [float(recorded(torch.full((3,), n, device="cuda"))[0]) for n in (1.0, 2.0)] == [24, 96]
    assert len(calls) == 3
