"""A child that is forked while other threads read and compress goes on alone, and finds nothing locked or changed."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from PIL import Image

from imgcodec.pictures import io as images
from imgcodec.pictures.pillow_limit import without_pillow_limit
from imgcodec.priors.integer import exact

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

TINY = Path(__file__).parent / "golden" / "tiny.safetensors"
PATIENCE = 60  # seconds


def in_child(work: Callable[[], bool], other: AbstractContextManager[None]) -> bool:
    """Whether `work` is true in a child that is forked while another thread is inside of `other`."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(other.__enter__).result()
        try:
            child = os.fork()
            if not child:
                signal.alarm(PATIENCE)  # which ends a child that waits for what is not there
                try:
                    os._exit(0 if work() else 1)
                finally:
                    os._exit(2)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        finally:
            thread.submit(other.__exit__, None, None, None).result()


def test_child_of_a_program_that_reads_a_picture() -> None:
    picture = io.BytesIO()
    Image.new("RGB", (9, 9), "teal").save(picture, "PNG")
    limit = Image.MAX_IMAGE_PIXELS

    def read() -> bool:
        kept = limit == Image.MAX_IMAGE_PIXELS
        return kept and images.load(picture.getvalue()).width == 9 and limit == Image.MAX_IMAGE_PIXELS

    assert limit is not None
    assert in_child(read, without_pillow_limit())
    assert limit == Image.MAX_IMAGE_PIXELS


def test_child_of_a_program_that_compresses() -> None:
    place, name, strict = exact._precision_settings()[0]
    before = getattr(place, name)
    asked = "tf32" if name == "fp32_precision" else True
    setattr(place, name, asked)

    def compute() -> bool:
        kept = getattr(place, name) == asked
        with exact.exact_arithmetic():
            inside = getattr(place, name) == strict
        return kept and inside and getattr(place, name) == asked

    try:
        assert in_child(compute, exact.exact_arithmetic())
        assert getattr(place, name) == asked
    finally:
        setattr(place, name, before)


COMPUTES_BEFORE_IT_FORKS = """
import os, signal, sys
import numpy as np
import torch
import imgcodec

torch.set_num_threads(2)
model, pixels = imgcodec.load_model(sys.argv[1]), np.full((128, 192, 3), 99, np.uint8)
data = model.compress(pixels)
child = os.fork()
if not child:
    signal.alarm(int(sys.argv[2]))
    os._exit(0 if model.compress(pixels) == data and model.decompress(data) else 1)
assert torch.get_num_threads() == 2
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_child_of_a_program_that_has_computed_with_two_threads() -> None:
    line = [sys.executable, "-c", COMPUTES_BEFORE_IT_FORKS, TINY, str(PATIENCE)]
    assert subprocess.run(line, check=False).returncode == 0


COMPUTES_WITHOUT_TORCH = """
import os, signal, sys
import numpy as np
import imgcodec

pixels = np.full((128, 192, 3), 99, np.uint8)
data = imgcodec.compress(pixels)
assert "torch" not in sys.modules
child = os.fork()
if not child:
    signal.alarm(int(sys.argv[1]))
    sys.exit(sys.argv[2] == "compress" and imgcodec.compress(pixels) != data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("work", ["compress", "nothing"])
def test_child_of_a_program_without_torch_ends_as_usual_and_says_nothing(work: str) -> None:
    pytest.importorskip("onnxruntime")
    line = [sys.executable, "-c", COMPUTES_WITHOUT_TORCH, str(PATIENCE), work]
    environment = os.environ | {"OMP_NUM_THREADS": "2"}  # sessions of one thread have none to wait for
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
