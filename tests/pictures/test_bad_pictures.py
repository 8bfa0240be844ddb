"""Pictures that are damaged, hostile, too large or none: each gives an error of ours, or a picture."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pictures import colours, file_of, png_chunk
from PIL import Image, ImageCms

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.pictures import io as image


class TestBadInput:
    @pytest.mark.parametrize("data", [b"", b"\0", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
    def test_bytes_that_are_no_image_are_refused(self, data: bytes) -> None:
        with pytest.raises(InvalidFileError):
            image.load(data)

    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM"])
    @settings(max_examples=30)
    @given(cut=st.floats(0.02, 0.95))
    def test_truncated_files_are_refused(self, format: str, cut: float) -> None:
        data = file_of(Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)), format)
        with pytest.raises(InvalidFileError):
            image.load(data[: int(len(data) * cut)])

    @settings(max_examples=100, deadline=None)
    @given(
        format=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "QOI"]),
        place=st.floats(0, 1, exclude_max=True),
        value=st.integers(0, 255),
    )
    def test_one_changed_byte_gives_a_picture_or_one_error(self, format: str, place: float, value: int) -> None:
        data = bytearray(file_of(Image.fromarray(colours()), format))
        data[int(place * len(data))] = value
        try:
            picture = image.load(bytes(data), max_pixels=2**20)
        except InvalidFileError:
            return
        assert picture.width * picture.height <= 2**20

    def test_too_many_pixels_are_refused_before_they_are_decoded(self) -> None:
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0))
        with pytest.raises(InvalidFileError, match="over the limit of 268435456 pixels"):
            image.load(b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""))
        extended = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff\xff\x0f\0"
        with pytest.raises(InvalidFileError, match="16777216 x 4096 pixels is over"):
            image.load(b"RIFF" + struct.pack("<I", 4 + len(extended)) + b"WEBP" + extended)

    def test_the_limit_on_pixels_is_exact(self) -> None:
        data = file_of(Image.new("1", (100, 100)))
        assert image.load(data, max_pixels=10000).width == 100
        with pytest.raises(InvalidFileError):
            image.load(data, max_pixels=9999)

    def test_missing_files_and_directories_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CodecError, match="There is no file"):
            image.load(tmp_path / "none.png")
        with pytest.raises(InvalidFileError, match="is a folder"):
            image.load(tmp_path)

    @pytest.mark.parametrize(
        "array",
        [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3)), np.zeros(4, np.uint8), np.zeros((4, 4, 3), np.int8)],
    )
    def test_arrays_of_other_types_and_shapes_are_refused(self, array: np.ndarray) -> None:
        with pytest.raises(UsageError, match="uint8"):
            image.load(array)

    @pytest.mark.parametrize("source", [None, 7, [[1, 2]], {"a": 1}])
    def test_objects_of_other_types_are_refused(self, source: object) -> None:
        with pytest.raises(UsageError, match=rf"^A picture is a path, .* not of the type {type(source).__name__}\.$"):
            image.load(source)  # type: ignore[arg-type]

    def test_a_file_that_is_open_as_text_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("text")
        with (tmp_path / "a.txt").open() as file, pytest.raises(UsageError, match="binary mode"):
            image.load(file)  # type: ignore[arg-type]

    def test_a_closed_file_is_refused(self) -> None:
        file = io.BytesIO(b"x")
        file.close()
        with pytest.raises(InvalidFileError, match="cannot be read"):
            image.load(file)

    @pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (0, 0)])
    def test_arrays_without_pixels_are_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(InvalidFileError, match="no pixels"):
            image.load(np.zeros(shape, np.uint8))

    def test_a_pil_image_of_a_damaged_file_is_refused(self) -> None:
        data = file_of(Image.fromarray(colours(64, 64)))
        with pytest.raises(InvalidFileError, match="cannot be decoded"):
            image.load(Image.open(io.BytesIO(data[: len(data) // 2])))

    @pytest.mark.parametrize("read", [image.load, image.is_image])
    def test_too_little_memory_says_nothing_of_the_file(self, read: Callable[[bytes], object], monkeypatch) -> None:
        monkeypatch.setattr(Image, "open", lacking_memory)
        with pytest.raises(MemoryError):
            read(file_of(Image.fromarray(colours(8, 8))))

    def test_too_little_memory_changes_no_colours(self, monkeypatch) -> None:
        monkeypatch.setattr(ImageCms, "profileToProfile", lacking_memory)
        with pytest.raises(MemoryError):
            image.load(Image.new("LAB", (8, 8)))


def lacking_memory(*_: object, **__: object) -> None:
    raise MemoryError
