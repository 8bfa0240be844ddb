"""The transforms of a `photo` model in ONNX Runtime: see `imgcodec.profiles.photo.nets.Transforms`. Knows no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgcodec.graphs.tensors import StoredTensor
from imgcodec.graphs.transforms import analysis, dequantization, quantization, synthesis
from imgcodec.parallel import Threads
from imgcodec.profiles.photo.nets import latents_of
from imgcodec.runtime import THREADS, Session, number
from imgcodec.tokenizers.blocks import BLOCK, Box, rows_and_columns
from imgcodec.tokenizers.known_inputs import LEVELS, known_levels, middle, noisy_pixels, sparse_tokens
from imgcodec.tokenizers.rvq_config import POOL, STRIDES, RVQConfig

Float32s = NDArray[np.float32]


class OnnxTransforms:
    """Sessions of the graphs of a tokenizer."""

    def __init__(self, config: RVQConfig, tensors: Mapping[str, StoredTensor]) -> None:
        self.config, self._tensors = config, tensors
        self._analysis = Session(partial(analysis, config, tensors), is_optimized=True)
        self._quantization = Session(partial(quantization, config, tensors), is_optimized=False)
        self._dequantization = Session(partial(dequantization, config, tensors), is_optimized=False)
        self._names = ["synthesis", *(["visual"] if config.visual else [])]
        self._syntheses = [Session(partial(synthesis, config, tensors, n, n), is_optimized=True) for n in self._names]

    def analyse(self, pixels: NDArray[np.uint8], shown: Box) -> Float32s:
        """(1, C, rows, columns)."""
        planes = np.divide(pixels.transpose(2, 0, 1)[None], 255, dtype=np.float32)
        return self.latent(planes, shown)

    def quantize(self, latent: Float32s, level: float, masked: bool) -> tuple[Float32s, Float32s, Float32s | None]:
        """See `Transforms`."""
        found = self._quantization({"latent": latent, "level": number(level)})
        return found["coarse"], found["fine"], found["importance"] if masked else None

    def synthesise(
        self, coarse: NDArray[np.int16], fine: NDArray[np.int16], level: float, shown: Box
    ) -> NDArray[np.uint8]:
        """See `Transforms`."""
        latents, place = latents_of(shown)
        return _samples(
            self.pixels(self._latent_of(coarse, fine, level), level, latents)[:, :, *rows_and_columns(place)]
        )

    def reduced(
        self, coarse: NDArray[np.int16], fine: NDArray[np.int16], level: float, reduction: int
    ) -> NDArray[np.uint8]:
        """See `Transforms`; as `Synthesis.reduced`."""
        latent = self._latent_of(coarse, fine, level)[0]
        if reduction == STRIDES[0]:
            # of the tokens of stage 0 alone: those of stage 1 are zero codewords, or left out
            latent = self._latent_of(coarse, np.full_like(fine, self.config.zero), level)[0, :, ::POOL, ::POOL]
        part = min(reduction, BLOCK)
        side = BLOCK // part
        weight, bias = (
            self._linear(level, kind).reshape(3, side, part, side, part, -1).mean((2, 4)) for kind in ("weight", "bias")
        )
        channels, rows, columns = latent.shape
        means = weight.reshape(-1, channels) @ latent.reshape(channels, -1) + bias.reshape(-1, 1)
        pixels = means.reshape(3, side, side, rows, columns).transpose(0, 3, 1, 4, 2)
        return _samples(pixels.reshape(1, 3, rows * side, columns * side) + np.float32(0.5))

    def _linear(self, level: float, kind: str) -> Float32s:
        """Weight or bias of the linear path of a synthesis."""
        stored = self._tensors[f"tokenizer.{self._names[self.tune_of(level)]}.linear.{kind}"]
        return stored.numpy().astype(np.float32)

    @property
    def tune_count(self) -> int:
        return len(self._names)

    def known_picture(self, tune: int) -> NDArray[np.uint8]:
        """What `imgcodec.tokenizers.known_picture` has of a tune, by its number."""
        shown = []
        for place, level in enumerate(known_levels(self.config.levels)):
            coarse, fine = (
                self.config.zero + sparse_tokens((LEVELS, groups, STRIDES[0] // stride, STRIDES[0] // stride))[place]
                for groups, stride in zip(self.config.channels, STRIDES, strict=True)
            )
            of_tune = level + tune * self.config.levels
            whole = (0, 0, POOL, POOL)
            latent = self.latent(noisy_pixels(LEVELS, STRIDES[0])[place : place + 1], whole)
            latent = latent + self._latent_of(coarse, fine, of_tune)
            shown.append(_samples(middle(self.pixels(latent, of_tune, whole))))
        return np.stack(shown)

    def latent(self, pixels: Float32s, shown: Box) -> Float32s:
        """Pixels (1, 3, H, W) in 0..1 -> these latents (1, C, rows, columns)."""
        return self._analysis({"pixels": pixels, "shown": np.array(shown, np.int32)})["latent"]

    def pixels(self, latent: Float32s, level: float, shown: Box) -> Float32s:
        """Latent -> pixels of the part that is shown, not clamped."""
        feeds = {"latent": latent, "level": number(level % self.config.levels), "shown": np.array(shown, np.int32)}
        return self._syntheses[self.tune_of(level)](feeds)["pixels"]

    def _latent_of(self, coarse: NDArray[Any], fine: NDArray[Any], level: float) -> Float32s:
        feeds = {"coarse": coarse.astype(np.int32), "fine": fine.astype(np.int32), "level": number(level)}
        return self._dequantization(feeds)["latent"]

    def tune_of(self, level: float) -> int:
        """The number of the tune that a level is of."""
        return int(self.config.visual and level >= self.config.levels)


@dataclass(frozen=True)
class TestedTransforms:
    """The same transforms, of which each tune is tested before it is used, and the analysis with it. check: takes the
    number of a tune, and raises UnusableModelError where this machine computes it differently."""

    transforms: OnnxTransforms
    check: Callable[[int], None]

    @property
    def config(self) -> RVQConfig:
        return self.transforms.config

    @property
    def threads(self) -> Threads:
        """See `Transforms`."""
        return THREADS

    def analyse(self, pixels: NDArray[np.uint8], shown: Box) -> Float32s:
        """See `OnnxTransforms`."""
        return self.transforms.analyse(pixels, shown)

    def quantize(self, latent: Float32s, level: float, masked: bool) -> tuple[Float32s, Float32s, Float32s | None]:
        """See `Transforms`."""
        self.check(self.transforms.tune_of(level))
        return self.transforms.quantize(latent, level, masked)

    def synthesise(
        self, coarse: NDArray[np.int16], fine: NDArray[np.int16], level: float, shown: Box
    ) -> NDArray[np.uint8]:
        """See `Transforms`."""
        self.check(self.transforms.tune_of(level))
        return self.transforms.synthesise(coarse, fine, level, shown)

    def reduced(
        self, coarse: NDArray[np.int16], fine: NDArray[np.int16], level: float, reduction: int
    ) -> NDArray[np.uint8]:
        """See `Transforms`."""
        self.check(self.transforms.tune_of(level))
        return self.transforms.reduced(coarse, fine, level, reduction)


def _samples(pixels: Float32s) -> NDArray[np.uint8]:
    """(1, 3, H, W) -> (H, W, 3)."""
    return np.rint(pixels[0] * 255).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
