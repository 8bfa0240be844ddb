"""Pillow's own limit is off while we read, and as it was afterwards."""

import threading

import pytest
from made_pictures import colours, file_of
from PIL import Image

from imgcodec.pictures import io as image


@pytest.mark.filterwarnings("error")
def test_pillows_own_limit_neither_warns_nor_stays_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    data = {format: file_of(Image.fromarray(colours(50, 50)), format) for format in ("PNG", "TIFF", "WEBP", "GIF")}
    for format in data:
        assert image.load(data[format]).width == 50
    assert Image.MAX_IMAGE_PIXELS == 10


def test_several_threads_read_pictures_at_once() -> None:
    data, limit, widths = file_of(Image.fromarray(colours(300, 200))), Image.MAX_IMAGE_PIXELS, []
    threads = [threading.Thread(target=lambda: widths.append(image.load(data).width)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert widths == [300] * 8
    assert limit == Image.MAX_IMAGE_PIXELS
