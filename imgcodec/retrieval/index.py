"""The vectors of many files, and the nearest ones to one of them: by faiss where it is installed, else by NumPy."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream import container
from imgcodec.bitstream.container import Container
from imgcodec.bitstream.errors import CodecError, InvalidFileError, ModelNotFoundError
from imgcodec.bitstream.header import CODEBOOK_ID_BYTES, Profile
from imgcodec.profiles.semantic.codec import SemanticCodec, features_section
from imgcodec.retrieval.store import SUFFIX, Store, read_store
from imgcodec.storage import files, folders

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Index:
    """names: of the pictures, or of their files where no manifest tells. vectors: float32 (N, n), of length 1."""

    names: tuple[str, ...]
    vectors: Vectors

    def nearest(self, query: Vectors, count: int) -> list[tuple[str, float]]:
        """The `count` pictures with the largest cosines to a unit vector (n,), and these, the largest first."""
        count = min(count, len(self.names))
        if find_spec("faiss") is not None:
            faiss = import_module("faiss")
            flat = faiss.IndexFlatIP(self.vectors.shape[1])
            flat.add(np.ascontiguousarray(self.vectors))
            likeness, order = (row[0] for row in flat.search(np.ascontiguousarray(query[None]), count))
        else:
            cosines = self.vectors @ query
            order = np.argsort(-cosines, kind="stable")[:count]
            likeness = cosines[order]
        return [(self.names[i], min(1.0, float(cosine))) for i, cosine in zip(order, likeness, strict=True)]


def features_id(file: Container) -> bytes | None:
    """The id of the model of a file's vector; None where it has none. Raises as `features_section`."""
    if file.header.profile == Profile.SEMANTIC:
        return file.header.codebook_id
    data = features_section(file)
    return None if data is None else data[:CODEBOOK_ID_BYTES]


def find_features_id(folder: Path, complain: Callable[[str], None]) -> bytes:
    """The id of the model of a folder's vectors: as its manifest says, or that of its first file that has one. Raises
    CodecError where there is none."""
    store = read_store(folder)
    if store is not None and store.features_id is not None:
        return bytes.fromhex(store.features_id)
    for _, path in _nic_files(folder, store, complain):
        try:
            id = features_id(container.read(files.read(path)))
        except CodecError:
            continue
        if id is not None:
            return id
    raise CodecError(f"{folder} holds no file with features; compress --with-features makes such ones.")


def read_index(codec: SemanticCodec, folder: Path, complain: Callable[[str], None]) -> Index:
    """The vectors of all .nic files of a store, or of any folder and those in it. Tokens alone are read, and no pixel
    is decoded. `complain` is told of files that are damaged, have no vector or one of another model. Raises CodecError
    where nothing is left, ModelNotFoundError for a store of another model."""
    store = read_store(folder)
    if store is not None and store.features_id not in (None, codec.id.hex()):
        raise ModelNotFoundError(f"{folder} is a store of features of model {store.features_id}, not of {codec.name}.")
    names, rows = [], []
    for name, path in _nic_files(folder, store, complain):
        try:
            rows.append(codec.read_features(container.read(files.read(path))))
        except CodecError as error:
            complain(f"Skipped {name}: {error}")
            continue
        names.append(name)
    if not rows:
        raise InvalidFileError(f"{folder} holds no file with features of model {codec.name}.")
    return Index(tuple(names), codec.search_vectors(codec.vectors(np.stack(rows))))


def _nic_files(folder: Path, store: Store | None, complain: Callable[[str], None]) -> list[tuple[str, Path]]:
    """Names and paths of the files of a folder."""
    if store is not None:
        return [(entry.name, folder / entry.file) for _, entry in sorted(store.pictures.items())]
    return [(name, path) for name, path in folders.files_below(folder, complain) if name.lower().endswith(SUFFIX)]
