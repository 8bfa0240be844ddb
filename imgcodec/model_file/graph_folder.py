"""A model as a folder of ONNX graphs, for programs without PyTorch: `docs/graphs.md` says what is in it."""

import hashlib
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imgcodec.bitstream.errors import UnusableModelError
from imgcodec.graphs.known_layers import layers_graph
from imgcodec.graphs.onnx_file import Graph
from imgcodec.graphs.prior import step_count, step_graph
from imgcodec.graphs.transforms import transform_graphs
from imgcodec.model_file.contents import ModelContents
from imgcodec.model_file.untrusted import as_model_error, checked_config
from imgcodec.priors.integer.answer_inputs import QUALITY
from imgcodec.priors.photo.config import PhotoPriorConfig
from imgcodec.priors.photo.tables import stored_tables
from imgcodec.storage import files, folders
from imgcodec.tokenizers.rvq_config import STRIDES, RVQConfig

FORMAT = "imgcodec-graphs-2"
SUFFIX = ".nicm"
MANIFEST = "model.json"
COMPRESSED = ".zz"
_WRITTEN = re.compile(r"model\.json|[a-z0-9-]+\.(onnx|bin)\.zz")


def export_graphs(model: ModelContents, folder: Path, force: bool) -> int:
    """Writes the folder, whole or not at all. Returns the bytes of its files. Raises as `graph_files` and
    `folders.whole_folder`."""
    contents = graph_files(model)
    with folders.whole_folder(folder, force, _WRITTEN) as made:
        for name, data in contents.items():
            files.write(made / name, data)
    return sum(map(len, contents.values()))


def graph_files(model: ModelContents) -> dict[str, bytes]:
    """The files of the folder, by name. Raises UnusableModelError for a model that is not of the profile photo."""
    with as_model_error(model.name):
        if model.config["profile"] != "photo":
            raise UnusableModelError(f"The model {model.name} is not of the profile photo: it has no graphs.")
        tokenizer = checked_config(RVQConfig, model.config["tokenizer"])
        prior = checked_config(PhotoPriorConfig, model.config["prior"])
        fractions = model.config["fractions"]
        steps = [step_graph(prior, fractions, model.tensors, number) for number in range(step_count(prior))]
        transforms = transform_graphs(tokenizer, model.tensors)
        layers = layers_graph(prior, fractions, model.tensors)
        stored_tables(model.tensors)  # refuses those that are none
        tables = [model.tensors[name] for name in ("tables.weights", "tables.shift")]
    count, symbols = tables[0].shape
    contents = {f"{graph.name}.onnx": graph.to_bytes() for graph in (*transforms, *steps, layers)}
    contents["tables.bin"] = b"".join(table.data for table in tables)
    compressed = {name: zlib.compress(data) for name, data in contents.items()}
    manifest = {
        "format": FORMAT,
        "name": model.name,
        "id": model.id.hex(),
        "profile": "photo",
        "strides": STRIDES,
        "tunes": ["psnr", "visual"][: prior.tunes],
        "tokenizer": asdict(tokenizer),
        "prior": asdict(prior),
        "tables": {"file": "tables.bin", "count": count, "symbols": symbols},
        "transforms": [_described(graph) for graph in transforms],
        "steps": [{**step, **_described(graph)} for step, graph in zip(_steps(prior.slices), steps, strict=True)],
        "known_answer": {"sha256": model.answer, "quality": QUALITY, **_described(layers)},
        "halo": {"analysis": tokenizer.analysis_halo, "synthesis": tokenizer.synthesis_halo},
        "files": {
            name: {
                "file": name + COMPRESSED,
                "compressed_bytes": len(compressed[name]),
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
            for name, data in contents.items()
        },
    }
    text = (json.dumps(manifest, indent=1) + "\n").encode()
    return {MANIFEST: text, **{name + COMPRESSED: data for name, data in compressed.items()}}


def _described(graph: Graph) -> dict[str, Any]:
    """What goes into a graph, and what comes out."""

    def values(of: dict[str, tuple[str, list[int | str]]]) -> dict[str, Any]:
        return {name: {"type": type, "shape": shape} for name, (type, shape) in of.items()}

    return {"file": f"{graph.name}.onnx", "inputs": values(graph.inputs), "outputs": values(graph.outputs)}


def _steps(slices: Sequence[Sequence[int]]) -> list[dict[str, int]]:
    """Whose tokens the parameters of each step are for."""
    steps = []
    for stage, sizes in enumerate(slices):
        first = 0
        for groups in sizes:
            steps += [{"stage": stage, "first": first, "groups": groups, "parity": parity} for parity in (0, 1)]
            first += groups
    return steps
