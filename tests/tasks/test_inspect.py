"""What is said of files, with and without their tokens."""

import json
import pickle
from pathlib import Path

import pytest

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.tasks.inspect import open_describer, open_verifier

GOLDEN = Path(__file__).parents[1] / "golden"
TINY = str(GOLDEN / "tiny.safetensors")
TOKENS = json.loads((GOLDEN / "golden.json").read_text())["files"]["gray"]["tokens_sha256"]


@pytest.mark.parametrize("decode", [False, True])
def test_tokens_are_decoded_where_that_is_asked(decode: bool) -> None:
    path = GOLDEN / "gray.nic"
    verified = open_verifier(TINY, decode)(str(path))
    described = open_describer(TINY, decode, 10**6)(str(path))
    assert verified.bytes == described.info.bytes == path.stat().st_size
    assert verified.tokens_sha256 == described.tokens_sha256 == (TOKENS if decode else None)
    assert pickle.loads(pickle.dumps(described)) == described


def test_damage_and_limits_are_errors(tmp_path: Path) -> None:
    data = bytearray((GOLDEN / "gray.nic").read_bytes())
    data[-30] ^= 1
    (tmp_path / "a.nic").write_bytes(data)
    for task in (open_verifier(None, False), open_describer(None, False, 10**6)):
        with pytest.raises(InvalidFileError, match=r"a\.nic: The file is damaged"):
            task(str(tmp_path / "a.nic"))
    with pytest.raises(InvalidFileError, match="over the limit of 3 pixels"):
        open_describer(None, False, 3)(str(GOLDEN / "gray.nic"))
