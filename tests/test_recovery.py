"""Damaged and cut files: what is whole is shown, what is lost is named, and nothing else changes."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pictures import PHOTOGRAPH, SRGB
from PIL import Image

import imgcodec
from imgcodec import InvalidFileError, Tokens
from imgcodec import codec as pipeline
from imgcodec.bitstream import container
from imgcodec.bitstream.frames import write_section
from imgcodec.bitstream.sections import PICTURE_SECTIONS, Section, SectionType
from imgcodec.bitstream.token_sections import key
from imgcodec.codec import decode_picture, detokenize, tokenize
from imgcodec.encoder import encode_picture
from imgcodec.pictures.picture import Picture
from imgcodec.profiles.photo import codec as photo
from imgcodec.profiles.photo import tile_coder
from imgcodec.tokenizers.blocks import BLOCK
from imgcodec.tokenizers.rvq_config import STRIDES
from imgcodec.tokens import stage_places

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def photograph():
    return np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))


@pytest.fixture(scope="module")
def tiled(tiny_codec, photograph):
    """A file of 3 x 2 tiles, stage 1 in many sections, with alpha and metadata, and what it decodes to."""
    pixels = photograph[200:400, 300:600]
    alpha = np.tile(np.arange(pixels.shape[1]) % 256, (len(pixels), 1)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "a tower"
    picture = Picture(
        pixels, alpha, SRGB, exif.tobytes().removeprefix(b"Exif\0\0"), b"<x:xmpmeta/>", density=(11811, 5906),
        features=b"id of it" + b"bytes of a vector",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photo, "TILE_SIZE", 128)
        patch.setattr(tile_coder, "PART_BYTES", 60)  # some tiles have two sections, some up to five
        patch.setattr(tile_coder, "SMALL_FILE", 0)
        data = encode_picture(tiny_codec, picture, 70).data
    return data, decode_picture(tiny_codec, container.read(data))


def flipped(data, bits):
    damaged = bytearray(data)
    for bit in bits:
        damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def around(tokenizer, header, tiles):
    """Which pixels synthesis makes of the tokens of these tiles, among others."""
    reach = tokenizer.synthesis.halo * BLOCK
    touched = np.zeros((header.height, header.width), bool)
    for left, top, width, height in map(header.tile_rectangle, tiles):
        touched[max(0, top - reach) : top + height + reach, max(0, left - reach) : left + width + reach] = True
    return touched


def psnr(a, b):
    return -10 * np.log10(max(1e-9, np.square(np.asarray(a, float) - np.asarray(b, float)).mean()) / 255**2)


# Damage


@given(st.data())
@settings(max_examples=20)
def test_a_damaged_tile_costs_that_tile_and_no_more(tiny_model, tiny_codec, tiled, data):
    whole, expected = tiled
    file = container.read(whole)
    tokens = [entry for entry in file.entries if entry.type == SectionType.TOKENS]
    hit = data.draw(st.lists(st.sampled_from(tokens), min_size=1, max_size=3, unique=True))
    bits = [data.draw(st.integers(8 * e.offset, 8 * (e.offset + e.size) - 1)) for e in hit]
    damaged = flipped(whole, bits)
    with pytest.raises(InvalidFileError, match="damaged"):
        tiny_model.decompress(damaged)

    found = tiny_model.recover(damaged)
    flat = {entry.tile for entry in hit if key(file.header, entry.stage, entry.tile)[0] == 0}
    coarse = {entry.tile for entry in hit} - flat
    assert (set(found.flat), set(found.coarse), found.left_out, found.unreadable) == (flat, coarse, (), ())
    assert found.is_damaged
    assert not found.is_cut
    touched = around(tiny_codec.tokenizer, file.header, flat | coarse)
    assert not touched.all() or len(flat | coarse) > 1
    assert np.array_equal(found.picture.pixels[~touched], expected.pixels[~touched])
    assert np.array_equal(found.picture.alpha, expected.alpha)
    assert (found.picture.exif, found.picture.xmp) == (expected.exif, expected.xmp)
    for tile in flat:
        left, top, width, height = file.header.tile_rectangle(tile)
        middle = found.picture.pixels[top + height // 2, left + width // 2].astype(int)
        assert np.abs(middle - 128).max() < 24, "gray"


def test_a_lost_detail_leaves_the_coarse_picture(tiny_model, tiny_codec, photograph):
    pixels = photograph[200:300, 300:450]
    tokens = tokenize(tiny_codec, pixels, 90)
    data = tiny_model.write_tokens(tokens)
    found = tiny_model.recover(flipped(data, [8 * container.read(data).entries[1].offset + 50]))
    coarse = detokenize(tiny_codec, Tokens(tokens.header, tokens.stages[:1]))
    assert psnr(found.picture.pixels, pixels) > psnr(coarse, pixels) - 0.1
    assert found.notes[-1] == "its tile 0 is shown coarsely, for finer tokens are lost"


def test_four_damaged_bytes_cost_some_detail_of_a_tile(tiny_model, tiny_codec, tiled):
    """What is left of the tile is its calls before the damage, and the picture is the better the more there are."""
    whole, expected = tiled
    file = container.read(whole)
    entries = [entry for entry in file.entries if entry.type == SectionType.TOKENS]
    tile = max(range(6), key=lambda tile: sum(entry.tile == tile for entry in entries))
    of_tile = [entry for entry in entries if entry.tile == tile]
    assert len(of_tile) > 3
    left, top, width, height = file.header.tile_rectangle(tile)
    at = slice(top, top + height), slice(left, left + width)
    sound, worse = tiny_model.read_tokens(whole), []
    for number, entry in enumerate(of_tile[1:], 1):
        damaged = bytearray(whole)
        for offset in range(entry.offset + entry.size // 2, entry.offset + entry.size // 2 + 4):
            damaged[offset] ^= 0xA5
        found = tiny_model.recover(bytes(damaged))
        assert (found.coarse, found.flat) == ((tile,), ())
        assert [note for note in found.notes if "tokens" in note] == [
            f"it is damaged in {entry.size} bytes from byte {entry.offset} on (tokens)",
            f"its tile {tile} is shown coarsely, for finer tokens are lost",
        ]
        touched = around(tiny_codec.tokenizer, file.header, [tile])
        assert np.array_equal(found.picture.pixels[~touched], expected.pixels[~touched])
        worse.append(psnr(found.picture.pixels[at], expected.pixels[at]))
        stages, left_over = tiny_codec.empty(file.header), found.found.tokens()[tile]
        assert len(left_over.parts) == number
        tiny_codec.read(file.header, [tile], [left_over], stages)
        places = tiny_codec.coder.call_places(file.header)[: left_over.end]
        for place in places:  # these are as they were
            (y, x) = stage_places(file.header.tile_rectangle(tile), STRIDES)[place.stage]
            now, then = (s[place.stage][place.first : place.end, y, x] for s in (stages, sound.stages))
            for row in (0, 1):
                half = slice(None), slice(row, None, 2), slice(row ^ place.parity, None, 2)
                assert np.array_equal(now[half], then[half])
    assert worse[-1] > worse[0] + 1
    assert all(b > a - 0.3 for a, b in pairwise(worse))


@pytest.mark.parametrize("kind", PICTURE_SECTIONS)
def test_damaged_alpha_and_metadata_are_left_out_and_named(tiny_model, tiled, kind):
    whole, expected = tiled
    file = container.read(whole)
    entry = next(entry for entry in file.entries if entry.type == kind)
    name = kind.name.lower()
    others = {row.field for row in PICTURE_SECTIONS.values()} - {name}

    found = tiny_model.recover(flipped(whole, [8 * (entry.offset + entry.size) - 40]))
    assert found.notes == [f"it is damaged in {entry.size} bytes from byte {entry.offset} on ({name})"]
    # The checksum is right, and what is inside is not.
    sections = [Section(s.type, s.stage, s.tile, b"junk" if s.type == kind else s.data) for s in file.sections]
    junk = tiny_model.recover(container.write(file.header, sections))
    assert junk.notes == [f"its {name} cannot be unpacked and is left out"]
    for recovery in (found, junk):
        assert recovery.is_damaged
        assert getattr(recovery.picture, name) is None
        assert all(np.array_equal(getattr(recovery.picture, o), getattr(expected, o)) for o in others)
        assert np.array_equal(recovery.picture.pixels, expected.pixels)
    assert found.image.mode == ("RGB" if name == "alpha" else "RGBA")


def test_tokens_that_do_not_decode_though_their_checksum_is_right(tiny_model, tiny_codec, tiled):
    whole, expected = tiled
    file = container.read(whole)
    last = file.header.tile_count - 1
    junk = {1: bytes([file.tokens()[last].parts[1].end]) + b"\xff" * 50, 2: b"\xff" * 50}
    sections = [
        Section(s.type, s.stage, s.tile, junk[s.stage // 64] if s.stage > 63 and s.tile == last else s.data)
        for s in file.sections
    ]
    data = container.write(file.header, sections)
    with pytest.raises(InvalidFileError):
        tiny_model.decompress(data)
    found = tiny_model.recover(data)
    assert (found.coarse, found.flat, found.unreadable) == ((last,), (), (last,))
    assert found.is_damaged
    touched = around(tiny_codec.tokenizer, file.header, [last])
    assert np.array_equal(found.picture.pixels[~touched], expected.pixels[~touched])


def test_a_sound_file_has_nothing_to_tell(tiny_model, tiled):
    whole, expected = tiled
    found = tiny_model.recover(whole)
    assert (found.notes, found.is_damaged, found.is_cut) == ([], False, False)
    assert np.array_equal(found.picture.pixels, expected.pixels)


def test_many_tiles_are_named_in_few_words(tiny_model, tiled):
    whole, _ = tiled
    file = container.read(whole)
    kept = [s for s in file.sections if s.type != SectionType.TOKENS or (s.stage < 64 and s.tile in (1, 2, 5))]
    data = whole[: file.header_size] + b"".join(write_section(s) for s in kept)
    notes = tiny_model.recover(data).notes
    assert notes[0] == "it is cut short: 0 of its 6 tiles are whole"
    assert notes[1] == "its tiles 1-2, 5 are shown coarsely, for finer tokens are lost"
    assert notes[2] == "its tiles 0, 3-4 are lost and filled with gray"


def test_files_of_which_nothing_is_left_are_refused(tiny_model, tiled):
    whole, _ = tiled
    file = container.read(whole)
    with pytest.raises(InvalidFileError, match="nothing of the picture is left"):
        tiny_model.recover(whole[: file.entries[0].offset + 5])
    with pytest.raises(InvalidFileError, match="checksum of the header"):
        tiny_model.recover(flipped(whole, [8 * 15]))


def test_the_function_finds_the_model(tiny_codec, tiled, monkeypatch):
    whole, expected = tiled
    monkeypatch.setattr(pipeline, "find_model_by_id", lambda id: {tiny_codec.id: "tiny"}[id])
    monkeypatch.setattr(pipeline, "cached_codec", lambda name, device: {"tiny": tiny_codec}[name])
    found = imgcodec.recover(whole[:-9])
    assert isinstance(found, imgcodec.Recovery)
    assert found.is_cut
    assert np.array_equal(np.asarray(found.image)[..., :3], expected.pixels)


def test_tokens_out_of_place_are_put_in_order_and_told(tiny_model, tiled):
    whole, expected = tiled
    file = container.read(whole)
    first = next(number for number, entry in enumerate(file.entries) if entry.type == SectionType.TOKENS)
    pieces = [whole[entry.offset : entry.offset + entry.size] for entry in file.entries]
    last = max(number for number, entry in enumerate(file.entries) if entry.type == SectionType.TOKENS)
    before, tokens, behind = pieces[:first], pieces[first : last + 1], pieces[last + 1 :]
    swapped = [tokens[1], tokens[0], *tokens[2:]]
    for changed in (swapped, tokens[::-1], [*tokens, tokens[0]], [tokens[0], *tokens]):
        data = whole[: file.header_size] + b"".join([*before, *changed, *behind])
        with pytest.raises(InvalidFileError, match="not where they belong"):
            tiny_model.decompress(data)
        found = tiny_model.recover(data)
        assert found.is_damaged
        assert not found.is_cut
        assert (found.coarse, found.flat) == ((), ())
        assert len(found.notes) == 1
        assert found.notes[0].endswith("(tokens) that are out of place")
        assert np.array_equal(found.picture.pixels, expected.pixels)


# Cuts


@pytest.mark.parametrize("tile_size", [0, 64, 128])
@pytest.mark.parametrize("quality", [0, 50, 100])
def test_every_section_makes_a_preview_better(tiny_model, photograph, monkeypatch, tile_size, quality):
    monkeypatch.setattr(photo, "TILE_SIZE", tile_size or 1024)
    pixels = photograph[150:250, 320:460]
    data = tiny_model.compress(pixels, quality=quality)
    file = container.read(data)
    assert file.header.tile_size == tile_size
    best = 0.0
    for entry in file.entries:
        if entry.type == SectionType.TOKENS:
            found = tiny_model.recover(data[: entry.offset + entry.size])
            assert found.is_cut
            assert not found.is_damaged
            now = psnr(found.picture.pixels, pixels)
            assert now > best - 0.5, "the small prior expects something a little better than what is there"
            best = max(best, now)
    assert now == psnr(tiny_model.decompress(data), pixels)


def test_every_byte_makes_a_preview_no_worse(tiny_model, photograph):
    pixels = photograph[220:284, 400:464]
    data = tiny_model.compress(pixels, quality=80)
    first = container.read(data).entries[0]
    best = 0.0
    for length in range(len(data) + 1):
        if length < first.offset + first.size:
            with pytest.raises(InvalidFileError):
                tiny_model.recover(data[:length])
            continue
        found = tiny_model.recover(data[:length])
        assert found.is_cut == (length < len(data))
        now = psnr(found.picture.pixels, pixels)
        assert now > best - 0.1
        best = max(best, now)
    assert now > 20


def test_a_file_that_lacks_only_its_end_says_so(tiny_model, tiled):
    whole, expected = tiled
    found = tiny_model.recover(whole[:-1])
    assert found.notes == ["it is cut short, but behind all of its tokens"]
    assert np.array_equal(found.picture.pixels, expected.pixels)


def test_a_file_that_is_cut_in_its_exact_blocks_says_so(tiny_model):
    whole = (GOLDEN / "exact-blocks.nic").read_bytes()
    entry = next(entry for entry in container.read(whole).entries if entry.name == "exact")
    for length in (entry.offset + 1, entry.offset + entry.size - 1):
        found = tiny_model.recover(whole[:length])
        assert found.notes == ["it is cut short behind its tokens, and its exact blocks are lost from there on"]


def test_a_file_of_which_no_tile_is_left_is_refused_like_an_empty_one(tiny_model):
    data = bytearray((GOLDEN / "odd-size.nic").read_bytes())
    first = container.read(bytes(data)).entries[0]
    data[first.offset + first.size - 1] ^= 1  # the checksum of stage 0
    with pytest.raises(InvalidFileError, match="nothing of the picture is left"):
        tiny_model.recover(bytes(data))


def test_a_picture_of_one_tile_lacks_a_part_of_it(tiny_model):
    whole = tiny_model.compress(np.zeros((64, 96, 3), np.uint8) + np.arange(96, dtype=np.uint8)[:, None])
    notes = tiny_model.recover(whole[:-12]).notes
    assert notes[0] == "it is cut short: its one tile is not whole"
