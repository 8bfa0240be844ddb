"""Tokens to train on: a folder of .nic files, or of shards of tokens, as a dataset of torch."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from imgcodec import codec as pipeline
from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.model_file.find import find_model
from imgcodec.profiles import PROFILES
from imgcodec.profiles.decodable import read_decodable
from imgcodec.storage import files, folders, pairs, token_shards
from imgcodec.storage.token_shards import Shard
from imgcodec.tokens import Tokens

Place = Path | tuple[Shard, int]
"""Of a picture: a .nic file, or a shard and its number there."""


class TokenDataset(Dataset[list[Tensor]]):
    """The tokens of all .nic files and shards of tokens in a folder and its subfolders, sorted by name.

    An item is what `Model.encode` gives for one picture: an int64 tensor for each stage, coarse first, (rows, columns)
    of raster models, (groups, rows, columns) of all others. Pictures of different sizes have different shapes, so
    a DataLoader takes `batch_size=None`, or a `collate_fn` that crops.

    names: of the pictures. Of shards the heads are read at once, all else when it is asked for. Shards need no model.
    A .nic file needs its own, and each access decodes it: what is read often is better kept in shards, as `imgcodec
    tokenize` makes them.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        model: str | PathLike[str] | None = None,
        device: torch.device | str = "cpu",
        max_pixels: int = DEFAULT_LIMITS.pixels,
    ) -> None:
        """model: name or path of the one that .nic files are of; by default the installed one that a file asks for.

        Raises CodecError for a folder that cannot be read or has nothing of this kind, InvalidFileError for a damaged
        shard. Items raise InvalidFileError and ModelNotFoundError.
        """
        self.names: list[str] = []
        self._places: list[Place] = []
        self._opened: dict[Path, Any] = {}
        self._model = Path(model) if isinstance(model, PathLike) else model
        self._device, self._max_pixels = device, max_pixels
        unreadable: list[str] = []
        for name, path in folders.files_below(Path(folder), unreadable.append):
            if pairs.is_nic(path.name):
                self._add(name, path)
            elif token_shards.NAMES.fullmatch(path.name):
                shard = token_shards.open_shard(path, max_pixels)
                for index, (picture, _) in enumerate(shard.pictures):
                    self._add(picture, (shard, index))
        if unreadable:
            raise CodecError(unreadable[0])
        if not self.names:
            raise CodecError(f"{folder} holds neither .nic files nor shards of tokens.")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> list[Tensor]:
        tokens = self.tokens(index)
        stages = [torch.from_numpy(stage.astype(np.int64)) for stage in tokens.stages]
        return stages if PROFILES[tokens.header.profile].layout.is_grouped else [stage[0] for stage in stages]

    def tokens(self, index: int) -> Tokens:
        """The tokens of a picture with their header, as `imgcodec.read_tokens` gives them."""
        place = self._places[index]
        if isinstance(place, tuple):
            shard, number = place
            if shard.path not in self._opened:
                self._opened[shard.path] = shard.opened()
            return shard.tokens(number, self._opened[shard.path])
        try:
            self._model = self._model and find_model(self._model)  # once, for it may be an address
            file = read_decodable(files.read(place, Limits(pixels=self._max_pixels).file_bytes), self._max_pixels)
            return pipeline.read_tokens(pipeline.codec_of(file.header, self._model, self._device), file)
        except InvalidFileError as error:
            raise InvalidFileError(f"{place}: {error}") from None

    def __getstate__(self) -> dict[str, Any]:
        """Without open files: a worker process opens its own."""
        return self.__dict__ | {"_opened": {}}

    def _add(self, name: str, place: Place) -> None:
        self.names.append(name)
        self._places.append(place)
