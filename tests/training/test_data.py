"""Photographs to train on: read from shards and folders like all other pictures, and cut at random."""

import io
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imgcodec
from imgcodec.training.data import CropsOnDevice, centre_crop, load_photographs, random_crops


def test_data_from_shards_and_folders(folder: Path, tmp_path: Path) -> None:
    shard = tmp_path / "shard.tar"
    with tarfile.open(shard, "w") as tar:
        tar.add(folder / "0.png", "a/0.png")
        note = tarfile.TarInfo("a/note.txt")
        note.size = 3
        tar.addfile(note, io.BytesIO(b"abc"))
    assert len(load_photographs([shard, folder], 256)) == 11
    crops = random_crops(load_photographs([shard], 256), 128, 5, np.random.default_rng(0))
    assert crops.shape == (5, 3, 128, 128)
    assert crops.dtype == torch.uint8
    with pytest.raises(imgcodec.UsageError, match="no picture of at least 512"):
        load_photographs([folder], 512)


def test_damaged_data_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "half.png").write_bytes((folder / "0.png").read_bytes()[:3000])
    (tmp_path / "note.tar").write_bytes(b"not a tar file")
    with pytest.raises(imgcodec.UsageError, match=r"half\.png in .* is not a whole picture"):
        load_photographs([tmp_path], 16)
    with pytest.raises(imgcodec.UsageError, match="neither a folder nor a whole tar file"):
        load_photographs([tmp_path / "note.tar"], 16)


def test_pictures_to_train_on_are_read_like_all_others(tmp_path: Path) -> None:
    """With the same limits, formats and conversions: Pillow alone makes white of 16 bits, and has errors of its own."""
    Image.fromarray(np.full((20, 30), 20000, np.uint16)).save(tmp_path / "deep.png")
    (photograph,) = load_photographs([tmp_path], 16)
    assert photograph.shape == (20, 30, 3)
    assert set(photograph.ravel()) == {78}
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    for data in (bomb, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        (tmp_path / "hostile.png").write_bytes(data)
        with pytest.raises(imgcodec.UsageError, match=r"hostile\.png in .* is not a whole picture"):
            load_photographs([tmp_path], 16)


def test_crops_are_parts_of_photographs_and_half_of_them_mirrored() -> None:
    photograph = np.arange(30 * 40 * 3).reshape(30, 40, 3).astype(np.uint8)
    photograph[:, :, 0] = np.arange(40)  # the column
    crops = random_crops([photograph], 16, 200, np.random.default_rng(1))
    assert crops.is_contiguous(memory_format=torch.channels_last)
    steps = crops[:, 0, 0].int().diff(dim=1)
    assert set(steps.unique().tolist()) == {-1, 1}
    assert 60 < int((steps[:, 0] < 0).sum()) < 140
    for crop, step in zip(crops.permute(0, 2, 3, 1).numpy(), steps[:, 0], strict=True):
        left = int(crop[0, :, 0].min())
        columns = photograph[:, left : left + 16][:, :: int(step)]
        assert any(np.array_equal(columns[top : top + 16], crop) for top in range(15))
    assert torch.equal(crops, random_crops([photograph], 16, 200, np.random.default_rng(1)))


def test_crops_cut_on_a_device_are_the_same() -> None:
    rng = np.random.default_rng(1)
    photographs = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in ((30, 40), (16, 16), (50, 17))]
    on_device = CropsOnDevice(photographs, torch.device("cpu"))
    for size, batch in ((16, 50), (9, 3)):
        expected = random_crops(photographs, size, batch, np.random.default_rng(2))
        crops = on_device.random_crops(size, batch, np.random.default_rng(2))
        assert torch.equal(crops, expected)
        assert crops.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("shape", "expected"), [((600, 520), (512, 512)), ((300, 1000), (256, 512)), ((255, 512), (0, 512))]
)
def test_the_middle_of_a_picture_in_whole_multiples(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    middle = centre_crop(np.stack([rows, columns], 2), 512, 256)
    assert middle.shape[:2] == expected
    if middle.size:
        assert middle[0, 0].tolist() == [(n - m) // 2 for n, m in zip(shape, expected, strict=True)]
