"""Pillow's plugins with libraries of their own, where memory is short and where Pillow has none."""

from collections.abc import Iterator

import pytest
from PIL import Image

from imgcodec.exact import plugins


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    plugins.load_plugin.cache_clear()
    yield
    plugins.load_plugin.cache_clear()


def test_a_library_that_finds_no_memory_is_no_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def without_memory(name: str) -> None:
        asked.append(name)
        raise ImportError("libwebp.so.7: failed to map segment from shared object")

    monkeypatch.setattr(plugins, "import_module", without_memory)
    with pytest.raises(MemoryError, match="libwebp"):
        plugins.load_plugin("WEBP")
    assert asked == ["PIL._webp"]  # and not the plugin, which would remember that there is no library
    plugins.load_plugin("PNG")
    assert asked == ["PIL._webp"]


def test_a_pillow_without_a_library_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(plugins, "import_module", missing)
    plugins.load_plugin("AVIF")


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        (ValueError("encoding error 1"), MemoryError),
        (ValueError("encoding error 2"), MemoryError),
        (ValueError("encoding error 5: Image size exceeds WebP limit of 16383 pixels"), ValueError),
        (RuntimeError("Failed to encode image: Out of memory"), MemoryError),
        (RuntimeError("Failed to encode image: Encoding of color planes failed"), RuntimeError),
    ],
)
def test_encoders_that_find_no_memory_are_told_from_those_that_refuse(said, raised, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise said

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(raised):
        plugins.save(Image.new("RGB", (8, 8)), "WEBP")
