"""Parts of pictures: a region is what is cut out of the whole, a thumbnail what the whole gives when it is shrunk."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fsspec.spec import AbstractBufferedFile
from hypothesis import given, settings
from hypothesis import strategies as st
from part_files import made_file
from PIL import Image

import imgcodec
from imgcodec import InvalidFileError, UsageError, parts
from imgcodec.bitstream import container
from imgcodec.bitstream.header import write_header
from imgcodec.bitstream.sections import SectionType
from imgcodec.codec import decode_picture, read_tokens
from imgcodec.metrics.reference import psnr
from imgcodec.parts import decode_reduced, decode_region, decode_thumbnail
from imgcodec.pictures import exif
from imgcodec.profiles.decodable import header_of, region_of
from imgcodec.profiles.photo.nets import level_of
from imgcodec.profiles.photo.tiling import synthesise_reduced

GOLDEN = Path(__file__).parent / "golden"
MOST = 2**28
NOTHING = [container.Section(SectionType.TOKENS, 0, 0, b"")]  # of one tile of no calls


def whole(codec, data: bytes) -> np.ndarray:
    return decode_picture(codec, container.read(data)).pixels


def region(codec, data: bytes, *place: int, most: int = MOST):
    return decode_region(codec, data, region_of(header_of(data), *place), most)


@st.composite
def files_and_regions(draw: st.DrawFn) -> tuple[int, int, int, tuple[int, int, int, int]]:
    """Width, height, tile size, region; borders of tiles are likely to be borders of regions."""
    width, height = draw(st.integers(1, 330)), draw(st.integers(1, 330))
    tile = draw(st.sampled_from([0, 64, 64, 128, 192]))
    edges = st.one_of(st.integers(0, 330), st.sampled_from([0, 63, 64, 65, 127, 128, 129, 192, 256, 320]))
    x, y = min(draw(edges), width - 1), min(draw(edges), height - 1)
    right, bottom = min(max(draw(edges), x + 1), width), min(max(draw(edges), y + 1), height)
    return width, height, tile, (x, y, right - x, bottom - y)


@settings(max_examples=15)
@given(files_and_regions())
def test_a_region_is_what_is_cut_out_of_the_whole(tiny_codec, drawn):
    width, height, tile, (x, y, w, h) = drawn
    data = made_file(tiny_codec, width, height, tile)
    found = region(tiny_codec, data, x, y, w, h).pixels
    assert found.shape == (h, w, 3)
    expected = whole(tiny_codec, data)[y : y + h, x : x + w]
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_large_region_is_read_a_few_tiles_at_once(many_tiles, tiny_codec, monkeypatch):
    place = (300, 60, 130, 100)  # in 4 x 3 tiles
    pixels = region(tiny_codec, many_tiles, *place).pixels
    read = []
    usual = type(tiny_codec).read

    def reading(codec, header, tiles, *others):
        read.append((header.width, header.height, len(tiles)))
        usual(codec, header, tiles, *others)

    monkeypatch.setattr(type(tiny_codec), "read", reading)
    for together, groups in (
        (12, [(256, 192, 12)]),
        (9, [(256, 128, 8), (256, 64, 4)]),
        (3, [(192, 64, 3), (64, 64, 1)] * 3),
        (0, [(64, 64, 1)] * 12),
    ):
        monkeypatch.setattr(parts, "TOGETHER", together * 64**2)
        read.clear()
        assert np.array_equal(region(tiny_codec, many_tiles, *place).pixels, pixels)
        assert read == groups


@pytest.mark.parametrize("name", ["two-tiles", "version-2", "gray", "alpha", "everything", "few-calls", "no-calls"])
def test_regions_of_golden_files_of_both_versions(tiny_model, name):
    path = GOLDEN / f"{name}.nic"
    expected = tiny_model.decompress(path)
    x, y = expected.width // 3, expected.height // 4
    w, h = expected.width - x - 3, expected.height - y - 1
    found = tiny_model.decompress(path, region=(x, y, w, h))
    cut = expected.crop((x, y, x + w, y + h))
    assert (found.mode, found.size) == (cut.mode, cut.size)
    assert np.abs(np.asarray(found).astype(int) - np.asarray(cut)).max() <= 1
    if "A" in found.mode:
        assert np.array_equal(np.asarray(found.getchannel("A")), np.asarray(cut.getchannel("A")))
    assert found.info.keys() == expected.info.keys()


def test_a_region_keeps_what_is_true_of_it(tiny_codec, tiny_model):
    block = Image.Exif()
    block[exif.ORIENTATION], block[0x0100], block[0x0101] = 1, 200, 150
    icc, xmp = b"profile" * 20, b"<x:xmpmeta/>"
    alpha = np.arange(200 * 150, dtype=np.uint16).astype(np.uint8).reshape(150, 200)
    made = {"alpha": alpha, "exif": block.tobytes()[6:], "icc": icc, "xmp": xmp, "density": (4000, 3000)}
    data = made_file(tiny_codec, 200, 150, 64, **made)
    found = region(tiny_codec, data, 60, 40, 100, 30)
    assert np.array_equal(found.alpha, alpha[40:70, 60:160])
    assert (found.icc, found.xmp, found.density) == (icc, xmp, (4000, 3000))
    read = Image.Exif()
    read.load(found.exif)
    assert (read[0x0100], read[0x0101]) == (100, 30)
    assert region(tiny_codec, data, 0, 0, 200, 150).exif == made["exif"]
    thumbnail = tiny_model.decompress(data, thumbnail=20)
    assert (thumbnail.size, thumbnail.mode, set(thumbnail.info)) == ((20, 15), "RGBA", {"icc_profile"})


class Remote(AbstractBufferedFile):
    """A file that is fetched by ranges, each of which is counted, as from a server."""

    def __init__(self, data: bytes) -> None:
        self.data, self.ranges = data, []
        super().__init__(None, "remote.nic", size=len(data), cache_type="none")

    def _fetch_range(self, start: int, end: int) -> bytes:
        self.ranges.append((start, end))
        return self.data[start:end]


@pytest.fixture(scope="module")
def many_tiles(tiny_codec):
    """A file of 9 x 6 tiles."""
    return made_file(tiny_codec, 64 * 9, 64 * 6, 64, quality=90)


def test_a_region_of_a_remote_file_fetches_only_its_bytes(many_tiles, tiny_codec, tiny_model):
    data = many_tiles
    file = container.read(data)
    remote = Remote(data)
    found = tiny_model.decompress(remote, region=(5, 200, 40, 40))
    expected = whole(tiny_codec, data)[200:240, 5:45]
    assert np.abs(np.asarray(found).astype(int) - expected).max() <= 1
    margin = tiny_codec.margin(file.header)
    most_tiles = (1 + -(-margin // 64)) * (2 + 2 * -(-margin // 64))
    read = [e for e in file.entries if any(a < e.offset + e.size - 4 and b > e.offset + 64 for a, b in remote.ranges)]
    assert 0 < len({entry.tile for entry in read}) <= most_tiles < file.header.tile_count / 3
    assert len(remote.ranges) <= len(file.entries) + len(read) + 2  # a frame each, and the sections that are needed
    fetched = sum(end - start for start, end in remote.ranges)
    assert fetched <= 64 * len(file.entries) + sum(entry.size for entry in read) + 128
    whole_picture = Remote(data)
    tiny_model.decompress(whole_picture)
    assert sum(end - start for start, end in whole_picture.ranges) >= len(data) > fetched


def test_a_thumbnail_of_a_remote_file_fetches_only_its_bytes(many_tiles, tiny_model):
    data = many_tiles
    remote = Remote(data)
    assert tiny_model.decompress(remote, thumbnail=9).size == (9, 6)
    file = container.read(data)
    needed = sum(e.size for e in file.entries if e.type == SectionType.TOKENS and e.stage < 64)
    assert sum(end - start for start, end in remote.ranges) <= needed + 64 * len(file.entries)


def test_only_what_is_read_is_checked(tiny_codec):
    data = made_file(tiny_codec, 700, 64, 64, quality=90)
    entries = container.read(data).entries
    far, near = (
        next(e for e in entries if e.type == SectionType.TOKENS and e.tile == tile and e.data_size > 8)
        for tile in (10, 0)
    )
    flipped = []
    for entry in (far, near):
        changed = bytearray(data)
        changed[entry.offset + entry.size - 5] ^= 1
        flipped.append(bytes(changed))
    expected = region(tiny_codec, data, 0, 0, 50, 50).pixels
    assert np.array_equal(region(tiny_codec, flipped[0], 0, 0, 50, 50).pixels, expected)
    with pytest.raises(InvalidFileError, match="checksum"):
        region(tiny_codec, flipped[1], 0, 0, 50, 50)
    for cut in (len(data) - 3, far.offset + 9, near.offset + 5):
        with pytest.raises(InvalidFileError):
            region(tiny_codec, data[:cut], 0, 0, 50, 50)
    with pytest.raises(InvalidFileError, match="goes on"):
        region(tiny_codec, data + b"more", 0, 0, 50, 50)


def test_a_section_that_is_missing_is_missed_where_it_is_needed(tiny_codec):
    data = made_file(tiny_codec, 700, 64, 64, quality=90)
    file = container.read(data)
    for stage in sorted(
        {entry.stage for entry in file.entries if entry.tile == 0 and entry.type == SectionType.TOKENS}
    ):
        (gone,) = (e for e in file.entries if (e.type, e.tile, e.stage) == (SectionType.TOKENS, 0, stage))
        without = data[: gone.offset] + data[gone.offset + gone.size :]
        region(tiny_codec, without, 600, 0, 50, 50)
        with pytest.raises(InvalidFileError, match="tokens of tile 0"):
            region(tiny_codec, without, 0, 0, 50, 50)
        if stage < 64:
            with pytest.raises(InvalidFileError, match="tokens of tile 0"):
                decode_reduced(tiny_codec, without, 64, MOST)


def test_limits_count_what_is_decoded(tiny_codec, tiny_model):
    data = made_file(tiny_codec, 640, 320, 64)
    assert region(tiny_codec, data, 100, 100, 30, 30, most=900).pixels.shape == (30, 30, 3)
    with pytest.raises(InvalidFileError, match="limit of 899 pixels"):
        region(tiny_codec, data, 100, 100, 30, 30, most=899)
    with pytest.raises(InvalidFileError, match="limit of 900 pixels"):
        tiny_model.decompress(data, max_pixels=900)
    with pytest.raises(InvalidFileError, match="limit of 900 pixels"):
        tiny_model.decompress(data, thumbnail=10, max_pixels=900)
    wide = container.write(  # 2^29 pixels, of no calls
        replace(tiny_codec.header((2**16, 2**13), 50, None), tile_size=2048),
        [container.Section(SectionType.TOKENS, 0, tile, b"") for tile in range(128)],
    )
    with pytest.raises(InvalidFileError, match="limit of"):
        tiny_model.decompress(wide)
    gray = tiny_model.decompress(wide, region=(5000, 5000, 20, 10))
    assert gray.size == (20, 10)
    with pytest.raises(InvalidFileError, match="around it"):
        tiny_model.decompress(wide, region=(0, 5000, 2**16, 1), max_pixels=2**16)


def test_a_picture_of_endless_tiles_is_refused_at_once(tiny_codec, tiny_model):
    header = replace(tiny_codec.header((2**32 - 1, 2**32 - 1), 50, None), tile_size=64)
    data = write_header(header) + container.write(tiny_codec.header((9, 9), 50, None), NOTHING)[-8:]
    for part in ({"region": (2**31, 2**31, 64, 64)}, {"thumbnail": 9}):
        with pytest.raises(InvalidFileError, match="limit"):
            tiny_model.decompress(data, **part)


@pytest.mark.parametrize(
    "wrong",
    [
        (0, 0, 0, 5),
        (0, 0, 5, 0),
        (-1, 0, 5, 5),
        (0, 0, 101, 5),
        (90, 70, 11, 6),
        (1, 2, 3),
        "1,2,3,4",
        (1, 2, 3, 4.5),
        7,
    ],
)
def test_regions_that_there_are_not(tiny_model, wrong):
    with pytest.raises(UsageError):
        tiny_model.decompress(GOLDEN / "odd-size.nic", region=wrong)


def test_what_does_not_go_together(tiny_model):
    for wrong in ({"region": (0, 0, 1, 1), "thumbnail": 3}, {"region": (0, 0, 1, 1), "scale": 2}, {"thumbnail": 0}):
        with pytest.raises(UsageError):
            tiny_model.decompress(GOLDEN / "odd-size.nic", **wrong)


def test_other_profiles_have_no_regions_but_thumbnails():
    model = imgcodec.load_model(GOLDEN / "bsq.safetensors")
    path = GOLDEN / "bsq-odd-size.nic"
    with pytest.raises(UsageError, match="profile raster"):
        model.decompress(path, region=(0, 0, 1, 1))
    expected = model.decompress(path)
    side = max(expected.size) // 2
    expected.thumbnail((side, side), reducing_gap=None)
    assert model.decompress(path, thumbnail=side).size == expected.size
    assert model.decompress(path, thumbnail=10**6).size == model.decompress(path).size


@settings(max_examples=12)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([0, 64, 128]), st.sampled_from([8, 16, 64]))
def test_a_reduction_is_that_of_the_first_tokens_of_all_tiles(tiny_codec, width, height, tile, reduction):
    data = made_file(tiny_codec, width, height, tile)
    found = decode_reduced(tiny_codec, data, reduction, MOST).pixels
    tokens, photo = read_tokens(tiny_codec, container.read(data)), tiny_codec.photo
    _, fine = photo.prior_config.slices
    tokens.stages[1][fine[0] if reduction < 64 else 0 :] = photo.transforms.config.zero
    size, level = (height, width), level_of(photo.transforms.config, tokens.header)
    expected = synthesise_reduced(photo.transforms, tokens.stages, size, level, reduction)
    assert found.shape == expected.shape == (-(-height // reduction), -(-width // reduction), 3)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_thumbnails_of_the_shipped_model_look_like_the_whole():
    photograph = Image.open(GOLDEN.parents[1] / "examples" / "photo.png").convert("RGB")
    data = imgcodec.compress(photograph.resize((640, 400)))
    expected = imgcodec.decompress(data)
    for side, least in ((10, 34), (40, 36), (80, 38), (200, 60)):
        found = imgcodec.decompress(io.BytesIO(data), thumbnail=side)
        assert max(found.size) == side
        shrunk = expected.resize(found.size, Image.Resampling.BICUBIC)
        assert psnr(np.asarray(found), np.asarray(shrunk)) > least
    assert decode_thumbnail(imgcodec.codec.cached_codec("photo"), data, 10**6, MOST).pixels.shape == (400, 640, 3)
