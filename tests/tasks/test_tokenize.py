"""Pictures to tokens."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.codec import tokenize
from imgcodec.tasks.tokenize import TokenizeSettings, open_tokenizing

TINY = str(Path(__file__).parents[1] / "golden" / "tiny.safetensors")


def test_tokens_are_those_of_the_pixels_and_lost_transparency_is_told(tmp_path: Path) -> None:
    task = open_tokenizing(TokenizeSettings(TINY, 62.5, max_pixels=10**6))
    for mode, is_lost in (("RGB", False), ("RGBA", True)):
        Image.effect_noise((70, 50), 40).convert(mode).save(tmp_path / "a.png")
        found = task(tmp_path / "a.png")
        pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
        assert found.lost_alpha == is_lost
        assert found.tokens.sha256() == tokenize(task.codec, pixels, 62.5).sha256()
    with pytest.raises(InvalidFileError, match="over the limit"):
        open_tokenizing(TokenizeSettings(TINY, max_pixels=100))(tmp_path / "a.png")
    with pytest.raises(UsageError, match="must be between 0 and 100"):
        open_tokenizing(TokenizeSettings(TINY, 101))
