"""Untrusted model files: whatever header and configuration say, a refusal in one sentence, in little memory."""

import json
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from in_process import invoke_silent

from imgcodec import CodecError
from imgcodec.model_file.contents import open_contents
from imgcodec.model_file.untrusted import (
    LARGEST_NUMBER,
    LONGEST_LIST,
    as_model_error,
    checked_config,
    read_tensors,
)
from imgcodec.profiles.photo.model import load_photo_model
from imgcodec.profiles.photo.onnx_model import begin_onnx_model

TINY = Path(__file__).parents[1] / "golden" / "tiny.safetensors"
DATA = TINY.read_bytes()
HEADER_SIZE = struct.unpack("<Q", DATA[:8])[0]
HEADER = json.loads(DATA[8 : 8 + HEADER_SIZE])
CONFIG = json.loads(HEADER["__metadata__"]["config"])
TENSORS = [name for name in HEADER if name != "__metadata__"]
NUMBERS = st.sampled_from([-1, 0, 1, 2, 3, 16, 2**13, 2**20, 2**31, 2**63, 10**30, 0.5, 1e300, True])
VALUES = st.one_of(NUMBERS, st.none(), st.text(max_size=3), st.lists(NUMBERS, max_size=4), st.just({}))
MEGABYTES = 256
GOLDEN_ID = bytes.fromhex(json.loads((TINY.parent / "golden.json").read_text())["model"]["id"])


def file_with(header: dict, size: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + DATA[8 + HEADER_SIZE :]


def with_config(config: object) -> bytes:
    text = config if isinstance(config, str) else json.dumps(config)
    return file_with({**HEADER, "__metadata__": {**HEADER["__metadata__"], "config": text}})


def with_tensor(name: str, **fields: object) -> bytes:
    return file_with({**HEADER, name: {**HEADER[name], **fields}})


def refusal(folder: Path, data: bytes) -> str:
    path = folder / "hostile.safetensors"
    path.write_bytes(data)
    with pytest.raises(CodecError, match="hostile"):
        begin_onnx_model(open_contents(path)).check()
    with pytest.raises(CodecError, match="hostile") as caught:
        load_photo_model(str(path))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    return str(caught.value)


def places(value: object) -> list[list]:
    """The path to every value inside lists and objects."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [[key, *path] for key, item in inner for path in ([], *places(item))]


@settings(max_examples=40)
@given(path=st.sampled_from(places(CONFIG)), value=VALUES)
@example(path=["tokenizer", "channels"], value=[])
@example(path=["fractions", "coarse.blocks.0.attention.project"], value=None)
def test_a_configuration_with_one_changed_value_is_refused_or_another_model(tmp_path_factory, path, value):
    config = json.loads(json.dumps(CONFIG))
    place = config
    for key in path[:-1]:
        place = place[key]
    assume(json.dumps(place[path[-1]]) != json.dumps(value))
    place[path[-1]] = value
    model = tmp_path_factory.getbasetemp() / "hostile.safetensors"
    model.write_bytes(with_config(config))
    try:
        loaded = load_photo_model(str(model))
    except CodecError:
        with pytest.raises(CodecError):
            begin_onnx_model(open_contents(model)).check()
        return
    made = begin_onnx_model(open_contents(model))
    made.check()
    assert made.id == loaded.id != GOLDEN_ID  # 1 for `true`, say: another model of the same arithmetic


@settings(max_examples=40)
@given(
    name=st.sampled_from(TENSORS),
    field=st.sampled_from(["dtype", "shape", "data_offsets"]),
    value=st.one_of(
        st.lists(st.sampled_from([-1, 0, 1, 16, 2**31, 2**63, 2**64, 0.5]), max_size=4),
        st.sampled_from(["F64", "I64", "BOOL", "F8_E4M3", "U64", "C64", "object", None, 7]),
    ),
)
def test_a_header_with_one_changed_field_is_refused(tmp_path_factory, name, field, value):
    assume(HEADER[name][field] != value)
    refusal(tmp_path_factory.getbasetemp(), with_tensor(name, **{field: value}))


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("tokenizer", {"codes": 2**31 + 1}),  # a lattice of 8 GiB, made before any tensor is looked at
        ("tokenizer", {"codes": 8191, "codebooks": [8192, 8192]}),
        ("tokenizer", {"analysis_blocks": [2**30, 1]}),  # layers by the billion
        ("tokenizer", {"synthesis_blocks": [1, 8192]}),
        ("tokenizer", {"channels": [-4, -6]}),
        ("tokenizer", {"levels": 0}),
        ("prior", {"heads": 0}),  # divisions by zero
        ("prior", {"slices": [[0, 2], [2, 4]]}),
        ("prior", {"hidden": 0}),
        ("tokenizer", {"width_fine": 0}),
        ("prior", {"heads": 8192, "width": 8192}),
        ("prior", {"windows": [22, 22], "heads": 16}),  # scores by the gigabyte
        ("prior", {"slices": [[1] * 10**5, [1] * 10**5], "attention": [[True] * 10**5] * 2}),
        ("prior", {"hidden": 10**30}),
        ("prior", {"windows": [2, 4, 6]}),
        ("prior", {"windows": "24"}),
    ],
)
def test_a_configuration_of_huge_or_impossible_sizes_is_refused(tmp_path, part, changes):
    refusal(tmp_path, with_config({**CONFIG, part: {**CONFIG[part], **changes}}))


@pytest.mark.parametrize(
    "config", ["[" * 100_000, "9" * 5000, "null", "[]", '"photo"', " " * 2**21, '{"profile": "photo"}']
)
def test_a_configuration_of_another_kind_is_refused(tmp_path, config):
    refusal(tmp_path, with_config(config))


@pytest.mark.parametrize("size", [0, 1, 2**32, 2**63, 2**64 - 1])
def test_a_header_of_another_length_is_refused(tmp_path, size):
    assert "is not a safetensors file" in refusal(tmp_path, file_with(HEADER, size))


def test_a_pickle_is_not_unpickled(tmp_path):
    """What `torch.load` would run."""
    pickle = b"\x80\x04cos\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR."
    assert "is not a safetensors file" in refusal(tmp_path, pickle)
    assert not (tmp_path / "owned").exists()


def test_tensors_of_other_types_are_refused_by_name(tmp_path):
    name = "tables.shift"
    assert "tensors of BOOL" in refusal(tmp_path, with_tensor(name, dtype="BOOL"))


def test_a_refusal_takes_little_memory(tmp_path):
    """In a process of its own, which may take no more than 256 MiB above what torch takes."""
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(with_config({**CONFIG, "tokenizer": {**CONFIG["tokenizer"], "codes": 2**28 + 1}}))
    program = f"""
import resource
from imgcodec import CodecError
from imgcodec.profiles.photo.model import load_photo_model
load_photo_model({str(TINY)!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_photo_model({str(path)!r})
except CodecError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(result.stdout) / 1024 < MEGABYTES


def test_control_characters_are_not_printed(tmp_path):
    """A name that sets the title of the window, quoted in the message about it."""
    (tmp_path / "hostile.safetensors").write_bytes(with_config({**CONFIG, "prior": {"\x1b]0;owned\x07": 1}}))
    model = ["--model", tmp_path / "hostile.safetensors"]
    code, told = invoke_silent("info", TINY.parent / "one-pixel.nic", "--tokens", *model)
    assert code == 4
    assert "?]0;owned?" in told
    assert all(letter.isprintable() for letter in told.rstrip("\n"))


# By themselves


@dataclass(frozen=True)
class Sizes:
    width: int
    rate: float = 0.5
    sides: tuple[int, ...] = ()
    pair: tuple[int, int] = (1, 1)


def test_a_sound_configuration_is_read_with_tuples():
    values = {"width": LARGEST_NUMBER, "rate": 1, "sides": [1, 2, 3], "pair": [4, 5]}
    assert checked_config(Sizes, values) == Sizes(LARGEST_NUMBER, 1.0, (1, 2, 3), (4, 5))


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ([], ValueError, "instead of an object"),
        ({"width": 1, "depth": 2}, ValueError, "unknown field depth"),
        ({}, TypeError, "width"),
        ({"width": -1}, ValueError, "must be from 0 to"),
        ({"width": LARGEST_NUMBER + 1}, ValueError, "must be from 0 to"),
        ({"width": 1.5}, ValueError, "instead of int"),
        ({"width": True}, ValueError, "instead of int"),
        ({"width": 1, "rate": float("nan")}, ValueError, "must be from 0 to"),
        ({"width": 1, "sides": 3}, ValueError, "instead of a list"),
        ({"width": 1, "sides": [1] * (LONGEST_LIST + 1)}, ValueError, "instead of a list of at most"),
        ({"width": 1, "sides": [1, "2"]}, ValueError, "sides is '2' instead of int"),
        ({"width": 1, "pair": [1]}, ValueError, "1 values instead of 2"),
    ],
)
def test_other_configurations_are_refused(values, error, words):
    with pytest.raises(error, match=words):
        checked_config(Sizes, values)


@pytest.mark.parametrize(
    "error", [KeyError("x"), TypeError("x."), ValueError("x"), ZeroDivisionError("x"), RuntimeError("x")]
)
def test_what_building_a_model_raises_becomes_one_sentence(error):
    with (
        pytest.raises(CodecError, match=r"^The model small is not sound: '?x'?( is missing)?\.$"),
        as_model_error("small"),
    ):
        raise error


def test_a_file_over_the_limit_is_not_opened():
    assert len(read_tensors(TINY, len(DATA))[0]) == len(TENSORS)
    with pytest.raises(CodecError, match=r"^tiny\.safetensors is too large to be a model\.$"):
        read_tensors(TINY, len(DATA) - 1)
