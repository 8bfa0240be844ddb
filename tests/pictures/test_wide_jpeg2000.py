"""JPEG 2000 of more than 8 bits: white stays white.

The files were made by OpenJPEG's opj_compress from ramps of 8 x 2 samples that reach both ends: red and opacity x / 7,
green 1 - x / 7, blue y; gray x / 7 with opacity 1 - x / 7.
"""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.pictures import io as pictures
from imgcodec.pictures import wide_jpeg2000

REVERSIBLE_12 = base64.b64decode(
    "AAAADGpQICANCocKAAAAFGZ0eXBqcDIgAAAAAGpwMiAAAAAtanAyaAAAABZpaGRyAAAAAgAAAAgAAwsHAAAAAAAPY29scgEAAAAA"
    "ABAAAADXanAyY/9P/1EALwAAAAAACAAAAAIAAAAAAAAAAAAAAAgAAAACAAAAAAAAAAAAAwsBAQsBAQsBAf9SAAwAAAABAQAEBAAB"
    "/1wABEBg/2QAJQABQ3JlYXRlZCBieSBPcGVuSlBFRyB2ZXJzaW9uIDIuNS4w/5AACgAAAAAAXwAB/5PP5FwnwEPhRgKEA9zLQ8tM"
    "P9t7fe7l2BMCC9/gZAabjR7zqZyBxT67c5DCC8NDNjmMaXDJyWLf4GAIfKorcnzARVJ+B5uFCl1pPC5sKXWk8Ln/2Q=="
)
IRREVERSIBLE_16 = base64.b64decode(
    "/0//UQAvAAAAAAAIAAAAAgAAAAAAAAAAAAAACAAAAAIAAAAAAAAAAAADDwEBDwEBDwEB/1IADAAAAAEBAAQEAAD/XAAFQoAA/5AA"
    "CgAAAAAAewAB/5PH/gw+CycEFw7nPLhgwGfUsyQIwufMyshh05OPJjZ8G1X7O8/8MIQGm4z1C3BYxtGKR/YH6CwTg0LaYkTjdxIK"
    "5LBUcAckGp/P/DCECHyqK3J/E2gBpCeUey8FpCnLLneH16QyOLOxM2FLoskP/9k="
)
REVERSIBLE_ALPHA_16 = base64.b64decode(
    "/0//UQAyAAAAAAAIAAAAAgAAAAAAAAAAAAAACAAAAAIAAAAAAAAAAAAEDwEBDwEBDwEBDwEB/1IADAAAAAEBAAQEAAH/XAAEQID/"
    "kAAKAAAAAAChAAH/k8/8MIAnwEPhRgKEA9zLQ8tMP9t3TxFFdJ0x4tO1sw6XxwDGv9/4kQgGm40e86mcgcU+u3OQwgvDQzY5jGlw"
    "ycliy/pz+T5tH3/f+JD4CHyqK3J8wEVSfgebhQpdaTwubCl1pPC5sKXWk8Lof9/4kRgngTYc5vvBK8NPuGuDLMuEj57FG6lwkfPY"
    "o3UuEf8TM6Gy3//Z"
)
GRAY_ALPHA_16 = base64.b64decode(
    "/0//UQAsAAAAAAAIAAAAAgAAAAAAAAAAAAAACAAAAAIAAAAAAAAAAAACDwEBDwEB/1IADAAAAAEAAAQEAAH/XAAEQID/kAAKAAAA"
    "AABcAAH/k9/4kRgJPP5KJfdxeMPS2G/JHBU/2vVqowT3fterVRguEf8TM6RCv9/4kRgngTYc5vvBK8NPuGuDLMuEj57FG6lwkfPY"
    "o3UuEf8TM6Gy3//Z"
)

UP, DOWN = [0, 36, 73, 109, 146, 182, 219, 255], [255, 219, 182, 146, 109, 73, 36, 0]
BLUE = [[0] * 8, [255] * 8]


@pytest.mark.parametrize("data", [REVERSIBLE_12, IRREVERSIBLE_16, REVERSIBLE_ALPHA_16], ids=["5/3", "9/7", "alpha"])
@pytest.mark.parametrize("opened", [False, True])
def test_colours_reach_white(data: bytes, opened: bool) -> None:
    picture = pictures.load(Image.open(io.BytesIO(data)) if opened else data)
    wanted = np.dstack([np.broadcast_to(UP, (2, 8)), np.broadcast_to(DOWN, (2, 8)), BLUE])
    assert np.abs(picture.pixels.astype(int) - wanted).max() <= 1
    assert picture.bit_depth == (12 if data is REVERSIBLE_12 else 16)


def test_alpha_reaches_opaque() -> None:
    for data in (REVERSIBLE_ALPHA_16, GRAY_ALPHA_16):
        picture = pictures.load(data)
        assert picture.alpha is not None
        assert np.abs(picture.alpha.astype(int) - DOWN).max() <= 1
    assert picture.gray
    assert np.abs(picture.pixels[0, :, 0].astype(int) - UP).max() <= 1


def test_other_files_are_none_of_these() -> None:
    image = Image.new("RGB", (8, 8), "white")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG2000")
    assert not wide_jpeg2000.has_wide_colours(Image.open(io.BytesIO(buffer.getvalue())), buffer.getvalue())
    assert not wide_jpeg2000.has_wide_colours(image, b"")


@pytest.mark.parametrize("data", [REVERSIBLE_12, IRREVERSIBLE_16])
def test_every_cut_gives_a_picture_or_one_error(data: bytes) -> None:
    for end in range(len(data)):
        try:
            assert pictures.load(data[:end]).width == 8
        except InvalidFileError:
            continue
