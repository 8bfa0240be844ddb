"""The profile `raster`: every pair of tokenizer and prior makes files, and reads its own exactly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_pictures import PHOTOGRAPH
from numpy.typing import NDArray
from PIL import Image
from raster_models import PAIRS, small_model

import imgcodec
from imgcodec import Model
from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.bitstream.header import Profile, Tune, write_header
from imgcodec.codec import detokenize, load_codec, tokenize
from imgcodec.model_file.model import save_model
from imgcodec.tokens import TokenCodec, Tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def path(request: pytest.FixtureRequest, folder: Path) -> Path:
    path = folder / ("-".join(request.param) + ".safetensors")
    save_model(path, *small_model(*request.param))
    return path


@pytest.fixture(scope="module")
def model(path: Path) -> Model:
    return imgcodec.load_model(path)


@pytest.fixture(scope="module")
def codec(path: Path) -> TokenCodec:
    return load_codec(path)


def photograph(width: int, height: int) -> NDArray[np.uint8]:
    whole = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))
    return np.ascontiguousarray(whole[40 : 40 + height, 30 : 30 + width])


def test_written_tokens_are_read_back_and_decode_as_they_did(model: Model, codec: TokenCodec) -> None:
    pixels = photograph(270, 60)
    data = model.compress(pixels)
    tokens = tokenize(codec, pixels)
    assert model.read_tokens(data).sha256() == tokens.sha256()
    assert model.write_tokens(tokens) == data
    decoded = np.asarray(model.decompress(data))
    assert decoded.shape == pixels.shape
    assert np.array_equal(decoded, detokenize(codec, tokens))


@pytest.mark.parametrize("size", [(1, 1), (3, 257), (256, 16)])
def test_pictures_of_any_size_are_decoded(model: Model, size: tuple[int, int]) -> None:
    assert model.decompress(model.compress(photograph(*size))).size == size


@pytest.mark.slow
def test_a_whole_photograph_is_compressed_and_decoded(model: Model, codec: TokenCodec) -> None:
    pixels = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))
    data = model.compress(pixels)
    assert model.read_tokens(data).sha256() == tokenize(codec, pixels).sha256()
    assert model.decompress(data).size == (pixels.shape[1], pixels.shape[0])


def test_alpha_is_kept(model: Model) -> None:
    picture = Image.fromarray(photograph(40, 30))
    picture.putalpha(Image.linear_gradient("L").resize((40, 30)))
    back = model.decompress(model.compress(picture))
    assert back.mode == "RGBA"
    assert np.array_equal(back.getchannel("A"), picture.getchannel("A"))


def test_qualities_and_tunes_are_refused(model: Model) -> None:
    assert not model.has_qualities
    with pytest.raises(UsageError, match="one rate"):
        model.compress(photograph(20, 20), quality=50)
    with pytest.raises(UsageError, match="no tune"):
        model.compress(photograph(20, 20), tune="visual")
    with pytest.raises(UsageError, match="it takes no tune"):
        model.compress(photograph(20, 20), tune="psnr")


def test_pictures_are_decoded_at_the_scales_of_the_model(model: Model, codec: TokenCodec) -> None:
    pixels = photograph(50, 40)
    data = model.compress(pixels)
    for scale in (1, 2, 4):
        if scale in codec.scales:
            assert model.decompress(data, scale=scale).size == (50 * scale, 40 * scale)
        else:
            with pytest.raises(UsageError, match="scale"):
                model.decompress(data, scale=scale)


def test_damage_costs_only_its_tile(model: Model) -> None:
    pixels = photograph(300, 40)
    data = bytearray(model.compress(pixels))
    file = container.read(bytes(data))
    last = max(entry.offset + entry.size for entry in file.entries if entry.name == "tokens")
    data[last - 5] ^= 1
    with pytest.raises(InvalidFileError):
        model.decompress(bytes(data))
    found = model.recover(bytes(data))
    assert found.is_damaged
    whole = np.asarray(model.decompress(bytes(model.compress(pixels))))
    assert np.array_equal(found.picture.pixels[:, :96], whole[:, :96])


def test_tokens_beyond_the_codebook_are_refused(model: Model, codec: TokenCodec) -> None:
    tokens = tokenize(codec, photograph(30, 30))
    wrong = [stage.copy() for stage in tokens.stages]
    wrong[-1][0, 0, 0] = 10**6
    with pytest.raises(UsageError, match="indices"):
        model.write_tokens(Tokens(tokens.header, wrong))
    sections = container.read(model.write_tokens(tokens)).sections
    with pytest.raises(InvalidFileError, match="tiles"):
        model.decompress(container.write(replace(tokens.header, tile_size=512), sections))


def test_samples_depend_on_the_seed_alone(model: Model) -> None:
    first, again, other = (model.generate(2, size=(64, 48), seed=seed) for seed in (1, 1, 2))
    assert model.decode(first, shape=(48, 64)).shape == (2, 3, 48, 64)
    assert all(torch.equal(*stages) for stages in zip(first, again, strict=True))
    assert not all(torch.equal(*stages) for stages in zip(first, other, strict=True))
    assert not torch.equal(first[-1][0], first[-1][1])
    with pytest.raises(UsageError, match="256"):
        model.generate(1, size=(300, 20))


def test_samples_keep_the_rows_of_a_prefix(model: Model) -> None:
    pixels = photograph(256, 256)
    given = model.encode(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255)
    kept, other = (model.generate(1, prefix=pixels, prefix_rows=4, seed=seed) for seed in (1, 2))
    for stage, of_picture, of_other in zip(kept, given, other, strict=True):
        rows = -(-4 * stage.shape[1] // kept[-1].shape[1])
        assert torch.equal(stage[:, :rows], of_picture[:, :rows])
        assert torch.equal(of_other[:, :rows], of_picture[:, :rows])
    assert not torch.equal(kept[-1], other[-1])
    with pytest.raises(UsageError, match="rows"):
        model.generate(1, prefix=pixels, prefix_rows=999)


def test_headers_of_other_files_are_refused(model: Model, codec: TokenCodec) -> None:
    data = model.compress(photograph(30, 30))
    file = container.read(data)
    for lie in ({"profile": Profile.PHOTO, "tile_size": 0}, {"tile_size": 512}, {"tune": Tune.VISUAL}):
        changed = replace(file.header, **lie)  # type: ignore[arg-type]
        if changed.profile == Profile.PHOTO and changed.stage_count != 2:
            changed = replace(changed, stage_count=2)
        lying = write_header(changed) + data[file.header_size :]
        for read in (model.decompress, model.recover):
            with pytest.raises(InvalidFileError):
                read(lying)
        with pytest.raises(CodecError):
            model.write_tokens(Tokens(changed, tokenize(codec, photograph(30, 30)).stages))


def test_values_out_of_range_are_usage_errors(model: Model) -> None:
    for wrong in (
        {"count": 0},
        {"count": 1, "seed": 2**70},
        {"count": 1, "temperature": -1.0},
        {"count": 1, "top_k": -1},
        {"count": 1, "temperature": "hot"},
        {"count": 1, "size": 16},
        {"count": 1.5},
    ):
        with pytest.raises(UsageError):
            model.generate(**wrong)  # type: ignore[arg-type]
    assert len(model.generate(1, size=(16, 16), temperature=1e-308)[0]) == 1


def test_photo_does_not_generate(tiny_model: Model) -> None:
    with pytest.raises(UsageError, match="does not generate"):
        tiny_model.generate(1)
