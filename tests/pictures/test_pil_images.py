"""PIL images as Pictures, and Pictures as PIL images."""

import numpy as np
import pytest
from made_pictures import colours, exif_of, file_of
from PIL import Image

from imgcodec.pictures import io as image
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.pil_images import from_image, to_pil


@pytest.mark.parametrize(("format", "several"), [("GIF", "frames"), ("WEBP", "frames"), ("TIFF", "pictures")])
def test_the_first_of_several_pictures_is_kept_with_a_note(format: str, several: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    data = file_of(
        frames[0],
        format,
        save_all=True,
        append_images=frames[1:],
        **({"lossless": True} if format == "WEBP" else {}),
    )
    picture = image.load(data)
    assert picture.pixels[0, 0].tolist() == [255, 0, 0]
    assert picture.notes == [f"only the first of its {several} is kept"]


@pytest.mark.parametrize(
    ("gray", "has_alpha", "mode"),
    [
        (False, False, "RGB"),
        (False, True, "RGBA"),
        (True, False, "L"),
        (True, True, "LA"),
    ],
)
def test_a_picture_comes_back_from_a_pil_image_with_its_metadata(gray: bool, has_alpha: bool, mode: str) -> None:
    pixels = np.repeat(colours()[..., :1], 3, axis=2) if gray else colours()
    alpha = colours()[..., 1] if has_alpha else None
    picture = Picture(pixels, alpha, exif=exif_of(1), gray=gray, density=(4000, 3000))
    made = to_pil(picture)
    assert made.mode == mode
    back = from_image(made, b"", None)
    assert np.array_equal(back.pixels, pixels)
    assert (back.alpha is None) == (alpha is None)
    assert alpha is None or np.array_equal(back.alpha, alpha)
    assert (back.gray, back.exif, back.density, back.notes) == (gray, picture.exif, picture.density, [])


def test_a_pil_image_is_turned_upright() -> None:
    made = Image.fromarray(colours())
    made.info["exif"] = b"Exif\0\0" + exif_of(6)
    assert np.array_equal(from_image(made, b"", None).pixels, np.rot90(colours(), -1))
