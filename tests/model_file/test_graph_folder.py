"""A folder of graphs has all that its page says, and a walk by the page gives the tokens of golden files."""

import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from imgcodec import CodecError, UnusableModelError
from imgcodec.bitstream import container
from imgcodec.bitstream.entropy import FrequencyTables
from imgcodec.codec import load_codec
from imgcodec.model_file.contents import open_contents
from imgcodec.model_file.graph_folder import export_graphs
from imgcodec.model_file.untrusted import checked_config
from imgcodec.priors.photo.coding import code_tile
from imgcodec.priors.photo.config import PhotoPriorConfig
from imgcodec.priors.photo.streams import CallReader
from imgcodec.tokens import Tokens, stage_places

GOLDEN = Path(__file__).parents[1] / "golden"
INDEX = json.loads((GOLDEN / "golden.json").read_text())["files"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "tiny.nicm"
    export_graphs(open_contents(GOLDEN / "tiny.safetensors"), path, force=False)
    return path


@pytest.fixture(scope="module")
def manifest(folder):
    return json.loads((folder / "model.json").read_text())


def unpacked(folder, manifest, name):
    return zlib.decompress((folder / manifest["files"][name]["file"]).read_bytes())


def test_files_are_what_the_manifest_says(folder, manifest):
    names = {entry["file"] for entry in manifest["files"].values()}
    assert {path.name for path in folder.iterdir()} == {"model.json", *names}
    for name, entry in manifest["files"].items():
        assert (folder / entry["file"]).stat().st_size == entry["compressed_bytes"]
        data = unpacked(folder, manifest, name)
        assert len(data) == entry["bytes"]
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]


def test_graphs_take_and_give_what_the_manifest_says(folder, manifest):
    for graph in (*manifest["transforms"], *manifest["steps"]):
        model = onnx.load_model_from_string(unpacked(folder, manifest, graph["file"]))
        for side, values in (("inputs", model.graph.input), ("outputs", model.graph.output)):
            found = {}
            for value in values:
                kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
                shape = [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
                found[value.name] = {"type": kind, "shape": shape}
            assert found == graph[side]


def tables_of(folder, manifest):
    data, count, symbols = (
        unpacked(folder, manifest, "tables.bin"), manifest["tables"]["count"], manifest["tables"]["symbols"]
    )  # fmt: skip
    weights = np.frombuffer(data[: 4 * count * symbols], "<u4").reshape(count, symbols)
    return FrequencyTables(weights.astype(np.uint32), np.frombuffer(data[4 * count * symbols :], "u1"))


def walk_by_the_page(folder, manifest):
    """`docs/graphs.md`, as a program that knows nothing else would write it."""
    sessions = {
        step["file"]: onnxruntime.InferenceSession(unpacked(folder, manifest, step["file"]))
        for step in manifest["steps"]
    }

    def walk(size, quality, code, slices=None):
        window = manifest["prior"]["windows"][0]
        inside = np.zeros([-(-length // window) * window for length in size], np.float32)
        inside[: size[0], : size[1]] = 1
        values = {"quality": np.array(quality, np.float32), "inside": inside}
        for step in manifest["steps"][: None if slices is None else 2 * slices]:
            feeds = {name: values[name] for name in step["inputs"]}
            values |= dict(zip(step["outputs"], sessions[step["file"]].run(None, feeds), strict=True))
            values["state"] = values["next_state"]
            parameters = values["parameters"]
            found = code(step["stage"], step["first"], step["groups"], parameters, step["parity"])
            values["tokens"] = np.zeros((step["groups"], *parameters.shape[1:]), np.int32)
            values["tokens"][:, : found.shape[1], : found.shape[2]] = found
            if step["stage"] == 1:
                values["inside"] = inside.repeat(4, 0).repeat(4, 1)

    return walk


@pytest.mark.parametrize("name", ["odd-size", "two-tiles", "version-2", "few-calls", "random-calls"])
def test_golden_files_have_their_tokens(folder, manifest, name):
    file = container.read((GOLDEN / f"{name}.nic").read_bytes())
    codec = load_codec(GOLDEN / "tiny.safetensors", engine="torch")
    prior = manifest["prior"]
    config = checked_config(PhotoPriorConfig, prior)
    stages, tables = codec.empty(file.header), tables_of(folder, manifest)
    zero = manifest["tokenizer"]["codes"] // 2
    for index, found in enumerate(file.tokens()):
        calls, parts = codec.coder.calls_of(file.header, found)
        tile = file.header.tile_rectangle(index)
        at = stage_places(tile, manifest["strides"])
        sizes = [(y.stop - y.start, x.stop - x.start) for y, x in at]
        units = file.header.quality + 32768 * file.header.tune
        walk = walk_by_the_page(folder, manifest)
        tokens = code_tile(config, walk, CallReader(tables, parts), sizes, units, None, zero, calls)
        for stage, (y, x), part in zip(stages, at, tokens, strict=True):
            stage[:, y, x] = part
    assert Tokens(file.header, stages).sha256() == INDEX[name]["tokens_sha256"]


def test_a_folder_that_is_there_is_kept_without_force(folder):
    model = open_contents(GOLDEN / "tiny.safetensors")
    before = (folder / "model.json").read_bytes()
    with pytest.raises(CodecError, match="is not empty"):
        export_graphs(model, folder, force=False)
    export_graphs(model, folder, force=True)
    assert (folder / "model.json").read_bytes() == before


def test_models_of_other_profiles_have_no_graphs(tmp_path):
    with pytest.raises(UnusableModelError, match="The model snac is not of the profile photo: it has no graphs"):
        export_graphs(open_contents(GOLDEN / "snac.safetensors"), tmp_path / "snac.nicm", force=False)
    assert not (tmp_path / "snac.nicm").exists()


def test_the_shipped_model_takes_at_most_16_mib(tmp_path):
    count = export_graphs(open_contents("photo"), tmp_path / "photo.nicm", force=False)
    assert count == sum(path.stat().st_size for path in (tmp_path / "photo.nicm").iterdir()) <= 2**24
