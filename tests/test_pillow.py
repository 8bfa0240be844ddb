"""Pillow opens and saves .nic files, and so does what works through Pillow."""

import io
import subprocess
import sys
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from part_files import made_pixels
from PIL import Image, UnidentifiedImageError

import imgcodec
import imgcodec.pillow
from imgcodec import InvalidFileError, LossWarning, UsageError, parts
from imgcodec.codec import cached_codec

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def nic(tmp_path_factory) -> Path:
    """A file of the shipped model, with alpha, a profile and a density, of 400 x 260 pixels."""
    image = Image.fromarray(made_pixels(400, 260))
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.info["dpi"] = (300, 300)
    path = tmp_path_factory.mktemp("nic") / "photo.nic"
    path.write_bytes(imgcodec.compress(image, quality=20))
    return path


def test_opening_decodes_nothing_and_does_not_import_torch(nic):
    code = (
        "import sys, time, imgcodec.pillow; from PIL import Image; path = sys.argv[1]; Image.open(path).close();"
        "start = time.process_time(); image = Image.open(path); seconds = time.process_time() - start;"
        "print(image.size, image.mode, image.format, image.get_format_mimetype(), 'torch' in sys.modules, seconds)"
    )
    said = subprocess.run([sys.executable, "-c", code, nic], capture_output=True, check=True, text=True).stdout
    facts, seconds = said.rsplit(maxsplit=1)
    assert facts == "(400, 260) RGBA NIC image/x-nic False"
    assert float(seconds) < 0.005


def test_what_is_opened_is_what_decompress_gives(nic):
    expected = imgcodec.decompress(nic)
    for source in (nic, str(nic), io.BytesIO(nic.read_bytes())):
        with Image.open(source) as image:
            assert (image.size, image.mode, image.info) == (expected.size, expected.mode, expected.info)
            assert np.array_equal(np.asarray(image), np.asarray(expected))
            assert (image.size, image.mode) == (expected.size, expected.mode)
    assert round(expected.info["dpi"][0]) == 300


@pytest.mark.parametrize("name", ["gray", "everything", "two-tiles", "bsq-odd-size"])
def test_facts_of_golden_files_are_known_without_their_models(name):
    with Image.open(GOLDEN / f"{name}.nic") as image, Image.open(GOLDEN / f"{name}.png") as expected:
        assert (image.size, image.mode) == (expected.size, expected.mode)
        assert ("exif" in image.info, "icc_profile" in image.info) == (name == "everything",) * 2
        with pytest.raises(imgcodec.ModelNotFoundError):
            image.load()


def test_drafts_and_thumbnails_are_decoded_smaller(nic, monkeypatch):
    used = []
    reduced = parts.decode_reduced

    def counted(codec, data, reduction, most):
        used.append(reduction)
        return reduced(codec, data, reduction, most)

    monkeypatch.setattr(parts, "decode_reduced", counted)
    whole = imgcodec.decompress(nic)
    for size, reduction in (((6, 4), 64), ((20, 20), 16), ((50, 33), 8), ((40, 40), 8)):
        image = Image.open(nic)
        image.thumbnail(size)
        image.load()  # which it did not need where a reduction has the size
        shrunk = whole.copy()
        shrunk.thumbnail(size, reducing_gap=None)
        assert (image.size, image.mode, used.pop(), used) == (shrunk.size, "RGBA", reduction, [])
        colours = (np.asarray(i.convert("RGBa"), float) for i in (image, shrunk))
        assert np.abs(np.subtract(*colours)).mean() < 12
    image = Image.open(nic)
    assert image.draft("L", (25, 16)) == ("RGBA", (0, 0, 25, 16.25))
    assert image.size == (25, 17) == image.convert("RGBA").size
    assert used == [16]
    image = Image.open(nic)
    image.thumbnail((200, 200))
    assert (image.size, image.draft(None, (1, 1)), used) == ((200, 130), None, [16])


def test_images_are_saved_as_compress_makes_them(tmp_path):
    image = Image.fromarray(made_pixels(90, 60))
    image.info["dpi"] = (200, 200)
    path = tmp_path / "a.nic"
    image.save(path, quality=37.5, tune="psnr")
    assert path.read_bytes() == imgcodec.compress(image, quality=37.5, tune="psnr")
    block = Image.Exif()
    block[0x010F] = "maker"
    image.save(path, quality=10, exif=block, dpi=(100, 100), icc_profile=None, save_all=False)
    with Image.open(path) as back:
        assert (back.getexif()[0x010F], round(back.info["dpi"][0])) == ("maker", 100)
    assert image.info == {"dpi": (200, 200)}
    written = io.BytesIO()
    image.save(written, "NIC", model="bsq")
    assert imgcodec.info(written.getvalue()).model == "bsq"
    with pytest.raises(UsageError):
        image.save(tmp_path / "b.nic", quality=101)
    assert not (tmp_path / "b.nic").exists()
    with pytest.warns(LossWarning, match="profile"):
        image.save(path, icc_profile=b"no profile")


def test_saving_what_was_opened(nic, tmp_path):
    with Image.open(nic) as image:
        image.save(tmp_path / "again.nic", quality=20)
        image.convert("RGB").save(tmp_path / "again.jpg")
    with Image.open(tmp_path / "again.nic") as again:
        assert (again.size, again.mode) == ((400, 260), "RGBA")


def test_damaged_files_are_refused_as_pillow_refuses(nic):
    data = nic.read_bytes()
    for wrong in (data[:40], data[:-1], data[:20] + b"\xff" + data[21:]):
        with pytest.raises(OSError) as refused:  # noqa: PT011 - what callers of Pillow expect
            Image.open(io.BytesIO(wrong))
        assert isinstance(refused.value, InvalidFileError)
    inside = len(data) // 2
    image = Image.open(io.BytesIO(data[:inside] + bytes([data[inside] ^ 1]) + data[inside + 1 :]))
    with pytest.raises(UnidentifiedImageError, match="damaged"):
        image.load()


def test_the_limit_on_pixels_is_that_of_pillow(nic, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(nic)


def test_imageio_reads_and_writes_them(nic, tmp_path):
    pixels = imageio.imread(nic)
    assert np.array_equal(pixels, np.asarray(imgcodec.decompress(nic)))
    imageio.imwrite(tmp_path / "a.nic", pixels[..., :3], quality=30)
    assert imageio.improps(tmp_path / "a.nic").shape == (260, 400, 3)
    assert cached_codec("photo").name == imgcodec.info(tmp_path / "a.nic").model
