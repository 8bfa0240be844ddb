"""What this version decodes: known before a model is looked for."""

from dataclasses import replace

import pytest
from odd_size import DATA, FILE, header_of, refusal

import imgcodec
from imgcodec import InvalidFileError, UsageError
from imgcodec import codec as pipeline
from imgcodec.bitstream import container
from imgcodec.bitstream.container import write
from imgcodec.bitstream.header import Profile
from imgcodec.bitstream.payload import pack_bytes
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.profiles.decodable import (
    check_decodable,
    check_header,
    read_decodable,
    read_part,
    region_of,
    salvage_decodable,
)
from imgcodec.profiles.decodable import header_of as header_of_file
from imgcodec.profiles.layout import LARGEST_TILE


def test_the_limit_on_pixels_may_be_raised():
    header = header_of(2**15, 2**14, 1024)
    tokens = [Section(SectionType.TOKENS, stage, tile, b"") for stage in range(2) for tile in range(512)]
    data = write(header, tokens)
    assert "over the limit of 268435456 pixels" in refusal(container.read, data)
    assert read_decodable(data, 2**29).header == header


def test_a_narrow_tile_is_counted_with_its_padding():
    """A tile of 1 x 2^22 pixels would be 2^18 times what a window is for the prior."""
    for width, height in ((2048, 2048), (1, 2**14), (2**12, 2**10)):
        check_header(header_of(width, height))
    for width, height in ((2048, 2049), (1, 2**14 + 1), (2**13, 513)):
        assert "over the limit of 4194304 pixels" in refusal(check_header, header_of(width, height))
    check_header(header_of(2**14, 2**14, 2048))
    assert "tiles of 2112 x 2112" in refusal(check_header, header_of(2**14, 2**14, 2112))
    assert LARGEST_TILE == 2**22


def test_profile_and_stages_are_checked_before_a_model_is_looked_for(monkeypatch):
    monkeypatch.setattr(pipeline, "find_model_by_id", lambda _: pytest.fail("a model was looked for"))
    for change, words in (({"profile": Profile.SEMANTIC}, "2 stages"), ({"stage_count": 1}, "1 stages")):
        header = replace(FILE.header, **change)
        data = write(header, FILE.sections[: header.stage_count])
        assert words in refusal(imgcodec.decompress, data)
        assert words in refusal(imgcodec.read_tokens, data)


@pytest.mark.parametrize("kind", [SectionType.ICC, SectionType.EXIF, SectionType.XMP, SectionType.ALPHA])
def test_bombs_are_refused_before_a_model_is_looked_for(monkeypatch, kind):
    monkeypatch.setattr(pipeline, "find_model_by_id", lambda _: pytest.fail("a model was looked for"))
    limit = 7500 if kind == SectionType.ALPHA else 2**24
    bomb = pack_bytes(bytes(limit + 1))
    assert len(bomb) < 2000
    for data in (bomb, pack_bytes(bytes(limit))[:2], b"no frame"):
        file = write(FILE.header, [*FILE.sections, Section(kind, 0, 0, data)])
        assert "compressed section" in refusal(imgcodec.decompress, file)
    check_decodable(container.read(write(FILE.header, [*FILE.sections, Section(kind, 0, 0, pack_bytes(bytes(limit)))])))


def test_alpha_of_another_size_is_refused_before_a_model_is_looked_for(monkeypatch):
    monkeypatch.setattr(pipeline, "find_model_by_id", lambda _: pytest.fail("a model was looked for"))
    data = write(FILE.header, [*FILE.sections, Section(SectionType.ALPHA, 0, 0, pack_bytes(bytes(7499)))])
    assert "alpha section does not have the size" in refusal(imgcodec.decompress, data)


def test_a_damaged_file_of_a_profile_that_is_decoded_is_recovered_and_others_are_not():
    damaged = DATA[:-20] + b"\0" + DATA[-19:]
    found = salvage_decodable(damaged)
    assert found.file.header == FILE.header
    assert found.damage
    with pytest.raises(InvalidFileError):
        read_decodable(damaged)
    file = write(replace(FILE.header, profile=Profile.SEMANTIC), FILE.sections)
    for read in (read_decodable, salvage_decodable):
        assert refusal(read, file) == "The file has 2 stages, and those of its profile have 1."


def test_pixels_are_limited_in_sound_files_and_damaged_ones():
    for read in (read_decodable, salvage_decodable):
        read(DATA, 7500)
        assert "over the limit of 7499 pixels" in refusal(read, DATA, 7499)


def test_a_header_is_decodable_whatever_the_size_of_its_picture():
    assert header_of_file(write(*large_file())).width == 2**15
    with pytest.raises(InvalidFileError):
        header_of_file(b"GIF89a")


def large_file():
    header = header_of(2**15, 2**14, 1024)
    return header, [Section(SectionType.TOKENS, stage, tile, b"") for stage in range(2) for tile in range(512)]


def test_regions_are_inside_the_picture():
    header = header_of(100, 75)
    assert region_of(header, 0, 0, 100, 75) == (0, 0, 100, 75)
    assert region_of(header, 99, 74, 1, 1) == (99, 74, 1, 1)
    for wrong in (
        (0, 0, 0, 1),
        (0, 0, 1, 0),
        (-1, 0, 5, 5),
        (0, 0, 101, 1),
        (99, 0, 2, 1),
        (0, 70, 1, 6),
        (5, 5, -1, 2),
    ):
        with pytest.raises(UsageError):
            region_of(header, *wrong)
    with pytest.raises(UsageError, match="profile raster is decoded as a whole"):
        region_of(replace(header, profile=Profile.RASTER), 0, 0, 1, 1)


def test_of_a_part_what_is_read_is_checked():
    header, tokens = large_file()
    wrong = Section(SectionType.ALPHA, 0, 0, pack_bytes(bytes(10)))
    data = write(header, [*tokens, wrong])
    assert len(read_part(data, lambda entry: entry.type == SectionType.TOKENS).sections) == 1024
    with pytest.raises(InvalidFileError, match="alpha"):
        read_part(data, lambda entry: entry.type == SectionType.ALPHA)
