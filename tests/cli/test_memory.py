"""Too little memory is one sentence, whoever complains of it."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from imgcodec.cli import memory


@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit no addresses")
@pytest.mark.parametrize("mebibytes", [150, 400])
def test_too_little_memory_is_one_sentence(tmp_path: Path, mebibytes: int) -> None:
    Image.effect_noise((200, 200), 50).convert("RGB").save(tmp_path / "a.png")
    script = Path(sys.executable).with_name("imgcodec")
    line = f"ulimit -v {1024 * mebibytes}; exec {script} compress a.png"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, check=False)
    words = f"imgcodec: There is too little memory (this process may have {mebibytes} MiB): a command needs about "
    assert done.returncode == 1
    assert done.stderr.decode().startswith(words)
    assert done.stderr.count(b"\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tr"
        ),
        RuntimeError("std::bad_alloc"),
        RuntimeError("can't start new thread"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        RuntimeError("could not create a primitive"),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
    ids=str,
)
def test_what_says_that_memory_is_short(error: Exception) -> None:
    assert memory.is_short(error)
    told = ValueError("the model is not sound")
    told.__cause__ = error
    assert memory.is_short(told)


@pytest.mark.parametrize(
    "error", [ValueError("x"), RuntimeError("shapes do not fit"), OSError(28, "No space left"), None]
)
def test_what_does_not(error: Exception | None) -> None:
    assert not memory.is_short(error)
