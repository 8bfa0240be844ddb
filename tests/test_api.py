"""The functions of the package: every kind of picture and file that they take, tensors, and one error for all else."""

import gzip
import inspect
import io
import os
import subprocess
import sys
import typing
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imgcodec
from imgcodec import CodecError, InvalidFileError, LossWarning, UsageError
from imgcodec.bitstream import container, header
from imgcodec.priors.photo import streams
from imgcodec.profiles.photo import codec as photo_codec
from imgcodec.profiles.photo import refine

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
NIC = GOLDEN / "odd-size.nic"
MODELS = ["tiny", "snac", "svqvae", "bsq", "pixelcnn"]


@pytest.fixture(scope="module")
def photograph():
    return np.asarray(Image.open(ROOT / "examples" / "photo.png").convert("RGB"))[250:298, 420:490]


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return imgcodec.load_model(GOLDEN / f"{request.param}.safetensors")


def tensor_of(*pixels):
    """(B, 3, H, W) in 0..1."""
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255


# Pictures


def test_every_kind_of_picture_is_the_same_file(tiny_model, photograph, tmp_path):
    Image.fromarray(photograph).save(tmp_path / "a.png")
    expected = tiny_model.compress(photograph)
    data = (tmp_path / "a.png").read_bytes()
    for image in (
        Image.fromarray(photograph),
        torch.from_numpy(photograph.copy()).permute(2, 0, 1),
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        io.BytesIO(data),
        data,
        np.asfortranarray(photograph),
    ):
        assert tiny_model.compress(image) == expected
    with (tmp_path / "a.png").open("rb") as file:
        assert tiny_model.compress(file) == expected


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_of_arrays_are_those_of_pil_images(tiny_model, photograph, channels):
    samples = np.dstack([photograph, photograph[..., 0]])[..., :channels]
    image = Image.fromarray(np.squeeze(samples))
    assert tiny_model.compress(samples) == tiny_model.compress(image)
    assert tiny_model.decompress(tiny_model.compress(samples)).mode == {1: "L", 3: "RGB", 4: "RGBA"}[channels]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "HSV"])
@pytest.mark.filterwarnings("ignore::imgcodec.LossWarning")
def test_pil_images_of_any_mode(tiny_model, mode):
    data = tiny_model.compress(Image.new("L", (30, 20), 90).convert(mode))
    assert tiny_model.decompress(data).size == (30, 20)


@pytest.mark.parametrize(
    "image",
    [
        None,
        5,
        [[1, 2], [3, 4]],
        np.zeros((9, 9, 2), np.uint8),
        np.zeros((9, 9, 3)),
        np.zeros((0, 9, 3), np.uint8),
        torch.zeros(3, 9, 9),
        torch.zeros(3, 9, 9, requires_grad=True),
        torch.zeros(1, 3, 9, 9, dtype=torch.uint8),
        torch.zeros(9, 9, 3, dtype=torch.uint8),
        io.StringIO("text"),
        "nowhere.png",
        Path("/"),
        b"",
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_picture_is_one_sentence(tiny_model, image):
    with pytest.raises(CodecError, match=r"^[A-Z/].*\.$") as refused:
        tiny_model.compress(image)
    assert "\n" not in str(refused.value)


# Files


def test_every_kind_of_file_is_the_same_picture(tiny_model):
    expected = np.asarray(tiny_model.decompress(NIC.read_bytes()))
    data = NIC.read_bytes()
    for source in (NIC, str(NIC), io.BytesIO(data), bytearray(data), memoryview(data)):
        assert np.array_equal(np.asarray(tiny_model.decompress(source)), expected)
    for call in (tiny_model.read_tokens, tiny_model.recover, imgcodec.info):
        for source in (data, NIC, io.BytesIO(data)):
            assert call(source)


@pytest.mark.parametrize(
    "data", [None, 5, [1], {"a": 1}, io.StringIO("text"), Path("nowhere.nic"), "nowhere.nic", Path("/")]
)
def test_what_is_no_file_is_one_sentence(tiny_model, data):
    for call in (
        imgcodec.decompress,
        imgcodec.read_tokens,
        imgcodec.recover,
        imgcodec.info,
        tiny_model.decompress,
        tiny_model.read_tokens,
        tiny_model.recover,
    ):
        with pytest.raises(CodecError, match=r"^[A-Z/].*\.$"):
            call(data)


# Arguments


def test_scales_that_are_none(tiny_model):
    for scale in (2, "2", 1.0, None):
        with pytest.raises(UsageError, match=r"scale.*\.$"):
            tiny_model.decompress(NIC, scale=scale)


# Losses


def test_what_is_lost_is_warned_of_where_it_was_asked_for(tiny_model, photograph, tmp_path):
    wide = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)
    wide.save(tmp_path / "wide.png")
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "lime")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    for image, words in (
        (wide, r"^The picture: its 16 bits per sample are reduced to 8\.$"),
        (tmp_path / "wide.png", r"wide\.png: its 16 bits per sample are reduced to 8\.$"),
        (tmp_path / "moving.gif", r"moving\.gif: only the first of its frames is kept\.$"),
    ):
        with pytest.warns(LossWarning, match=words) as warned:
            tiny_model.compress(image)
        assert [w.filename for w in warned] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny_model.compress(photograph)


def test_a_warning_may_be_an_error(tiny_model):
    with warnings.catch_warnings():
        warnings.simplefilter("error", LossWarning)
        with pytest.raises(LossWarning):
            tiny_model.compress(Image.new("I;16", (9, 9)))


# Work is done once


def counted(monkeypatch, owner, name):
    calls = []
    real = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *arguments, **options: calls.append(name) or real(*arguments, **options))
    return calls


@pytest.mark.parametrize(
    "options", [{"effort": 2}, {"target_psnr": 23.5}, {"target_size": 100, "effort": 2}, {}], ids=repr
)
def test_a_picture_is_analysed_once(tiny_model, photograph, monkeypatch, options):
    analyses = counted(monkeypatch, photo_codec, "analyse")
    assert tiny_model.compress(photograph, **options)
    assert analyses == ["analyse"]
    assert not hasattr(refine, "analyse")


@pytest.mark.parametrize("effort", [1, 3])
def test_a_file_is_coded_once(tiny_model, photograph, monkeypatch, effort):
    finished = counted(monkeypatch, streams.RangeEncoder, "finish")
    tiny_model.compress(photograph, effort=effort)
    assert len(finished) == 2, "one stream for each stage of the only tile"


def test_every_checksum_is_computed_once(tiny_model, monkeypatch):
    monkeypatch.setattr(imgcodec.codec, "find_model_by_id", lambda _: GOLDEN / "tiny.safetensors")
    sections = len(container.read(NIC.read_bytes()).entries)
    checksums = counted(monkeypatch, header, "checksum")
    for call in (imgcodec.decompress, imgcodec.read_tokens, imgcodec.recover, imgcodec.info):
        checksums.clear()
        call(NIC)
        assert len(checksums) - sections in (1, 2), "the header; and recovery, which makes an end to look for"


# Tensors


def test_codes_come_back_as_the_pictures_that_files_do(model, photograph):
    pixels = photograph, photograph[::-1]
    x = tensor_of(*pixels)
    options = {"quality": 70} if model.has_qualities else {}
    codes = model.encode(x, **options)
    y = model.decode(codes, shape=x.shape[2:], **options)
    assert (y.shape, y.dtype) == (x.shape, torch.float32)
    for picture, decoded in zip(pixels, y, strict=True):
        back = np.asarray(model.decompress(model.compress(picture, **options)))
        assert np.array_equal(back, (decoded * 255).round().byte().permute(1, 2, 0).numpy())


def test_codes_are_those_of_files(model, photograph):
    codes = model.encode(tensor_of(photograph))
    stages = model.read_tokens(model.compress(photograph)).stages
    assert len(codes) == len(stages)
    for code, stage in zip(codes, stages, strict=True):
        assert code.dtype == torch.int64
        assert np.array_equal(code[0] if code.dim() == 4 else code, stage)
        assert code.dim() == (4 if model.has_qualities else 3)


def test_without_a_shape_codes_are_decoded_to_what_they_cover(model, photograph):
    codes = model.encode(tensor_of(photograph))
    y = model.decode(codes)
    whole = {"tiny": (48, 80), "snac": (128, 128), "pixelcnn": (48, 72)}.get(model.name, (48, 80))
    assert y.shape == (1, 3, *whole)
    assert y.min() >= 0
    assert y.max() <= 1
    if len(codes) > 1:
        assert model.decode(codes[:1], shape=(48, 70)).shape == (1, 3, 48, 70)


def test_tunes_of_codes(tmp_path, photograph):
    from two_tunes import save_two_tunes

    save_two_tunes(tmp_path / "both.safetensors")
    both, x = imgcodec.load_model(tmp_path / "both.safetensors"), tensor_of(photograph)
    codes = {tune: both.encode(x, quality=60, tune=tune) for tune in both.tunes}
    assert not torch.equal(codes["psnr"][1], codes["visual"][1])
    assert all(map(torch.equal, both.encode(x, quality=60), codes["visual"]))
    other = both.decode(codes["psnr"], quality=60, tune="visual")
    assert not torch.equal(other, both.decode(codes["psnr"], quality=60, tune="psnr"))


def test_gradients_are_not_asked_for(tiny_model, photograph):
    x = tensor_of(photograph).requires_grad_()
    codes = tiny_model.encode(x)
    assert all(map(torch.equal, codes, tiny_model.encode(x.detach())))
    assert not tiny_model.decode(codes).requires_grad


def test_pictures_are_drawn_as_they_are_asked_for(semantic_path, photograph, tmp_path):
    model = imgcodec.load_model(semantic_path)
    data = model.compress(photograph)
    one, again, other = (model.decompress(data, drawing=imgcodec.DrawingOptions(steps=2, seed=s)) for s in (1, 1, 2))
    assert one.tobytes() == again.tobytes() != other.tobytes()
    assert model.decompress(data, drawing=imgcodec.DrawingOptions(steps=1, size=128)).size == (128, 88)
    assert model.decompress(data, drawing=imgcodec.DrawingOptions(steps=1)).size == (70, 48)


def test_the_parts_are_plain_modules(model, photograph):
    assert isinstance(model.tokenizer, torch.nn.Module)
    assert isinstance(model.prior, torch.nn.Module)
    if not model.has_qualities:
        x = tensor_of(np.tile(photograph, (4, 4, 1))[:128, :128])
        assert all(map(torch.equal, model.tokenizer.encode(x), model.encode(x)))


# The package


def test_what_is_public_is_exported_and_documented():
    assert set(imgcodec.__all__) <= set(dir(imgcodec))
    public = {name for name in vars(imgcodec.Model) if not name.startswith("_")}
    assert public == {
        "name", "id", "tunes", "has_qualities", "tokenizer", "prior", "compress", "decompress", "recover",
        "read_tokens", "write_tokens", "encode", "decode", "generate",
    }  # fmt: skip
    functions = [getattr(imgcodec, name) for name in imgcodec.__all__ if inspect.isfunction(getattr(imgcodec, name))]
    functions += [getattr(imgcodec.Model, name) for name in public if inspect.isfunction(vars(imgcodec.Model)[name])]
    assert len(functions) > 12
    of_torch = {"torch": torch, "Tensor": torch.Tensor, "nn": torch.nn}  # which is not imported for its types alone
    exported = {getattr(imgcodec, name) for name in imgcodec.__all__ if inspect.isclass(getattr(imgcodec, name))}
    for function in functions:
        assert function.__doc__
        first, *others = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
        assert first.kind == inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert all(p.kind == inspect.Parameter.KEYWORD_ONLY for p in others), function.__qualname__
        for annotation in typing.get_type_hints(function, localns=of_torch).values():
            for part in (annotation, *typing.get_args(annotation)):
                if getattr(part, "__module__", "").startswith("imgcodec"):
                    assert part in exported, part


WITHOUT_TORCH = """
import sys, imgcodec
{}
heavy = [name for name in ("torch", "scipy", "PIL", "typer") if name in sys.modules]
print(heavy)
"""


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("imgcodec.info(sys.argv[1])", []),
        ("imgcodec.FileInfo, imgcodec.FileLike, imgcodec.LossWarning, imgcodec.CodecError", []),
        (
            "from imgcodec.model_file import find; find.id_of_file(find.version_of(find.find_model('bsq')))",
            [],
        ),
        ("import imgcodec.cli", ["typer"]),
    ],
)
def test_facts_cost_no_torch(code, allowed):
    command = [sys.executable, "-c", WITHOUT_TORCH.format(code), str(NIC)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=os.sep)
    assert done.stdout.strip() == str(allowed)


def test_a_compressed_stream_that_is_cut_is_an_input_that_cannot_be_read(tmp_path: Path) -> None:
    data = gzip.compress(imgcodec.compress(Image.new("RGB", (20, 20))))
    with gzip.GzipFile(fileobj=io.BytesIO(data[:-9])) as file, pytest.raises(InvalidFileError, match="cannot be read"):
        imgcodec.decompress(file)
