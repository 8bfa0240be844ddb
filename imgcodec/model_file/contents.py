"""What is in a model file, read and verified before anything is built of it. Knows no torch.

A model is one safetensors file. Its metadata hold the configuration, a digest of it and of all tensors, and the answers
of the known-answer tests, integers of the prior and a picture of the tokenizer; its tensors have the types that they
are used in: int8 and int32 for the prior, 16-bit floats for the transforms.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgcodec.bitstream.errors import UnusableModelError
from imgcodec.bitstream.header import CODEBOOK_ID_BYTES
from imgcodec.graphs.tensors import STORED_TYPES, StoredTensor
from imgcodec.model_file.find import LARGEST_FILE, digest_of_contents, find_model, shipped_id
from imgcodec.model_file.untrusted import as_model_error, read_tensors

FORMAT = "imgcodec-model-1"
LARGEST_CONFIG = 2**20  # characters


@dataclass
class ModelContents:
    """name: that of the file, without its suffix. config: from the metadata; its `profile` is a string, nothing else in
    it is checked. has_digest: whether the file carries one; the first models did not. answer, picture: of the
    known-answer tests, None where the file has none."""

    name: str
    id: bytes
    tensors: dict[str, StoredTensor]
    config: dict[str, Any]
    has_digest: bool
    answer: str | None
    picture: str | None


def open_contents(name_or_path: str | Path) -> ModelContents:
    """Reads a model file, by name or path. Raises ModelNotFoundError where there is none, UnusableModelError for a file
    that is damaged or no model."""
    path = find_model(name_or_path)
    wanted = shipped_id(path)
    if wanted is None:
        return _read(path)
    with suppress(UnusableModelError):
        contents = _read(path)
        if contents.id == wanted:
            return contents
    raise UnusableModelError(
        f"The installed model {path.stem} is damaged, its numbers are not those of this release: install imgcodec "
        "again."
    )


def _read(path: Path) -> ModelContents:
    tensors, metadata = read_tensors(path, LARGEST_FILE)
    with as_model_error(path.stem):
        if len(metadata["config"]) > LARGEST_CONFIG:
            raise ValueError("its configuration is too long")
        config = json.loads(metadata["config"])
        if metadata.get("format") != FORMAT or not isinstance(config["profile"], str):
            raise ValueError("unknown format or profile")
    listed = ((name, f"torch.{STORED_TYPES[t.type]}", t.shape, t.data) for name, t in tensors.items())
    digest, stored = digest_of_contents(metadata["config"], listed), metadata.get("digest")
    if stored not in (None, digest.hex()):
        raise UnusableModelError(
            f"The model {path.stem} is damaged, its numbers are not those that it was saved with: get its file again."
        )
    return ModelContents(
        path.stem, digest[:CODEBOOK_ID_BYTES], tensors, config, stored is not None,
        metadata.get("answer"), metadata.get("picture"),
    )  # fmt: skip
