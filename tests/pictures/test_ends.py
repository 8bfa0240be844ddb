"""Files that lack only their end are read with a word; those that lack more stay damaged."""

import io
import time

import numpy as np
import pytest
from made_pictures import colours, file_of
from PIL import Image

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.pictures import ends
from imgcodec.pictures import io as pictures

JPEGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "optimized": {"optimize": True},
    "restarts": {"restart_marker_rows": 1},
    "low quality": {"quality": 5},
}
CONTENTS = {
    "smooth": colours(64, 48),
    "flat": np.full((48, 64, 3), 128, np.uint8),
    "black": np.zeros((48, 64, 3), np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8),
}


class TestJPEG:
    @pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
    @pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
    def test_the_end_alone_may_be_missing(self, mode: str, content: np.ndarray, options: dict[str, object]) -> None:
        data = file_of(Image.fromarray(content).convert(mode), "JPEG", **options)
        whole = pictures.load(data)
        for cut in (1, 2):
            picture = pictures.load(data[:-cut])
            assert np.array_equal(picture.pixels, whole.pixels)
            assert picture.notes == [ends.NOTE, *whole.notes]

    @pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
    @pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
    def test_no_file_that_lacks_pixels_is_mended(self, content: np.ndarray, options: dict[str, object]) -> None:
        data = file_of(Image.fromarray(content), "JPEG", **options)
        whole = Image.open(io.BytesIO(data)).tobytes()
        refused = 0
        for cut in (3, 4, 5, 7, 10, 13, 17, 22, 30, 60, 100, 500):
            mended = ends.mended_jpeg(data[:-cut])
            if mended is None:
                refused += 1
            else:  # what is gone could not have changed a pixel
                assert Image.open(io.BytesIO(mended)).tobytes() == whole
        assert refused or content is not CONTENTS["noise"]

    def test_zeros_do_not_stand_for_pixels(self) -> None:
        data = file_of(Image.fromarray(CONTENTS["smooth"]), "JPEG")
        for cut in (20, 100):
            for padding in (16, 512, 4096):
                padded = data[:-cut] + bytes(padding)
                assert ends.mended_jpeg(padded) is None
                try:
                    notes = pictures.load(padded).notes
                except InvalidFileError:
                    continue
                assert notes == ["its file lacks its end, and some of the picture may be lost"]  # Pillow sees no damage

    def test_a_scan_that_is_missing_as_a_whole_is_missed(self) -> None:
        data = file_of(Image.fromarray(CONTENTS["smooth"]), "JPEG", progressive=True)
        for scans in range(1, data.count(b"\xff\xda")):
            start = -1
            for _ in range(scans + 1):
                start = data.index(b"\xff\xda", start + 1)
            tables = data.rfind(b"\xff\xc4", 0, start)  # of the scan that is cut away
            assert ends.mended_jpeg(data[:start]) is None
            assert ends.mended_jpeg(data[:tables]) is None

    def test_an_image_that_pillow_has_opened_is_mended(self) -> None:
        data = file_of(Image.fromarray(CONTENTS["smooth"]), "JPEG")
        picture = pictures.load(Image.open(io.BytesIO(data[:-2])))
        assert picture.notes == [ends.NOTE]

    @pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xda", b"\xff\xd8\xff\xc0\0\x08\x08", b"GIF89a"])
    def test_what_is_no_jpeg_is_not_mended(self, data: bytes) -> None:
        assert ends.mended_jpeg(data) is None


class TestOtherFormats:
    @pytest.mark.parametrize(("format", "cuts"), [("PNG", (1, 12, 15)), ("GIF", (1,)), ("QOI", (1, 8))])
    def test_a_missing_end_gets_a_word(self, format: str, cuts: tuple[int, ...]) -> None:
        data = file_of(Image.fromarray(colours()), format)
        whole = pictures.load(data)
        assert whole.notes == []
        for cut in cuts:
            picture = pictures.load(data[:-cut])
            assert np.array_equal(picture.pixels, whole.pixels)
            assert picture.notes == [ends.NOTE]

    @pytest.mark.parametrize("format", ["PNG", "GIF", "QOI"])
    def test_what_follows_the_end_is_not_looked_at(self, format: str) -> None:
        assert not ends.note(file_of(Image.fromarray(colours()), format) + b"\0trailer")

    def test_the_end_of_an_animation(self) -> None:
        frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
        data = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b"; \x3b ,")
        assert not ends.note(data)
        assert ends.note(data[:-1])

    @pytest.mark.parametrize("format", ["JPEG", "WEBP", "TIFF", "BMP", "PPM"])
    def test_other_formats_have_no_end_that_is_looked_for(self, format: str) -> None:
        assert not ends.note(file_of(Image.fromarray(colours()), format))


@pytest.mark.parametrize("filling", [b"\xff", b"\xff\0", b"\xff\xff\0", b"\xff\xe0\0\2", b"\xff\xda\0\2"])
def test_the_end_is_looked_for_in_linear_time(filling: bytes) -> None:
    begun = time.process_time()
    assert ends.mended_jpeg(b"\xff\xd8\xff\xda" + filling * (2**20 // len(filling))) is None
    assert ends.note(b"\xff\xd8" + filling * (2**20 // len(filling))) is not None
    assert time.process_time() - begun < 5
