"""Trains a small tokenizer, then a small prior, in as many processes as torchrun starts; writes what comes out.

    two_processes.py FOLDER CROPS REVIVE_EVERY

CROPS are drawn for a step by all processes together, each takes its share of them.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from raster_models import small_tokenizer
from safetensors.torch import save_file

from imgcodec.profiles.raster.model import build_prior
from imgcodec.training import distributed
from imgcodec.training.loop import Phase, Report, Run, run_phase
from imgcodec.training.raster.objective import LossWeights, PriorObjective, TokenizerObjective


def main(folder: Path, crops: int, revive_every: int) -> None:
    torch.set_num_threads(1)
    processes = torch.distributed.get_world_size() if distributed.is_distributed() else 1
    share = crops // processes
    tokenizer = small_tokenizer("snac")
    torch.manual_seed(0)
    prior = build_prior({
        "kind": "raster", "width": 16, "hidden": 16, "heads": 2, "blocks": 1, "sides": [4, 8, 16], "codes": 64,
        "digits": [8, 8],
    })  # fmt: skip

    def pixels(step: int) -> torch.Tensor:
        drawn = np.random.default_rng(step).integers(0, 256, (crops, 3, 64, 64), dtype=np.uint8)
        return torch.from_numpy(drawn)[distributed.rank() * share :][:share]

    def tokens(step: int) -> tuple[torch.Tensor, ...]:
        drawn = torch.Generator().manual_seed(step)
        stages = [torch.randint(0, 64, (crops, side, side), generator=drawn) for side in prior.sides]
        return tuple(stage[distributed.rank() * share :][:share] for stage in stages)

    def revive(step: int) -> None:
        if revive_every and (step + 1) % revive_every == 0:
            for quantizer in tokenizer.quantizers:
                quantizer.revive()

    phase = Phase("tokenizer", steps=4, rate=1e-3, warmup=1)
    run = Run(phase, tokenizer, lambda name: "normal", folder)
    objective = TokenizerObjective(tokenizer, LossWeights(), mixed=False)
    run_phase(run, objective, lambda step: (pixels(step), 1), Report, revive)
    run = Run(Phase("prior", steps=4, rate=1e-3, warmup=1), prior, lambda name: "normal", folder)
    run_phase(run, PriorObjective(prior, mixed=False), tokens, Report)
    state = {f"tokenizer.{n}": t for n, t in tokenizer.state_dict().items()}
    state |= {f"prior.{n}": t for n, t in prior.state_dict().items()}
    save_file({n: t.contiguous() for n, t in state.items()}, folder / f"rank{distributed.rank()}.safetensors")


if __name__ == "__main__":
    with distributed.process_group(distributed.choose_device("cpu")):
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
