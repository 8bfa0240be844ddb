"""What all tests share: patience on busy machines, and a small model."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("imgcodec", deadline=None)
settings.load_profile("imgcodec")


@pytest.fixture(scope="session")
def tiny_model():
    """The frozen model of the golden files, loaded."""
    import imgcodec

    return imgcodec.load_model(str(Path(__file__).parent / "golden" / "tiny.safetensors"))
