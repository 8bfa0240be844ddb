"""The whole codec, with the small model of the golden files: pictures, bytes, tokens, and every refusal."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from two_tunes import save_two_tunes

import imgcodec
from imgcodec import CodecError, InvalidFileError, ModelNotFoundError, Tokens, UsageError
from imgcodec.bitstream import container
from imgcodec.bitstream.header import ColourMode, Profile
from imgcodec.bitstream.sections import SectionType
from imgcodec.model_file import find

ROOT = Path(__file__).parent.parent
TINY = ROOT / "tests" / "golden" / "tiny.safetensors"


@pytest.fixture(scope="module")
def photograph():
    return np.asarray(Image.open(ROOT / "examples" / "photo.png").convert("RGB"))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The tiny model as the only installed one, under the name `photo`."""
    shutil.copy(TINY, tmp_path / "photo.safetensors")
    monkeypatch.setattr("imgcodec.model_file.find.resources.files", lambda _: tmp_path)
    return tmp_path


def psnr(a, b):
    return -10 * np.log10(np.square(np.asarray(a, float) - np.asarray(b, float)).mean() / 255**2)


# Pictures


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (65, 1), (64, 64), (33, 100), (129, 257)])
def test_any_size_comes_back(tiny_model, photograph, size):
    pixels = photograph[: size[0], : size[1]]
    data = tiny_model.compress(pixels, 80)
    back = tiny_model.decompress(data)
    assert isinstance(data, bytes)
    assert isinstance(back, Image.Image)
    assert (back.height, back.width, back.mode) == (*size, "RGB")
    assert psnr(back, pixels) > 20
    assert np.array_equal(np.asarray(back), np.asarray(tiny_model.decompress(data)))


@given(height=st.integers(1, 90), width=st.integers(1, 90), quality=st.floats(0, 100))
@settings(max_examples=10)
def test_what_is_decoded_is_what_was_chosen(tiny_model, photograph, height, width, quality):
    pixels = photograph[200 : 200 + height, 300 : 300 + width]
    data = tiny_model.compress(pixels, quality)
    tokens, read = tiny_model.tokenize(pixels, quality), tiny_model.read_tokens(data)
    assert read.header == tokens.header
    assert all(np.array_equal(a, b) for a, b in zip(read.stages, tokens.stages, strict=True))
    assert tiny_model.write_tokens(read) == data
    assert np.array_equal(np.asarray(tiny_model.decompress(data)), tiny_model.detokenize(tokens))


def test_arrays_and_pil_images_are_the_same(tiny_model, photograph):
    pixels = photograph[:50, :60]
    assert tiny_model.compress(pixels) == tiny_model.compress(Image.fromarray(pixels), 50)


def test_gray_pictures_stay_gray(tiny_model, photograph):
    gray = Image.fromarray(photograph[:50, :60]).convert("L")
    data = tiny_model.compress(gray)
    assert container.read(data).header.colour_mode == ColourMode.GRAY
    assert tiny_model.decompress(data).mode == "L"


def test_alpha_comes_back_exactly(tiny_model, photograph):
    picture = Image.fromarray(photograph[:50, :60])
    alpha = Image.linear_gradient("L").resize(picture.size)
    picture.putalpha(alpha)
    back = tiny_model.decompress(tiny_model.compress(picture))
    assert back.mode == "RGBA"
    assert np.array_equal(np.asarray(back.getchannel("A")), np.asarray(alpha))


@pytest.mark.parametrize(("quality", "stored"), [(0, 0), (37.5, 9600), (100, 25600), (50.001, 12800)])
def test_quality_is_stored_in_256ths(tiny_model, photograph, quality, stored):
    assert tiny_model.tokenize(photograph[:9, :9], quality).header.quality == stored


def test_more_quality_is_more_bytes_and_a_better_picture(tiny_model, photograph):
    pixels = photograph[100:356, 200:456]
    files = [tiny_model.compress(pixels, quality) for quality in (0, 50, 100)]
    sizes, fidelity = [len(f) for f in files], [psnr(tiny_model.decompress(f), pixels) for f in files]
    assert sizes == sorted(sizes)
    assert fidelity == sorted(fidelity)


def test_the_first_stage_is_a_preview(tiny_model, photograph):
    pixels = photograph[100:300, 200:456]
    tokens = tiny_model.tokenize(pixels, 90)
    preview = tiny_model.detokenize(Tokens(tokens.header, tokens.stages[:1]))
    assert preview.shape == pixels.shape
    assert 10 < psnr(preview, pixels) < psnr(tiny_model.detokenize(tokens), pixels)


def test_coding_leaves_torch_as_it_was(tiny_model, photograph):
    with torch.enable_grad():
        tiny_model.decompress(tiny_model.compress(photograph[:9, :9]))
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


# Tokens


def test_the_hash_of_tokens_is_of_shapes_and_values(tiny_model, photograph):
    tokens = tiny_model.tokenize(photograph[:70, :50])
    said = b""
    for stage in tokens.stages:
        said += b"".join(n.to_bytes(4, "little") for n in stage.shape)
        said += b"".join(int(n).to_bytes(2, "little") for n in stage.ravel())
    assert tokens.sha256() == hashlib.sha256(said).hexdigest()


def random_tokens(tiny_model, width, height, seed=1):
    """A header of a picture, and tokens that need not be of any."""
    rng = np.random.default_rng(seed)
    header = tiny_model.tokenize(np.zeros((height, width, 3), np.uint8), 70).header
    shapes = [(groups, -(-height // stride), -(-width // stride)) for groups, stride in ((4, 64), (6, 16))]
    return Tokens(header, [rng.integers(0, 511, shape).astype(np.int16) for shape in shapes])


@pytest.mark.parametrize("size", [(1, 1), (70, 130), (1030, 20), (1100, 1050)])
def test_tokens_that_no_picture_has_come_back(tiny_model, size):
    tokens = random_tokens(tiny_model, *size)
    assert tiny_model.read_tokens(tiny_model.write_tokens(tokens)).sha256() == tokens.sha256()


def test_tiles_know_nothing_of_each_other(tiny_model):
    tokens = random_tokens(tiny_model, 2100, 60)
    before = container.read(tiny_model.write_tokens(tokens)).tokens()
    assert tokens.header.tile_count == 3
    for stage in tokens.stages:
        stage[:, :, stage.shape[2] // 2] = 255  # in the middle of the middle tile
    after = container.read(tiny_model.write_tokens(tokens)).tokens()
    changed = [index for index in range(6) if before[index] != after[index]]
    assert changed == [1, 4]


# The functions of the package


def test_functions_find_the_model_that_a_file_asks_for(installed, tiny_model, photograph):
    pixels = photograph[:40, :50]
    data = imgcodec.compress(pixels, quality=30)
    assert data == tiny_model.compress(pixels, 30)
    assert np.array_equal(np.asarray(imgcodec.decompress(data)), np.asarray(tiny_model.decompress(data)))
    tokens = imgcodec.read_tokens(data)
    assert tokens.sha256() == tiny_model.read_tokens(data).sha256()
    assert imgcodec.write_tokens(tokens) == data
    assert imgcodec.load_model("photo").id == tiny_model.id


def test_a_model_file_is_read_once_until_another_is_put_in_its_place(installed, photograph, monkeypatch):
    reads = []
    real = find.deserialize
    monkeypatch.setattr(find, "deserialize", lambda data: reads.append(len(data)) or real(data))
    data = imgcodec.compress(photograph[:20, :30], quality=40)
    for _ in range(3):
        imgcodec.decompress(data)
        imgcodec.read_tokens(data)
        imgcodec.recover(data)
    assert len(reads) == 1

    save_two_tunes(installed / "other.safetensors")
    (installed / "other.safetensors").replace(installed / "photo.safetensors")
    again = imgcodec.compress(photograph[:20, :30], quality=40)
    assert container.read(again).header.codebook_id != container.read(data).header.codebook_id
    assert imgcodec.decompress(again).size == (30, 20)
    with pytest.raises(ModelNotFoundError, match="not installed"):
        imgcodec.decompress(data)


def test_files_of_a_model_that_is_not_installed(installed, tiny_model, photograph):
    tokens = tiny_model.tokenize(photograph[:9, :9])
    strange = Tokens(replace(tokens.header, codebook_id=bytes(8)), tokens.stages)
    sections = container.read(tiny_model.write_tokens(tokens)).sections
    data = container.write(strange.header, sections)
    for call in (imgcodec.decompress, imgcodec.read_tokens, tiny_model.decompress, tiny_model.read_tokens):
        with pytest.raises(ModelNotFoundError, match="0000000000000000"):
            call(data)
    with pytest.raises(ModelNotFoundError):
        imgcodec.write_tokens(strange)
    with pytest.raises(UsageError, match="another model"):
        tiny_model.write_tokens(strange)
    with pytest.raises(ModelNotFoundError, match="not installed"):
        imgcodec.compress(photograph[:9, :9], model="vector")


# Refusals


@pytest.mark.parametrize("quality", [-0.1, 100.5, float("nan"), float("inf")])
def test_qualities_out_of_range(tiny_model, photograph, quality):
    with pytest.raises(UsageError, match="between 0 and 100"):
        tiny_model.compress(photograph[:9, :9], quality)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 4), np.uint8),
        np.zeros((9, 9, 3), np.float32),
        np.zeros((0, 9, 3), np.uint8),
        np.zeros((1, 9, 9, 3), np.uint8),
    ],
)
def test_arrays_that_are_no_pictures(tiny_model, pixels):
    with pytest.raises(UsageError, match="uint8 array"):
        tiny_model.compress(pixels)


def test_tokens_that_do_not_fit_their_header(tiny_model):
    tokens = random_tokens(tiny_model, 70, 50)
    coarse, fine = tokens.stages
    for stages in ([coarse], [coarse, fine[:, :-1]], [fine, coarse], [coarse[:3], fine]):
        with pytest.raises(UsageError, match="shapes"):
            tiny_model.write_tokens(Tokens(tokens.header, stages))
    for value in (-1, 511):
        with pytest.raises(UsageError, match="511 codes"):
            tiny_model.write_tokens(
                Tokens(tokens.header, [coarse, np.where(fine == fine[0, 0, 0], value, fine).astype(np.int16)])
            )


@pytest.mark.parametrize("change", [{"profile": Profile.RASTER}, {"stage_count": 1}])
def test_files_of_other_codecs(tiny_model, photograph, change):
    file = container.read(tiny_model.compress(photograph[:9, :9]))
    header = replace(file.header, **change)
    data = container.write(header, file.sections[: header.stage_count])
    with pytest.raises(InvalidFileError):
        tiny_model.decompress(data)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x8fNIC\r\n\x1a\n\x02", bytes(1000)])
def test_files_that_are_none(tiny_model, data):
    for call in (tiny_model.decompress, tiny_model.read_tokens, imgcodec.decompress, imgcodec.read_tokens):
        with pytest.raises(InvalidFileError):
            call(data)


@given(st.lists(st.binary(max_size=50), min_size=2, max_size=2))
@settings(max_examples=30)
def test_tokens_made_of_garbage(tiny_model, photograph, garbage):
    file = container.read(tiny_model.compress(photograph[:70, :90]))
    sections = [replace(s, data=d) for s, d in zip(file.sections, garbage, strict=True)]
    assert all(s.type == SectionType.TOKENS for s in sections)
    try:
        picture = tiny_model.decompress(container.write(file.header, sections))
    except CodecError:
        return
    assert picture.size == (90, 70)
