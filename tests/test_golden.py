"""Golden files decode for ever: the same tokens, the same bytes when they are written again, the same pixels."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import imgcodec
from imgcodec.bitstream import container
from imgcodec.bitstream.header import RETIRED_PROFILES, Profile, checksum
from imgcodec.bitstream.sections import SectionType
from imgcodec.codec import decode_picture, load_codec
from imgcodec.exact.sections import blocks_of
from imgcodec.model_file.model import open_model
from imgcodec.pictures import exif
from imgcodec.profiles.photo import tile_coder
from imgcodec.profiles.semantic.codec import with_drawing
from imgcodec.profiles.semantic.drawing import DrawingOptions

GOLDEN = Path(__file__).parent / "golden"
INDEX = json.loads((GOLDEN / "golden.json").read_text())
VERSION_2 = ("version-2", "few-calls", "no-calls", "divided", "random-calls")
DIVIDED, PART_BYTES = ("divided", "random-calls"), 12  # written with so small a size of sections
RASTER = json.loads((GOLDEN / "family.json").read_text())
SEMANTIC = json.loads((GOLDEN / "semantic.json").read_text())
EXACT = json.loads((GOLDEN / "exact.json").read_text())


@pytest.fixture(scope="module", params=["onnx", "torch"])
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def tiny_model(engine):
    return imgcodec.load_model(GOLDEN / "tiny.safetensors", engine=engine)


@pytest.fixture(scope="module")
def tiny_codec(engine):
    return load_codec(GOLDEN / "tiny.safetensors", engine=engine)


def test_the_indexes_list_every_golden_file():
    files, pictures = ({path.stem for path in GOLDEN.glob(f"*.{suffix}")} for suffix in ("nic", "png"))
    assert pictures == {*INDEX["files"], *INDEX["damaged"], *RASTER["files"], *SEMANTIC["files"]}
    assert files == pictures | {*EXACT["files"], "exact-blocks"}
    models = {INDEX["model"]["file"], SEMANTIC["model"]["file"]}
    models |= {model["file"] for model in RASTER["models"].values()}
    assert models == {path.name for path in GOLDEN.glob("*.safetensors")}


def test_the_photo_model_is_the_frozen_one(tiny_model):
    data = (GOLDEN / INDEX["model"]["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == INDEX["model"]["sha256"]
    assert tiny_model.id.hex() == INDEX["model"]["id"]
    assert len(data) < 200_000


@pytest.mark.parametrize("name", INDEX["files"])
def test_golden_photo_files_decode_and_are_written_again(tiny_model, tiny_codec, name, monkeypatch):
    entry, data = INDEX["files"][name], (GOLDEN / f"{name}.nic").read_bytes()
    assert len(data) == entry["bytes"]

    tokens = tiny_model.read_tokens(data)
    assert (tokens.header.width, tokens.header.height) == (entry["width"], entry["height"])
    assert tokens.header.quality == entry["quality"] * 256
    assert tokens.sha256() == entry["tokens_sha256"]

    version = 2 if name in VERSION_2 else 1
    assert data[8] == tokens.header.version == version
    if name in DIVIDED:
        monkeypatch.setattr(tile_coder, "PART_BYTES", PART_BYTES)
        monkeypatch.setattr(tile_coder, "SMALL_FILE", 0)
    again = tiny_model.write_tokens(tokens)
    written, before = (
        [s for s in container.read(file).sections if s.type == SectionType.TOKENS] for file in (again, data)
    )
    if name in DIVIDED:  # where a writer divides a tile is free
        assert len(written) > tokens.header.tile_count * 2
        assert tiny_model.read_tokens(again).sha256() == entry["tokens_sha256"]
    else:
        assert written == before
        if entry["mode"] != "RGBA":  # that has a section which `write_tokens` knows nothing of
            assert again == data

    if name == "everything":
        found = decode_picture(tiny_codec, container.read(data))
        assert (tokens.header.tile_columns, tokens.header.tile_rows) == (3, 2)
        assert (
            ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(found.icc))).strip() == "sRGB built-in"
        )
        assert exif.density(found.exif) == (2835, 2835)
        assert (found.xmp, found.density) == (b"<x:xmpmeta/>", (11811, 5906))

    difference = difference_of(tiny_model.decompress(data), name, entry["mode"])
    if entry["mode"] == "RGBA":
        assert not difference[:, :, 3].any()


def test_golden_files_of_version_2_show_what_is_new_in_it():
    files = {name: container.read((GOLDEN / f"{name}.nic").read_bytes()).tokens() for name in VERSION_2}
    assert {name: {tile.total for tile in tiles} for name, tiles in files.items()} == {
        "version-2": {24}, "few-calls": {17}, "no-calls": {0}, "divided": {24}, "random-calls": {24},
    }  # fmt: skip
    assert [len(tile.parts) for tile in files["random-calls"]] == [5, 4, 2, 2]


@pytest.mark.parametrize("name", INDEX["damaged"])
def test_damaged_golden_files_show_what_is_left(tiny_model, name):
    entry, data = INDEX["damaged"][name], (GOLDEN / f"{name}.nic").read_bytes()
    with pytest.raises(imgcodec.InvalidFileError):
        tiny_model.decompress(data)
    found = tiny_model.recover(data)
    assert [list(found.coarse), found.notes] == [entry["coarse"], entry["notes"]]
    difference_of(found.image, name, "RGB")


def difference_of(picture, name, mode):
    """From the pixels that a golden file decodes to, which must be one gray level at most; returned as well."""
    expected = Image.open(GOLDEN / f"{name}.png")
    assert picture.mode == expected.mode == mode
    difference = np.asarray(picture, int) - np.asarray(expected, int)
    assert np.abs(difference).max() <= 1
    return difference


# The profile raster


def with_profile(data: bytes, number: int) -> bytes:
    """A file with another number of its profile, and the checksum of the header that follows from it."""
    size = container.read(data).header_size
    header = bytearray(data[: size - 4])
    header[-13] = number << 4 | header[-13] & 15  # behind it: quality 2, tile size 1, stages 1, codebook id 8
    return bytes(header) + checksum(bytes(header)) + data[size:]


@pytest.fixture(scope="module")
def raster_models():
    return {name: imgcodec.load_model(str(GOLDEN / model["file"])) for name, model in RASTER["models"].items()}


@pytest.mark.parametrize("name", RASTER["models"])
def test_raster_models_are_the_frozen_ones(raster_models, name):
    entry = RASTER["models"][name]
    data = (GOLDEN / entry["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert raster_models[name].id.hex() == entry["id"]
    assert open_model(str(GOLDEN / entry["file"])).config["profile"] == name
    assert len(data) < 150_000


@pytest.mark.parametrize("name", RASTER["files"])
def test_golden_raster_files_decode_and_are_written_again(raster_models, name):
    entry, data = RASTER["files"][name], (GOLDEN / f"{name}.nic").read_bytes()
    model = raster_models[entry["model"]]
    assert len(data) == entry["bytes"]
    tokens = model.read_tokens(data)
    assert (tokens.header.width, tokens.header.height) == (entry["width"], entry["height"])
    assert tokens.sha256() == entry["tokens_sha256"]
    # When these files were made, each model had a profile of its own. Of these numbers only that of `snac` is written
    # today, for all; so one byte of the header may be another, and its checksum. The rest is the same to the byte.
    assert model.write_tokens(tokens) == with_profile(data, Profile.RASTER)
    assert (with_profile(data, Profile.RASTER) == data) == (entry["model"] == "snac")
    difference_of(model.decompress(data), name, entry["mode"])


@pytest.mark.parametrize("number", RETIRED_PROFILES)
def test_files_with_a_retired_profile_number_decode(raster_models, number):
    """2 among them, of which there is no golden file."""
    entry = RASTER["files"]["bsq-odd-size"]
    data = with_profile((GOLDEN / "bsq-odd-size.nic").read_bytes(), number)
    tokens = raster_models["bsq"].read_tokens(data)
    assert tokens.header.profile == Profile.RASTER
    assert tokens.sha256() == entry["tokens_sha256"]
    difference_of(raster_models["bsq"].decompress(data), "bsq-odd-size", entry["mode"])


# The profile semantic


@pytest.fixture(scope="module")
def semantic_codec():
    return with_drawing(load_codec(GOLDEN / SEMANTIC["model"]["file"]), DrawingOptions(steps=5))


def test_the_semantic_model_is_the_frozen_one(semantic_codec):
    data = (GOLDEN / SEMANTIC["model"]["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == SEMANTIC["model"]["sha256"]
    assert semantic_codec.id.hex() == SEMANTIC["model"]["id"]
    assert len(data) < 200_000


@pytest.mark.parametrize("name", SEMANTIC["files"])
def test_golden_vectors_are_read_to_the_bit_and_written_again(semantic_codec, tiny_codec, name):
    """Pictures that are drawn are nearly the same everywhere; how nearly, nobody promises."""
    entry, data = SEMANTIC["files"][name], (GOLDEN / f"{name}.nic").read_bytes()
    file = container.read(data)
    assert (len(data), file.header.width, file.header.height) == (entry["bytes"], entry["width"], entry["height"])
    levels = semantic_codec.read_features(file)
    assert hashlib.sha256(levels.astype("<i2").tobytes()).hexdigest() == entry["levels_sha256"]
    vector = semantic_codec.vectors(levels[None]).astype("<f4")
    assert hashlib.sha256(vector.tobytes()).hexdigest() == entry["vector_sha256"]
    is_photo = entry["model"] == "tiny"
    stream = next(s.data for s in file.sections if s.type == (SectionType.FEATURES if is_photo else SectionType.TOKENS))
    assert stream == (semantic_codec.id if is_photo else b"") + semantic_codec.prior.write(levels)
    found = decode_picture(tiny_codec if is_photo else semantic_codec, file).pixels
    difference = np.abs(found.astype(int) - np.asarray(Image.open(GOLDEN / f"{name}.png"), int))
    assert difference.max() <= 1 if is_photo else difference.mean() < 2


@pytest.mark.parametrize("name", EXACT["files"])
def test_golden_exact_files_have_their_samples(name):
    """What is written today may be smaller; what was written decodes to the bit."""
    entry, data = EXACT["files"][name], (GOLDEN / f"{name}.nic").read_bytes()
    assert len(data) == entry["bytes"]
    tokens = imgcodec.read_tokens(data)
    assert tokens.sha256() == entry["samples_sha256"]
    assert imgcodec.read_tokens(imgcodec.write_tokens(tokens)).sha256() == entry["samples_sha256"]
    assert imgcodec.decompress(data).size == (tokens.header.width, tokens.header.height)


def test_the_golden_file_with_exact_blocks_shows_them(tiny_model):
    entry, data = EXACT["exact-blocks"], (GOLDEN / "exact-blocks.nic").read_bytes()
    assert len(data) == entry["bytes"]
    (blocks,) = blocks_of(container.read(data))
    assert hashlib.sha256(blocks.pixels.tobytes()).hexdigest() == entry["pixels_sha256"]
    shown = np.asarray(tiny_model.decompress(data))
    np.testing.assert_array_equal(shown[64:128, :64], blocks.pixels)
