"""Names of what is lost: each once, and safe to show on a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from imgcodec.pictures.formats import findings
from imgcodec.pictures.formats.findings import IPTC, PHOTOSHOP, Findings


def resource(code: int, body: bytes) -> bytes:
    return b"8BIM" + code.to_bytes(2, "big") + bytes(2) + len(body).to_bytes(4, "big") + body + bytes(len(body) % 2)


def test_a_loss_is_named_once() -> None:
    found = Findings()
    found.lose("comment", "text", "comment")
    found.lose("text")
    assert found.lost == ["comment", "text"]


def test_words_in_a_row() -> None:
    assert [findings.listed(list("abc"[:count])) for count in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


def test_unknown_parts_are_named_as_far_as_names_are_safe() -> None:
    assert findings.unknown("chunk", []) == []
    assert findings.unknown("chunk", ["bKGD", "tIME", "bKGD"]) == ["chunks bKGD and tIME"]
    assert findings.unknown("chunk", ["\x1b[2J"]) == ["chunk 2J"]
    assert findings.unknown("chunk", ["\x1b", "ab"]) == ["chunks ab and others"]
    assert findings.unknown("chunk", map(str, range(99))) == ["chunks 0, 1, 2, 3, 4, 5, 6, 7 and others"]


def test_resources_of_photoshop() -> None:
    iptc, digest, path = resource(0x0404, b"abc"), resource(0x0425, bytes(16)), resource(0x07D0, b"path")
    for resources, names in (
        (iptc, [IPTC]),
        (iptc + digest, [IPTC]),
        (path, [PHOTOSHOP]),
        (path + digest + iptc, [IPTC, PHOTOSHOP]),
        (b"", [PHOTOSHOP]),
    ):
        assert findings.photoshop(resources) == names


@given(st.binary(max_size=60), st.lists(st.text()))
def test_any_bytes_and_names(data: bytes, names: list[str]) -> None:
    findings.photoshop(b"8BIM" + data)
    assert all(text.isascii() and text.isprintable() for text in findings.unknown("boxes", names))
