"""A minute of the soak: `benchmarks/soak.py` has what has to hold, and in ten minutes does ten times as much."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[1] / "benchmarks" / "soak.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="it needs fork and signals")
def test_a_minute_of_rough_use(tmp_path: Path) -> None:
    report = tmp_path / "soak.json"
    done = subprocess.run(
        [sys.executable, SOAK, "--minutes", "1", "-o", report], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    parts = json.loads(report.read_text())
    assert all(parts[name]["failures"] == [] for name in ("commands", "full_disk", "threads", "memory"))
    # it was rough
    commands = parts["commands"]
    assert commands["killed"] > commands["ended"] / 8
    assert commands["pictures"] == 8 * 20
    assert parts["threads"]["round_trips"] == 24 * 20
    assert parts["memory"]["round_trips"] == 1000
    limited = parts["full_disk"]["file_limit"]
    assert limited["refused"] > 0
