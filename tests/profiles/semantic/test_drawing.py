"""How pictures are drawn: numbers in range, sizes in proportion."""

import pytest

from imgcodec import UsageError
from imgcodec.codec import load_codec
from imgcodec.profiles.semantic.drawing import DrawingOptions, drawn_size


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "1 step or more"),
        ({"eta": 1.5}, "eta"),
        ({"eta": float("nan")}, "eta"),
        ({"guidance": -1.0}, "guidance"),
        ({"seed": -1}, "seed"),
        ({"size": 100}, "multiple of 64"),
        ({"size": 2**15}, "multiple of 64"),
        ({"steps": 2.5}, "number of steps is a whole number"),
        ({"seed": "7"}, "seed is a whole number"),
        ({"size": True}, "size is a whole number"),
        ({"eta": "0"}, "eta is a number"),
        ({"guidance": None}, "guidance is a number"),
    ],
)
def test_impossible_drawings_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        DrawingOptions(**options)


@pytest.mark.parametrize(
    ("sides", "size", "expected"),
    [((200, 100), 64, (64, 32)), ((100, 200), 128, (64, 128)), ((1, 1000), 64, (1, 64)), ((5, 5), 256, (256, 256))],
)
def test_the_longer_side_is_as_long_as_wanted(semantic_path, sides, size, expected):
    assert drawn_size(load_codec(semantic_path).header(sides, None, None), size) == expected
