"""Effort: fewer bits and less distortion at the same quality, in files like all others."""

from pathlib import Path

import numpy as np
import pytest
import torch
from in_process import invoke_silent
from made_pictures import PHOTOGRAPH
from numpy.typing import NDArray
from PIL import Image
from two_tunes import save_two_tunes

import imgcodec
from imgcodec import Model
from imgcodec.bitstream import container
from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import Tune
from imgcodec.codec import load_codec, tokenize
from imgcodec.encoder import encode_picture
from imgcodec.metrics.reference import psnr
from imgcodec.pictures.picture import Picture
from imgcodec.profiles.photo.codec import PhotoCodec
from imgcodec.profiles.photo.refine import METRIC_TERMS, _Tile, floating_prior

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of both tunes."""
    path = tmp_path_factory.mktemp("refine") / "two.safetensors"
    save_two_tunes(path)
    return path


@pytest.fixture(scope="module")
def model(path: Path) -> Model:
    return imgcodec.load_model(path)


@pytest.fixture(scope="module")
def codec(path: Path) -> PhotoCodec:
    loaded = load_codec(path)
    assert isinstance(loaded, PhotoCodec)
    return loaded


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    with Image.open(PHOTOGRAPH) as image:
        return np.asarray(image.convert("RGB"))[:height, :width]


def tile_of(codec: PhotoCodec, pixels: NDArray[np.uint8], tune: str, index: int, quality: float) -> _Tile:
    photo, tokens = codec.photo.in_torch(), tokenize(codec, pixels, quality, tune)
    soft = floating_prior(photo)
    (_, values), _ = codec._latent(tokens.header, codec.analyse(pixels))
    return _Tile(photo, soft, tokens.header, tokens.header.tile_rectangle(index), tokens.stages, pixels, values)


@pytest.mark.parametrize("tune", ["psnr", "visual"])
@pytest.mark.parametrize("quality", [30, 80])
def test_bits_and_distortion_fall(codec: PhotoCodec, quality: float, tune: str) -> None:
    tile = tile_of(codec, photograph(170, 200), tune, 0, quality)
    before = tile.offer(tile.start).cost
    found = torch.from_numpy(tile.run(6).astype(np.float32) - tile.half)[None]
    assert tile.offer(found).cost < before


def test_bits_and_distortion_fall_in_real_files(model: Model, codec: PhotoCodec) -> None:
    pixels = photograph(200, 300)
    tile = tile_of(codec, pixels, "psnr", 0, 60)
    tile.offer(tile.start)  # which sets the weight of distortion
    [(_, decibel)] = tile.metrics
    costs = []
    for effort in (1, 4):
        data = model.compress(pixels, quality=60, tune="psnr", effort=effort)
        quality = psnr(pixels, np.asarray(model.decompress(data)))
        costs.append(8 * len(data) - tile.distortion_weight * decibel * quality)
    assert costs[1] < costs[0]


def test_the_rate_is_that_of_the_file(model: Model, codec: PhotoCodec) -> None:
    """Up to what floating point, logistic distributions and a container add."""
    pixels = photograph(256, 384)
    tile = tile_of(codec, pixels, "psnr", 0, 80)
    with torch.no_grad():
        bits, _ = tile.rate(tile.start)
    tokens = tokenize(codec, pixels, 80, "psnr")
    section = next(s for s in container.read(model.write_tokens(tokens)).sections if s.stage > 63)
    assert float(bits) == pytest.approx(8 * len(section.data), rel=0.1)


@pytest.mark.parametrize("tune", ["psnr", "visual"])
def test_a_tile_is_decoded_as_in_the_whole_picture(model: Model, codec: PhotoCodec, tune: str) -> None:
    """With what its neighbours put beyond its border."""
    pixels = np.concatenate([photograph(70, 512)] * 3, 1)[:, :1300]
    decoded = np.asarray(model.decompress(model.compress(pixels, quality=60, tune=tune))) / 255
    for index in (0, 1):
        tile = tile_of(codec, pixels, tune, index, 60)
        with torch.no_grad():
            found = tile.decode(tile.start)[0].permute(1, 2, 0).numpy()
        part = slice(1024 * index, 1024 * (index + 1))
        assert np.abs(found - decoded[:, part]).max() < 2 / 255  # rounding, and reduced precision


@pytest.mark.parametrize("size", [(1, 1), (3, 170), (165, 17), (170, 1030)])
def test_pictures_of_any_size_are_refined_and_decode(model: Model, codec: PhotoCodec, size: tuple[int, int]) -> None:
    pixels = np.tile(photograph(*size), (1, 3, 1))[: size[0], : size[1]]
    for tune in ("psnr", "visual"):
        data = encode_picture(codec, Picture(pixels), 50, tune=tune, effort=2, verify=True, exact=False).data
        assert model.decompress(data).size == (size[1], size[0])
        refined, plain = model.read_tokens(data), tokenize(codec, pixels, 50, tune)
        assert refined.header == plain.header
        assert np.array_equal(refined.stages[0], plain.stages[0])


@pytest.mark.parametrize(("size", "metrics"), [((161, 170), 3), ((160, 170), 2), ((8, 9), 2), ((7, 170), 1)])
def test_a_small_tile_has_the_metrics_that_it_is_large_enough_for(
    codec: PhotoCodec, size: tuple[int, int], metrics: int
) -> None:
    tile = tile_of(codec, photograph(*size), "visual", 0, 50)
    assert len(tile.metrics) == metrics
    rises = [m.rise(0.5) for m in METRIC_TERMS[Tune.VISUAL] if m.min_side <= min(size)]
    assert sum(share * rise for (_, share), rise in zip(tile.metrics, rises, strict=True)) == pytest.approx(1)
    before = tile.offer(tile.start).cost
    found = torch.from_numpy(tile.run(4).astype(np.float32) - tile.half)[None]
    assert tile.offer(found).cost <= before


def test_efforts_out_of_range_are_refused(model: Model) -> None:
    pixels = photograph(20, 20)
    for effort in (0, 10, 2.0, 2.5, "3", None):
        with pytest.raises(UsageError, match=r"^The effort is .*\.$"):
            model.compress(pixels, effort=effort)  # type: ignore[arg-type]
    assert model.compress(pixels, effort=np.int64(1)) == model.compress(pixels)
    raster = imgcodec.load_model(GOLDEN / "bsq.safetensors")
    assert raster.compress(pixels, effort=1)
    with pytest.raises(UsageError, match="no effort"):
        raster.compress(pixels, effort=2)


def test_the_option_effort(model: Model, tmp_path: Path) -> None:
    Image.fromarray(photograph(64, 96)).save(tmp_path / "a.png")
    model_path = tmp_path / "two.safetensors"
    save_two_tunes(model_path)
    command = ("compress", tmp_path / "a.png", "--model", model_path, "-f", "--tune", "psnr")
    assert invoke_silent(*command, "-o", tmp_path / "1.nic")[0] == 0
    assert invoke_silent(*command, "-o", tmp_path / "5.nic", "-e", 5)[0] == 0
    size = (tmp_path / "5.nic").stat().st_size
    assert invoke_silent(*command, "-o", tmp_path / "t.nic", "-e", 3, "--target-size", size)[0] == 0
    assert 0.98 * size <= (tmp_path / "t.nic").stat().st_size <= size
    wanted = model.compress(photograph(64, 96), tune="psnr", effort=5)
    assert model.read_tokens((tmp_path / "5.nic").read_bytes()).sha256() == model.read_tokens(wanted).sha256()
    assert (tmp_path / "1.nic").read_bytes() != (tmp_path / "5.nic").read_bytes()
    assert invoke_silent(*command, "-o", tmp_path / "x.nic", "-e", 10)[0] == 2


def test_effort_works_inside_inference_mode(model: Model, tmp_path: Path) -> None:
    pixels = photograph(64, 64)
    path = tmp_path / "two.safetensors"
    save_two_tunes(path)
    with torch.inference_mode():
        inside = imgcodec.load_model(path).compress(pixels, quality=60, tune="psnr", effort=2)
    assert inside == model.compress(pixels, quality=60, tune="psnr", effort=2)
