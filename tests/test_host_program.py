"""What a program has set for its own tensors changes nothing here, and nothing here changes what it has set."""

import hashlib
import io
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imgcodec

GOLDEN = Path(__file__).parent / "golden"
MODELS = ("tiny", "snac", "svqvae", "bsq", "pixelcnn")
PIXELS = np.clip(np.add.outer(np.arange(24) * 6, np.arange(32) * 3)[..., None] + [0, 20, 40], 0, 255).astype(np.uint8)


def everything(name: str) -> Iterator[bytes]:
    """Bytes of all that a model makes."""
    model = imgcodec.load_model(GOLDEN / f"{name}.safetensors")
    data = model.compress(PIXELS)
    yield data
    yield np.asarray(model.decompress(data)).tobytes()
    codes = model.encode(torch.from_numpy(PIXELS).permute(2, 0, 1)[None].to(torch.float32) / 255)
    yield model.decode(codes, shape=PIXELS.shape[:2]).numpy().tobytes()
    if model.has_qualities:
        for tune in model.tunes:
            yield model.compress(PIXELS, effort=2, tune=tune)
        yield model.compress(PIXELS, target_size=len(data))
    else:
        yield from (stage.numpy().tobytes() for stage in model.generate(1, size=(32, 24), seed=3))


def digest(name: str) -> str:
    return hashlib.sha256(b"".join(everything(name))).hexdigest()


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    return {name: digest(name) for name in MODELS}


@pytest.mark.parametrize(
    ("dtype", "name"),
    [*((torch.float64, name) for name in MODELS), (torch.float16, "tiny"), (torch.bfloat16, "tiny")],
    ids=str,
)
def test_default_dtype(expected: dict[str, str], name: str, dtype: torch.dtype) -> None:
    torch.set_default_dtype(dtype)
    try:
        assert digest(name) == expected[name]
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", MODELS)
def test_default_device(expected: dict[str, str], name: str) -> None:
    torch.set_default_device("meta")
    try:
        assert digest(name) == expected[name]
        assert torch.get_default_device() == torch.device("meta")
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize("name", ["tiny", "bsq"])
def test_gradients_and_deterministic_algorithms(expected: dict[str, str], name: str) -> None:
    torch.use_deterministic_algorithms(True)
    try:
        with torch.inference_mode():
            assert digest(name) == expected[name]
        with torch.set_grad_enabled(True):
            assert digest(name) == expected[name]
            assert torch.is_grad_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("name", MODELS)
def test_random_numbers_of_the_program_are_not_drawn(name: str) -> None:
    before = torch.get_rng_state(), random.getstate()
    digest(name)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_constants_are_made_where_the_defaults_are_others_already() -> None:
    """Tables of the module are made when it is imported, which may be later."""
    import importlib

    from imgcodec.priors.integer import exact, exact_causal

    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        for module, names in ((exact, ("EXPONENTIALS", "CURVE")), (exact_causal, ("GATES",))):
            spec = importlib.util.find_spec(module.__name__)
            fresh = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(fresh)
            for name in names:
                assert torch.equal(getattr(fresh, name), getattr(module, name))
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)


def test_numbers_and_files_of_every_type(tiny_model, tmp_path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path)
    picture = path.read_bytes()
    expected = tiny_model.compress(picture, quality=40)
    with path.open("rb") as file:
        for source in (str(path), path, bytearray(picture), memoryview(picture), file):
            assert tiny_model.compress(source, quality=40) == expected
    for number in (np.int64(40), np.float32(40), np.array(40), torch.tensor(40.0, requires_grad=True)):
        assert tiny_model.compress(PIXELS, quality=number, effort=np.int32(1), max_pixels=np.uint32(10**6)) == expected
    nic = tmp_path / "a.nic"
    nic.write_bytes(expected)
    for source in (str(nic), nic, bytearray(expected), memoryview(expected), io.BytesIO(expected)):
        assert imgcodec.info(source, max_pixels=np.int32(2**30)).bytes == len(expected)
    for source in (str(nic), nic, bytearray(expected), memoryview(expected), io.BytesIO(expected)):
        assert tiny_model.decompress(source, scale=np.int64(1)).size == (32, 24)
    x = torch.full((1, 3, 24, 32), 0.5, requires_grad=True) * 1
    codes = tiny_model.encode(x, quality=40)
    assert tiny_model.decode(codes, quality=40, shape=np.array([24, 32])).shape == x.shape
    with pytest.raises(imgcodec.UsageError, match="max_pixels is a whole number"):
        imgcodec.info(expected, max_pixels="many")
