"""Arguments of every type: numbers of all kinds are numbers, and all else is one sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imgcodec
from imgcodec import CodecError, ModelNotFoundError, UsageError

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
NIC = GOLDEN / "odd-size.nic"


@pytest.fixture(scope="module")
def photograph():
    return np.asarray(Image.open(ROOT / "examples" / "photo.png").convert("RGB"))[250:298, 420:490]


@pytest.fixture(scope="module", params=["tiny", "snac", "svqvae", "bsq", "pixelcnn"])
def model(request):
    return imgcodec.load_model(GOLDEN / f"{request.param}.safetensors")


def tensor_of(*pixels):
    """(B, 3, H, W) in 0..1."""
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize(
    "options",
    [
        {"quality": "50"},
        {"quality": [50]},
        {"quality": 101},
        {"quality": float("nan")},
        {"quality": 50, "target_size": 1000},
        {"target_size": "40KB"},
        {"target_size": 0},
        {"target_bpp": -1},
        {"target_psnr": "high"},
        {"target_ssimulacra2": float("inf")},
        {"target_ssimulacra2": 100.5},
        {"target_psnr": 30, "target_bpp": 1},
        {"tune": "bogus"},
        {"tune": 1},
        {"effort": 2.0},
        {"effort": "3"},
        {"effort": 10},
        {"effort": None},
    ],
    ids=repr,
)
def test_arguments_of_compress_that_make_no_sense(tiny_model, photograph, options):
    with pytest.raises(UsageError, match=r"^[A-Z].*\.$"):
        tiny_model.compress(photograph, **options)


def test_numbers_of_any_type(tiny_model, photograph):
    expected = tiny_model.compress(photograph, quality=50)
    for quality in (50.0, np.float32(50), np.int64(50), np.uint8(50)):
        assert tiny_model.compress(photograph, quality=quality, effort=np.int64(1)) == expected


@pytest.mark.parametrize("arguments", [{"name_or_path": None}, {"name_or_path": 7}, {"name_or_path": "no such model"}])
def test_models_that_are_none(arguments):
    with pytest.raises(CodecError, match=r"^[A-Z].*\.$"):
        imgcodec.load_model(**arguments)


@pytest.mark.parametrize("tokens", [None, b"", [1], 5])
def test_tokens_that_are_none(tiny_model, tokens):
    for call in (imgcodec.write_tokens, tiny_model.write_tokens):
        with pytest.raises(UsageError, match="read_tokens"):
            call(tokens)


def test_tokens_of_another_type_of_integers_are_the_same(tiny_model):
    tokens = tiny_model.read_tokens(NIC)
    wide = imgcodec.Tokens(tokens.header, [stage.astype(np.int64) for stage in tokens.stages])
    assert tiny_model.write_tokens(wide) == NIC.read_bytes()
    for wrong in (lambda s: s.astype(float), lambda s: s.tolist(), torch.from_numpy):
        with pytest.raises(UsageError, match="integers"):
            tiny_model.write_tokens(imgcodec.Tokens(tokens.header, [wrong(stage) for stage in tokens.stages]))


@pytest.mark.parametrize(
    "x",
    [
        None,
        np.zeros((1, 3, 9, 9)),
        torch.zeros(3, 9, 9),
        torch.zeros(1, 4, 9, 9),
        torch.zeros(0, 3, 9, 9),
        torch.zeros(1, 3, 9, 9, dtype=torch.uint8),
        torch.full((1, 3, 9, 9), 1.5),
        torch.full((1, 3, 9, 9), float("nan")),
    ],
    ids=lambda x: f"{getattr(x, 'shape', x)}",
)
def test_tensors_that_are_no_pictures(tiny_model, x):
    with pytest.raises(UsageError, match=r"^Pictures to encode .*\.$"):
        tiny_model.encode(x)


def test_codes_that_are_none(model, photograph):
    codes = model.encode(tensor_of(photograph))
    for wrong in (
        None,
        codes[0],
        [],
        [*codes, codes[-1]],
        [c.float() for c in codes],
        [c[0] for c in codes],
        [c[..., :-1] for c in codes],
        [c - 10**6 for c in codes],
        [c + 2**33 for c in codes],
        [c.numpy() for c in codes],
    ):
        with pytest.raises(UsageError, match=r"^(Codes are|The tokens) .*\.$"):
            model.decode(wrong, shape=(48, 70))
    for options in ({"quality": "50"}, {"tune": "bogus"}, {"scale": 3}, {"shape": 48}, {"shape": (0, 3)}):
        with pytest.raises(UsageError, match=r"^[A-Z].*\.$"):
            model.decode(codes, **options)


def garbage() -> list[object]:
    """Values that no argument takes."""
    return [object(), [50], {}, b"5", 2 + 0j, np.array([1, 2]), Image.new("L", (1, 1))]


@pytest.mark.parametrize(
    "name",
    ["quality", "target_size", "target_bpp", "target_psnr", "target_ssimulacra2", "tune", "effort", "max_pixels"],
)
def test_no_argument_of_compress_lets_another_error_out(name: str) -> None:
    others = [10**400, -(10**400)] if name not in ("tune", "effort", "max_pixels") else []
    others += [1e308] if name in ("quality", "target_ssimulacra2") else []  # others are met without a loss
    for value in [*garbage(), *others]:
        with pytest.raises(CodecError, match=r"^[A-Z0-9].*\.$"):
            imgcodec.compress(Image.new("RGB", (70, 30)), **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("device", [object(), ["cpu"], 10**30, np.array([1, 2]), "x" * 10_000])
def test_devices_of_other_types_are_refused(device: object) -> None:
    with pytest.raises(UsageError, match="There is no device"):
        imgcodec.load_model(device=device)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["x" * 10_000, "x" * 10_000 + ".safetensors", "a\0b"])
def test_names_that_no_file_can_have_are_no_models(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="is not installed"):
        imgcodec.load_model(name)


def test_drawings_of_what_is_not_drawn_are_refused(tiny_model) -> None:
    options = imgcodec.DrawingOptions(steps=1)
    with pytest.raises(UsageError, match="Only pictures of the profile semantic are drawn"):
        tiny_model.decompress(NIC, drawing=options)
    with pytest.raises(UsageError, match="said by `DrawingOptions`, not by dict"):
        tiny_model.decompress(NIC, drawing={"steps": 1})
    with pytest.raises(UsageError, match="drawn whole"):
        tiny_model.decompress(NIC, drawing=options, thumbnail=64)


def test_tensors_without_samples_are_refused() -> None:
    model = imgcodec.load_model()
    for strange in (torch.zeros(1, 3, 16, 16).to_sparse(), torch.zeros(1, 3, 16, 16, device="meta")):
        with pytest.raises(UsageError, match="Pictures to encode are a tensor"):
            model.encode(strange)
        with pytest.raises(UsageError, match="A picture as a tensor"):
            model.compress(strange[0].to(torch.uint8))
        with pytest.raises(UsageError, match="Codes are a list"):
            model.decode([strange.long()])


def test_a_shape_over_the_limit_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(CodecError, match="over the limit"):
        imgcodec.load_model().decode([torch.zeros(1, 96, 1, 1, dtype=torch.long)], shape=(10**6, 10**6))


def test_tokens_without_a_header_or_arrays_are_refused() -> None:
    sound = imgcodec.read_tokens(imgcodec.compress(Image.new("RGB", (20, 20))))
    for tokens in (imgcodec.Tokens(None, sound.stages), imgcodec.Tokens(sound.header, None)):  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="Tokens are those"):
            imgcodec.write_tokens(tokens)


def test_a_truth_value_is_no_quality(tiny_model):
    pixels = np.zeros((8, 8, 3), np.uint8)
    for value in (True, np.True_):
        with pytest.raises(UsageError, match="The quality is a number, not "):
            tiny_model.compress(pixels, quality=value)
    with pytest.raises(UsageError, match="is a number, not True"):
        tiny_model.compress(pixels, target_bpp=True)
    with pytest.raises(UsageError, match="The effort is a whole number, not True"):
        tiny_model.compress(pixels, effort=True)
