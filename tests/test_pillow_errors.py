"""Pillow's errors, and too little memory."""

import pytest

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.pillow_errors import PillowError, pillow_errors


@pytest.mark.parametrize("error", [OSError("Cut off."), SyntaxError("Cut off"), KeyError(), StopIteration("Cut off")])
def test_whatever_pillow_raises_is_one_error_with_a_reason(error):
    with pytest.raises(PillowError, match=r"^(Cut off|it is damaged)$") as found, pillow_errors():
        raise error
    assert found.value.__cause__ is error


@pytest.mark.parametrize("error", [MemoryError(), InvalidFileError("It is ours."), PillowError("known")])
def test_memory_and_our_own_errors_stay(error):
    with pytest.raises(type(error)) as found, pillow_errors():
        raise error
    assert found.value is error
