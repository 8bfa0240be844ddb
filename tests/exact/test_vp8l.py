"""Samples as a lossless WebP has them."""

import os
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from exact.contents import CONTENTS, make
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.exact.vp8l import decode, encode


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("content", CONTENTS)
def test_samples_come_back(channels, content):
    shape = channels, 13, 22
    found = make(content, shape, 255, 4).astype(np.uint8)
    np.testing.assert_array_equal(decode(encode(found), shape), found)


def test_colours_that_are_transparent_come_back():
    found = np.zeros((4, 20, 20), np.uint8)
    found[:3] = make("noise", (3, 20, 20), 255, 1)
    np.testing.assert_array_equal(decode(encode(found), found.shape), found)


def test_other_sizes_and_an_alpha_too_many_are_refused():
    data = encode(make("noise", (4, 9, 8), 255, 1).astype(np.uint8))
    for shape in ((4, 8, 9), (4, 9, 9), (3, 9, 8), (1, 9, 8)):
        with pytest.raises(InvalidFileError, match=r"^The exact pixels are damaged"):
            decode(data, shape)
    for end in (0, 3, 5, len(data) // 2):
        with pytest.raises(InvalidFileError):
            decode(data[:end], (4, 9, 8))


SHORT_OF_MEMORY = """
import os, resource
from PIL import Image
import numpy as np
from imgcodec.exact.vp8l import encode
Image.preinit()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for kibibytes in range(0, 4000, 200):
    if os.fork():
        os.wait()
        continue
    resource.setrlimit(resource.RLIMIT_AS, (used + 1024 * kibibytes, resource.RLIM_INFINITY))
    try:
        encode(np.zeros((3, 8, 8), np.uint8))
        found = b"done"
    except BaseException as error:
        found = type(error).__name__.encode()
    os.write(1, found + b"\\n")
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit no addresses")
def test_too_little_memory_is_said_to_be_that_wherever_it_ends():
    """Before the library of WebP is loaded, while it is, and while it encodes."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY], env=environment, capture_output=True, text=True, check=True
    )
    found = done.stdout.split()
    assert len(found) == 20
    assert set(found) == {"MemoryError", "done"}, done.stderr


@given(st.binary(max_size=100))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_decoded_or_refused(data):
    sides = (29 - 1 | (17 - 1) << 14).to_bytes(4, "little")
    with suppress(InvalidFileError):
        assert decode(b"\x2f" + sides + data, (3, 17, 29)).shape == (3, 17, 29)
