"""Numbers with their nouns."""

from imgcodec.words import counted


def test_one_is_singular_and_all_other_numbers_are_plural() -> None:
    assert [counted(count, "tile") for count in (0, 1, 2)] == ["0 tiles", "1 tile", "2 tiles"]
