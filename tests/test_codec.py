"""The whole codec, with the small model of the golden files: pictures, bytes, tokens, and every refusal."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pictures import PHOTOGRAPH
from PIL import Image
from two_tunes import save_two_tunes

import imgcodec
from imgcodec import InvalidFileError, ModelNotFoundError, Tokens, UsageError
from imgcodec.bitstream import container
from imgcodec.bitstream.header import ColourMode, Profile
from imgcodec.codec import detokenize, tokenize
from imgcodec.model_file import find
from imgcodec.pictures import io as image

TINY = Path(__file__).parent / "golden" / "tiny.safetensors"


@pytest.fixture(scope="module")
def photograph():
    return np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The tiny model as the only installed one, under the name `photo`."""
    shutil.copy(TINY, tmp_path / "photo.safetensors")
    monkeypatch.setattr("imgcodec.model_file.find._folder", lambda: tmp_path)
    return tmp_path


def psnr(a, b):
    return -10 * np.log10(np.square(np.asarray(a, float) - np.asarray(b, float)).mean() / 255**2)


# Pictures


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (65, 1), (64, 64), (33, 100), (129, 257)])
def test_any_size_comes_back(tiny_model, photograph, size):
    pixels = photograph[: size[0], : size[1]]
    data = tiny_model.compress(pixels, quality=80)
    back = tiny_model.decompress(data)
    assert isinstance(data, bytes)
    assert isinstance(back, Image.Image)
    assert (back.height, back.width, back.mode) == (*size, "RGB")
    assert psnr(back, pixels) > 20
    assert np.array_equal(np.asarray(back), np.asarray(tiny_model.decompress(data)))


@given(height=st.integers(1, 90), width=st.integers(1, 90), quality=st.floats(0, 100))
@settings(max_examples=10)
def test_what_is_decoded_is_what_was_chosen(tiny_model, tiny_codec, photograph, height, width, quality):
    pixels = photograph[200 : 200 + height, 300 : 300 + width]
    data = tiny_model.compress(pixels, quality=quality, exact=False)
    tokens, read = tokenize(tiny_codec, pixels, quality), tiny_model.read_tokens(data)
    assert read.header == tokens.header
    assert all(np.array_equal(a, b) for a, b in zip(read.stages, tokens.stages, strict=True))
    assert tiny_model.write_tokens(read) == data
    assert np.array_equal(np.asarray(tiny_model.decompress(data)), detokenize(tiny_codec, tokens))


def test_arrays_and_pil_images_are_the_same(tiny_model, photograph):
    pixels = photograph[:50, :60]
    assert tiny_model.compress(pixels) == tiny_model.compress(Image.fromarray(pixels), quality=50)


def test_gray_pictures_stay_gray(tiny_model, photograph):
    gray = Image.fromarray(photograph[:50, :60]).convert("L")
    data = tiny_model.compress(gray)
    assert container.read(data).header.colour_mode == ColourMode.GRAY
    assert tiny_model.decompress(data).mode == "L"


@pytest.mark.parametrize("name", ["tiny", "bsq"])
def test_the_header_says_the_depth_of_the_original_and_decoding_minds_it_not(name):
    model = imgcodec.load_model(str(TINY.with_name(f"{name}.safetensors")))
    wide = Image.fromarray(np.arange(0, 65535, 257 * 2, dtype=np.uint16)[:120].reshape(10, 12))
    narrow = Image.fromarray(np.asarray(image.load(wide).pixels[..., 0]))
    data, same = (container.read(model.compress(picture, exact=False)) for picture in (wide, narrow))
    assert (data.header.bit_depth, same.header.bit_depth) == (16, 8)
    assert data.sections == same.sections
    pictures = [model.decompress(container.write(file.header, file.sections)) for file in (data, same)]
    assert np.array_equal(*map(np.asarray, pictures))


def test_alpha_comes_back_exactly(tiny_model, photograph):
    picture = Image.fromarray(photograph[:50, :60])
    alpha = Image.linear_gradient("L").resize(picture.size)
    picture.putalpha(alpha)
    back = tiny_model.decompress(tiny_model.compress(picture))
    assert back.mode == "RGBA"
    assert np.array_equal(np.asarray(back.getchannel("A")), np.asarray(alpha))


def test_more_quality_is_more_bytes_and_a_better_picture(tiny_model, photograph):
    pixels = photograph[100:356, 200:456]
    files = [tiny_model.compress(pixels, quality=quality) for quality in (0, 50, 100)]
    sizes, fidelity = [len(f) for f in files], [psnr(tiny_model.decompress(f), pixels) for f in files]
    assert sizes == sorted(sizes)
    assert fidelity == sorted(fidelity)


def test_coding_leaves_torch_as_it_was(tiny_model, photograph):
    with torch.enable_grad():
        tiny_model.decompress(tiny_model.compress(photograph[:9, :9], exact=False))
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


# The functions of the package


def test_functions_find_the_model_that_a_file_asks_for(installed, tiny_model, photograph):
    pixels = photograph[:40, :50]
    data = imgcodec.compress(pixels, quality=30)
    assert data == tiny_model.compress(pixels, quality=30)
    assert np.array_equal(np.asarray(imgcodec.decompress(data)), np.asarray(tiny_model.decompress(data)))
    tokens = imgcodec.read_tokens(data)
    assert tokens.sha256() == tiny_model.read_tokens(data).sha256()
    assert imgcodec.write_tokens(tokens) == data
    assert imgcodec.load_model("photo").id == tiny_model.id


def test_a_model_file_is_read_once_until_another_is_put_in_its_place(installed, photograph, monkeypatch):
    reads = []
    real = find.deserialize
    monkeypatch.setattr(find, "deserialize", lambda data: reads.append(len(data)) or real(data))
    data = imgcodec.compress(photograph[:20, :70], quality=40)
    for _ in range(3):
        imgcodec.decompress(data)
        imgcodec.read_tokens(data)
        imgcodec.recover(data)
    assert len(reads) == 1

    save_two_tunes(installed / "other.safetensors")
    (installed / "other.safetensors").replace(installed / "photo.safetensors")
    again = imgcodec.compress(photograph[:20, :70], quality=40)
    assert container.read(again).header.codebook_id != container.read(data).header.codebook_id
    assert imgcodec.decompress(again).size == (70, 20)
    with pytest.raises(ModelNotFoundError, match="not installed"):
        imgcodec.decompress(data)


def test_files_of_a_model_that_is_not_installed(installed, tiny_model, tiny_codec, photograph):
    tokens = tokenize(tiny_codec, photograph[:9, :9])
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


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((9, 9, 2), np.uint8),
        np.zeros((9, 9, 3), np.float32),
        np.zeros((3, 9, 9), np.uint8),
        np.zeros((1, 9, 9, 3), np.uint8),
    ],
)
def test_arrays_that_are_no_pictures(tiny_model, pixels):
    with pytest.raises(UsageError, match="A picture as an array is uint8"):
        tiny_model.compress(pixels)


@pytest.mark.parametrize("change", [{"profile": Profile.RASTER}, {"stage_count": 1}])
def test_files_of_other_codecs(tiny_model, photograph, change):
    file = container.read(tiny_model.compress(photograph[:9, :9], exact=False))
    header = replace(file.header, first_calls=0, **change)
    sections = [replace(section, stage=stage) for stage, section in enumerate(file.sections)]
    data = container.write(header, sections[: header.stage_count])
    with pytest.raises(InvalidFileError):
        tiny_model.decompress(data)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x8fNIC\r\n\x1a\n\x02", bytes(1000)])
def test_files_that_are_none(tiny_model, data):
    for call in (tiny_model.decompress, tiny_model.read_tokens, imgcodec.decompress, imgcodec.read_tokens):
        with pytest.raises(InvalidFileError):
            call(data)
