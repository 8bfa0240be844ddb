"""decompress --allow-damaged and --allow-partial, verify, compress --verify: what they print and how they exit."""

import json
from pathlib import Path

import numpy as np
import pytest
from in_process import invoke
from PIL import Image

from imgcodec.bitstream import container
from imgcodec.bitstream.entropy import RangeEncoder
from imgcodec.bitstream.payload import pack_alpha
from imgcodec.bitstream.sections import Section, SectionType

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def two_tiles(tmp_path: Path) -> Path:
    """A file of 2 tiles and 2 stages, one bit of its section of stage 1, tile 0 flipped; and the same, cut."""
    data = bytearray((GOLDEN / "two-tiles.nic").read_bytes())
    entry = container.read(data).entries[2]
    (tmp_path / "cut.nic").write_bytes(data[: entry.offset + 20])
    data[entry.offset + 20] ^= 4
    path = tmp_path / "damaged.nic"
    path.write_bytes(data)
    return path


def test_damaged_files_need_permission_and_say_what_is_lost(tiny, two_tiles, tmp_path) -> None:
    out = tmp_path / "out.png"
    for flags in ((), ("--allow-partial",)):
        code, _, message = invoke("decompress", two_tiles, "-o", out, "--model", tiny, *flags)
        assert code == 3
        assert message.count("\n") == 1
        assert not out.exists()
    code, _, message = invoke("decompress", two_tiles, "-o", out, "--model", tiny, "--allow-damaged")
    assert code == 3
    assert message.splitlines() == [
        f"{two_tiles}: it is damaged in 653 bytes from byte 84 on (tokens).",
        f"{two_tiles}: its tile 0 is shown coarsely, for the fine stage is lost.",
    ]
    back, sound = (np.asarray(Image.open(path)) for path in (out, GOLDEN / "two-tiles.png"))
    assert np.abs(back[:, 1056:].astype(int) - sound[:, 1056:]).max() <= 1
    assert (back[:, :1000] != sound[:, :1000]).any()


def test_cut_files_need_permission(tiny, two_tiles, tmp_path) -> None:
    cut, out = tmp_path / "cut.nic", tmp_path / "out.png"
    common = ("decompress", cut, "-o", out, "--model", tiny)
    assert invoke(*common)[0] == 3
    assert not out.exists()
    said = (
        f"{cut}: it is cut short: 2 of its 4 token sections are whole.\n"
        f"{cut}: its tiles 0-1 are shown coarsely, for the fine stage is lost.\n"
    )
    assert invoke(*common, "--allow-partial") == (0, "", said)
    assert Image.open(out).size == (1100, 40)
    assert invoke(*common, "-f", "--allow-damaged") == (3, "", said)
    assert invoke(*common, "-f", "--allow-damaged", "--allow-partial") == (0, "", said)
    cut.write_bytes(cut.read_bytes()[:40])
    code, _, message = invoke(*common, "-f", "--allow-partial")
    assert code == 3
    assert "nothing of the picture is left" in message


def test_sound_files_do_not_mind(tiny, tmp_path) -> None:
    arguments = ("decompress", GOLDEN / "alpha.nic", "-o", tmp_path / "out.png", "--model", tiny)
    assert invoke(*arguments, "--allow-damaged", "--allow-partial") == (0, "", "")
    assert Image.open(tmp_path / "out.png").mode == "RGBA"


def test_a_damaged_header_is_refused_whatever_is_allowed(tiny, two_tiles) -> None:
    data = bytearray(two_tiles.read_bytes())
    data[12] ^= 1
    two_tiles.write_bytes(data)
    flags = ("--allow-damaged", "--allow-partial", "--model", tiny)
    code, _, message = invoke("decompress", two_tiles, "-o", two_tiles.with_suffix(".png"), *flags)
    assert code == 3
    assert "header" in message
    assert not two_tiles.with_suffix(".png").exists()


def test_verify_tells_of_each_file(tiny, two_tiles) -> None:
    sound = GOLDEN / "alpha.nic"
    assert invoke("verify", sound) == (0, f"{sound}: sound\n", "")
    code, told, complained = invoke("verify", sound, two_tiles, "nowhere", "--decode", "--model", tiny)
    assert (code, told) == (3, f"{sound}: sound\n")
    assert complained.splitlines() == [
        f"imgcodec: {two_tiles}: The file is damaged: the checksum of the section 2 is wrong.",
        "imgcodec: nowhere: There is no file nowhere.",
    ]
    assert invoke("verify", "nowhere", sound)[0] == 1
    assert invoke("verify", sound, "--decode", "--model", "none")[0] == 4


def test_verify_as_json(tiny, two_tiles) -> None:
    sound = GOLDEN / "gray.nic"
    code, told, _ = invoke("verify", sound, two_tiles, "--decode", "--json", "--model", tiny)
    assert code == 3
    good, bad = json.loads(told)
    expected = json.loads((GOLDEN / "golden.json").read_text())["files"]["gray"]["tokens_sha256"]
    assert good == {"file": str(sound), "sound": True, "bytes": 108, "tokens_sha256": expected}
    assert (bad["file"], bad["sound"]) == (str(two_tiles), False)
    assert "checksum" in bad["error"]


@pytest.mark.parametrize(
    ("kind", "junk"), [(SectionType.TOKENS, b"\xff" * 40), (SectionType.ALPHA, b"junk"), (SectionType.ALPHA, b"")]
)
def test_verify_decodes_only_when_asked(tiny, tmp_path, kind, junk) -> None:
    """Right checksums over what nobody can decode."""
    file = container.read((GOLDEN / "alpha.nic").read_bytes())
    sections = [Section(s.type, s.stage, s.tile, junk if s.type == kind else s.data) for s in file.sections]
    path = tmp_path / "junk.nic"
    path.write_bytes(container.write(file.header, sections))
    assert invoke("verify", path)[0] == 0
    code, told, complained = invoke("verify", path, "--decode", "--model", tiny)
    assert (code, told) == (3, "")
    assert complained.count("\n") == 1


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    y, x = np.mgrid[:50, :70]
    image = Image.fromarray(np.stack([x * 3, y * 4, x + y], axis=2).astype(np.uint8))
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(path)
    return path


def test_compress_verifies_what_it_made(tiny, picture) -> None:
    code, _, _ = invoke("compress", picture, "--verify", "--model", tiny)
    assert code == 0
    data = picture.with_suffix(".nic").read_bytes()
    assert invoke("compress", picture, "-f", "--model", tiny)[0] == 0
    assert picture.with_suffix(".nic").read_bytes() == data


@pytest.mark.parametrize("fault", ["other tokens", "no tokens", "other alpha", "no alpha"])
def test_an_encoder_that_errs_leaves_no_file(tiny, picture, monkeypatch, fault) -> None:
    def write(header, sections, write=container.write):
        changed = []
        for section in sections:
            if section.type == SectionType.ALPHA and fault.endswith("alpha"):
                if fault.startswith("no"):
                    continue
                section = Section(section.type, 0, 0, pack_alpha(np.zeros((50, 70), np.uint8)))
            changed.append(section)
        return write(header, changed)

    def finish(coder, finish=RangeEncoder.finish):
        data = finish(coder)
        return b"\xff" * 40 if fault == "no tokens" else data[:2] + bytes([data[2] ^ 1]) + data[3:]

    if fault.endswith("alpha"):
        monkeypatch.setattr(container, "write", write)
    else:
        monkeypatch.setattr(RangeEncoder, "finish", finish)
    before = sorted(picture.parent.iterdir())
    code, _, message = invoke("compress", picture, "--verify", "--model", tiny)
    assert code == 1
    assert "was thrown away" in message
    assert message.count("\n") == 1
    assert sorted(picture.parent.iterdir()) == before
    assert invoke("compress", picture, "--model", tiny)[0] == 0  # not asked, nobody looks
