"""Messages are sentences: a capital or a name at the beginning, a full stop at the end, on one line."""

import ast
from pathlib import Path

import pytest

from imgcodec.bitstream import errors

ROOT = Path(__file__).parents[1]
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
MODULES = [path for room in ("imgcodec", "bitstream", "cli") for path in sorted((ROOT / room).rglob("*.py"))]


def messages(source: str) -> list[str]:
    """The texts that errors are raised with, `{}` for what is put in, where they are written in full."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS and node.args:
            match node.args[0]:
                case ast.Constant(value=str(text)):
                    found.append(text)
                case ast.JoinedStr(values=parts):
                    found.append("".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts))
    return found


def is_sentence(text: str) -> bool:
    begins = text[:1].isupper() or text.startswith(("{}", "--"))  # with a name, or an option
    return begins and text.endswith((".", "{}")) and text != "{}" and "\n" not in text


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_error_is_a_sentence(path):
    assert [text for text in messages(path.read_text(encoding="utf-8")) if not is_sentence(text)] == []


def test_the_check_sees_what_it_is_for():
    source = "raise CodecError('no capital.')\nraise UsageError(f'No stop: {x} here')\nraise InvalidFileError(str(e))"
    assert [is_sentence(text) for text in messages(source)] == [False, False]
    assert is_sentence("{} is not a sound model: {}.")
