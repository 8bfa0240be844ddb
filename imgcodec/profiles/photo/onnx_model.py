"""A model of the profile `photo` in ONNX Runtime, on the CPU. Knows no torch.

Its graphs are made of the model file when it is loaded (`imgcodec.graphs`). Those of the prior run as they are written
at first, because the optimizers of ONNX Runtime take longer than they save in a picture of a megapixel.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import FrequencyTables
from imgcodec.bitstream.errors import UsageError
from imgcodec.engines import INSTALL, is_installed
from imgcodec.graphs.known_layers import layers_graph
from imgcodec.graphs.onnx_file import Graph
from imgcodec.graphs.prior import step_count, step_graph
from imgcodec.graphs.prior_layers import check_prior
from imgcodec.graphs.products import Products, probe
from imgcodec.graphs.tensors import StoredTensor
from imgcodec.graphs.tokenizer_tensors import check_tokenizer
from imgcodec.model_file.contents import ModelContents
from imgcodec.model_file.untrusted import as_model_error, checked_config, computes_differently
from imgcodec.priors.integer.answer_inputs import QUALITY, PhotoTokens, answer_of
from imgcodec.priors.photo.coding import SliceCoder
from imgcodec.priors.photo.config import UPSAMPLING, PhotoPriorConfig
from imgcodec.priors.photo.tables import SCALES, UNIT, stored_tables
from imgcodec.profiles.photo.onnx_transforms import OnnxTransforms, TestedTransforms
from imgcodec.runtime import Session, number
from imgcodec.tokenizers.known_inputs import is_same
from imgcodec.tokenizers.rvq_config import RVQConfig

if TYPE_CHECKING:
    from imgcodec.profiles.photo.model import PhotoModel


WORTH_OPTIMIZING = 1024
"""Positions of stage 0, of 4 megapixels: after so many it pays to have graphs optimized, which takes a third of a
second and saves a quarter."""


class OnnxWalk:
    """The prior of a model: see `imgcodec.priors.photo.coding.Walk`."""

    def __init__(
        self, config: PhotoPriorConfig, fractions: Mapping[str, Any], tensors: Mapping[str, StoredTensor]
    ) -> None:
        self.config = config

        def graph(step: int) -> Graph:  # made when it runs for the first time
            return step_graph(config, fractions, tensors, step, fastest_products())

        graphs = [partial(graph, step) for step in range(step_count(config))]
        self._steps, self._optimized = (
            [Session(graph, is_optimized) for graph in graphs] for is_optimized in (False, True)
        )
        self._walked = 0

    def __call__(self, size: tuple[int, int], quality: int, code: SliceCoder, slices: int | None = None) -> None:
        """See `Walk`."""
        self._walked += size[0] * size[1]
        is_worth = self._walked > WORTH_OPTIMIZING and self._is_the_same_when_optimized
        self._walk(self._optimized if is_worth else self._steps, size, quality, code, slices)

    def known_parameters(self, is_optimized: bool = False) -> list[NDArray[np.int32]]:
        """The first part of the known-answer test of a prior: `imgcodec.priors.integer.known_answer`."""
        window, tokens, parts = self.config.windows[0], PhotoTokens(), []

        def code(stage: int, first: int, groups: int, parameters: NDArray[np.int32], parity: int) -> NDArray[np.int32]:
            parts.append(parameters)
            return tokens.next((groups, *parameters.shape[1:]))

        self._walk(self._optimized if is_optimized else self._steps, (window, window), QUALITY, code, None)
        return parts

    def make_ready(self) -> None:
        """Opens all steps, the last ones first: for a thread beside one that walks, and opens them as it comes to
        them."""
        for step in reversed(self._steps):
            step.make_ready()

    @cached_property
    def _is_the_same_when_optimized(self) -> bool:
        """An optimizer that would change an integer is not used."""
        return answer_of(self.known_parameters()) == answer_of(self.known_parameters(is_optimized=True))

    def _walk(
        self, sessions: list[Session], size: tuple[int, int], quality: int, code: SliceCoder, slices: int | None
    ) -> None:
        window = self.config.windows[0]
        inside = np.zeros([-(-length // window) * window for length in size], np.float32)
        inside[: size[0], : size[1]] = 1
        values: dict[str, NDArray[Any]] = {"quality": number(quality), "inside": inside}
        steps = iter(sessions if slices is None else sessions[: 2 * slices])
        for stage, sizes in enumerate(self.config.slices):
            first = 0
            for groups in sizes:
                for parity in (0, 1):
                    step = next(steps, None)
                    if step is None:
                        return
                    found = step(values)
                    parameters = found.pop("parameters")
                    if "next_state" in found:
                        found["state"] = found.pop("next_state")
                    values |= found
                    values["tokens"] = _padded(code(stage, first, groups, parameters, parity), parameters.shape)
                    if stage and not parity and not first:
                        values["inside"] = inside.repeat(UPSAMPLING, 0).repeat(UPSAMPLING, 1)
                first += groups


def _padded(tokens: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Tokens of a step with parameters of this shape: zeros beyond the tile."""
    _, rows, columns = tokens.shape
    if (rows, columns) == shape[1:]:
        return np.ascontiguousarray(tokens)
    return np.pad(tokens, ((0, 0), (0, shape[1] - rows), (0, shape[2] - columns)))


@dataclass(frozen=True)
class OnnxModel:
    """Tokenizer, prior and frequency tables that belong together: see `imgcodec.profiles.photo.nets.PhotoNets`.

    untested: the prior. check_integers: waits for its known-answer test. Both are for `walk`.
    """

    contents: ModelContents
    transforms: TestedTransforms
    untested: OnnxWalk
    tables: FrequencyTables
    check_integers: Callable[[], None]

    @property
    def name(self) -> str:
        return self.contents.name

    @property
    def id(self) -> bytes:
        return self.contents.id

    @property
    def prior_config(self) -> PhotoPriorConfig:
        return self.untested.config

    @property
    def walk(self) -> OnnxWalk:
        """See `PhotoNets`. Raises UnusableModelError where this machine's integers are others."""
        self.check_integers()
        return self.untested

    def check(self) -> None:
        """Waits for all known-answer tests. Raises UnusableModelError where this machine's arithmetic fails them."""
        self.check_integers()
        for tune in range(self.transforms.transforms.tune_count):
            self.transforms.check(tune)

    def in_torch(self) -> "PhotoModel":
        """Raises UsageError where there is no PyTorch."""
        return self._in_torch

    @cached_property
    def _in_torch(self) -> "PhotoModel":
        if not is_installed("torch"):
            raise UsageError(f"This needs the engine torch, which is not installed: {INSTALL['torch']}.")
        import torch

        from imgcodec.model_file.model import ModelFile
        from imgcodec.profiles.photo.model import build_photo_model

        with torch.inference_mode(False):  # tensors made in it cannot take part in autograd
            return build_photo_model(ModelFile.of(self.contents), "cpu")


def begin_onnx_model(contents: ModelContents) -> OnnxModel:
    """The model of a file, whose known-answer tests run in threads while the caller goes on. Tokens and pixels wait
    for them: no token is coded before all integers are right, and no tune is used before its picture is.

    Raises UnusableModelError if it is no sound model of this profile; where a test fails, what waits for it does.
    """
    config, tensors = contents.config, contents.tensors
    with as_model_error(contents.name):
        if config["profile"] != "photo":
            raise ValueError("its profile is not photo")
        tokenizer = checked_config(RVQConfig, config["tokenizer"])
        prior = checked_config(PhotoPriorConfig, config["prior"])
        check_tokenizer(tokenizer, tensors)
        check_prior(prior, config["fractions"], tensors)
        tables = stored_tables(tensors)
        if tuple(map(sum, prior.slices)) != tokenizer.channels or len(tables.shift) != SCALES * UNIT:
            raise ValueError("tokenizer, prior and tables do not belong together")
        if prior.tunes != 1 + tokenizer.visual:
            raise ValueError("tokenizer and prior have different tunes")
    transforms, walk = OnnxTransforms(tokenizer, tensors), OnnxWalk(prior, config["fractions"], tensors)
    usual_tune = transforms.tune_count - 1
    threads = ThreadPoolExecutor(2)
    parameters = threads.submit(walk.known_parameters)
    layers = threads.submit(_layers, prior, config["fractions"], tensors)
    threads.submit(walk.make_ready)  # what fails here fails in `parameters`, too, which is waited for
    usual_picture = threads.submit(transforms.known_picture, usual_tune) if contents.picture else None
    threads.shutdown(wait=False)

    @cache
    def check_integers() -> None:
        if answer_of([*parameters.result(), *layers.result()]) != contents.answer:
            raise computes_differently(contents.name)

    @cache
    def check_tune(tune: int) -> None:
        if not contents.picture or usual_picture is None:  # the first models have none
            return
        picture = usual_picture.result() if tune == usual_tune else transforms.known_picture(tune)
        if not is_same(picture, contents.picture, tune, transforms.tune_count):
            raise computes_differently(contents.name)

    return OnnxModel(contents, TestedTransforms(transforms, check_tune), walk, tables, check_integers)


def _layers(
    config: PhotoPriorConfig, fractions: Mapping[str, Any], tensors: Mapping[str, StoredTensor]
) -> list[NDArray[np.int32]]:
    """The second part of the known-answer test."""
    graph = partial(layers_graph, config, fractions, tensors)
    return list(Session(lambda: graph(fastest_products()), is_optimized=False)({}).values())


@cache
def fastest_products() -> Products:
    """The fastest of those that are exact on this machine."""
    return next((products for products in (Products.SIGNED, Products.UNSIGNED) if is_exact(products)), Products.FLOAT)


def is_exact(products: Products) -> bool:
    """Whether ONNX Runtime multiplies bytes without a loss here, and at all."""
    graph, feeds, expected = probe(products)
    try:
        found = Session(lambda: graph, is_optimized=False)(feeds)
    except (MemoryError, ImportError):
        raise
    except Exception:  # of a type of ONNX Runtime's own: it has no such products for this processor
        return False
    return np.array_equal(np.stack(list(found.values())), expected)
