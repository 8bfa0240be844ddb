"""What a shard of tokens holds, read by itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open


def content(shard: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The JSON of its metadata, and its tensors."""
    with safe_open(shard, framework="numpy") as file:
        assert list(file.metadata()) == ["tokens"]
        return json.loads(file.metadata()["tokens"]), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
