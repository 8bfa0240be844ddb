"""Threads sleep while they wait, unless the user has said how they should."""

import os
import subprocess
import sys

import pytest

from imgcodec.waiting import wait_passively


@pytest.mark.parametrize(
    ("code", "policy"),
    [
        ("import imgcodec; imgcodec.load_model", "PASSIVE"),
        ("import torch, imgcodec; imgcodec.load_model", None),
        ("import os; os.environ['OMP_WAIT_POLICY'] = 'ACTIVE'; import imgcodec; imgcodec.load_model", "ACTIVE"),
        ("import sys; from imgcodec import cli; sys.argv = ['imgcodec', '--version']; cli.mute = print\n"
         "try: cli.main()\nexcept BaseException: pass", "PASSIVE"),
    ],
)  # fmt: skip
def test_threads_sleep_while_they_wait_unless_told_otherwise(code: str, policy: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code += "\nimport os; print(os.environ.get('OMP_WAIT_POLICY'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True, text=True)
    assert done.stdout.splitlines()[-1] == str(policy)


def test_the_variable_is_set_before_torch_is_there_and_no_more_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    wait_passively()
    assert "OMP_WAIT_POLICY" not in os.environ
    monkeypatch.delitem(sys.modules, "torch")
    wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
