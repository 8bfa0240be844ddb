"""`imgcodec verify`: what it prints of sound, damaged and missing files, and how it exits."""

import json
from pathlib import Path

import pytest
from in_process import invoke

from imgcodec.bitstream import container
from imgcodec.bitstream.sections import Section, SectionType

GOLDEN = Path(__file__).parents[1] / "golden"


def test_verify_tells_of_each_file(tiny, two_tiles) -> None:
    sound = GOLDEN / "alpha.nic"
    assert invoke("verify", sound) == (0, f"{sound}: sound\n", "")
    code, told, complained = invoke("verify", sound, two_tiles, "nowhere", "--decode", "--model", tiny)
    assert (code, told) == (3, f"{sound}: sound\n")
    assert complained.splitlines() == [
        f"imgcodec: {two_tiles}: The file is damaged: the checksum of the section 2 is wrong.",
        "imgcodec: There is no file nowhere.",
    ]
    assert invoke("verify", "nowhere", sound)[0] == 1
    assert invoke("verify", sound, "--decode", "--model", "none")[0] == 4


def test_verify_as_json(tiny, two_tiles) -> None:
    sound = GOLDEN / "gray.nic"
    code, told, _ = invoke("verify", sound, two_tiles, "--decode", "--json", "--model", tiny)
    assert code == 3
    good, bad = map(json.loads, told.splitlines())
    expected = json.loads((GOLDEN / "golden.json").read_text())["files"]["gray"]["tokens_sha256"]
    assert good == {"file": str(sound), "sound": True, "bytes": 108, "tokens_sha256": expected}
    assert (bad["file"], bad["sound"]) == (str(two_tiles), False)
    assert "checksum" in bad["error"]


@pytest.mark.parametrize(
    ("name", "kind", "junk"),
    [
        ("alpha", SectionType.TOKENS, b"\xff" * 40),
        ("alpha", SectionType.ALPHA, b"junk"),
        ("alpha", SectionType.ALPHA, b""),
        ("exact-blocks", SectionType.EXACT, b"junk"),
    ],
)
def test_verify_decodes_only_when_asked(tiny, tmp_path, name, kind, junk) -> None:
    """Right checksums over what nobody can decode."""
    file = container.read((GOLDEN / f"{name}.nic").read_bytes())
    sections = [Section(s.type, s.stage, s.tile, junk if s.type == kind else s.data) for s in file.sections]
    path = tmp_path / "junk.nic"
    path.write_bytes(container.write(file.header, sections))
    assert invoke("verify", path)[0] == 0
    code, told, complained = invoke("verify", path, "--decode", "--model", tiny)
    assert (code, told) == (3, "")
    assert complained.count("\n") == 1
