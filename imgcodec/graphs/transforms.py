"""The `photo` tokenizer as graphs: `imgcodec.tokenizers.rvq` and `imgcodec.tokenizers.transforms`, in floating point.

    pixels ─► analysis ─► latent ─► quantization ─► tokens of stage 0, residual of stage 1, weight of errors
    pixels ◄─ synthesis ◄─ latent ◄─ dequantization ◄─ tokens of both stages

They are exact to one gray level only: between machines, between runtimes, and against PyTorch.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from imgcodec.graphs.onnx_file import Graph
from imgcodec.graphs.tensors import StoredTensor
from imgcodec.tokenizers.blocks import BLOCK
from imgcodec.tokenizers.masking import HIGHEST, KNEE, NARROWINGS, ROUNDED_UP, SLOPE, contrast
from imgcodec.tokenizers.rvq_config import (
    FILTER_IN,
    FILTER_OUT,
    FILTER_SIDE,
    POOL,
    RVQConfig,
    filter_halo,
    filter_reach,
)

LOG_GAIN = (-5, 8)
"""The range of the logarithm of a gain."""


def transform_graphs(config: RVQConfig, tensors: Mapping[str, StoredTensor]) -> list[Graph]:
    """Analysis, quantization and dequantization, and a synthesis for each tune."""
    graphs = [analysis(config, tensors), quantization(config, tensors), dequantization(config, tensors)]
    graphs.append(synthesis(config, tensors, "psnr", "synthesis"))
    if config.visual:
        graphs.append(synthesis(config, tensors, "visual", "visual"))
    return graphs


def analysis(config: RVQConfig, tensors: Mapping[str, StoredTensor]) -> Graph:
    """`Analysis`: pixels in 0..1, rows and columns multiples of 16, and what is shown, a box of latents -> these
    latents."""
    net = _Net("analysis", config, tensors)
    graph = net.graph
    pixels = graph.input("pixels", "float32", [1, 3, "pixel_rows", "pixel_columns"])
    shown = graph.input("shown", "int32", [4])
    centred = graph.add("Sub", pixels, graph.constant(np.float32(0.5)))
    linear, _ = net.cut(net.convolution("analysis.linear", centred, strides=[BLOCK, BLOCK]), shown, 0)
    fine_blocks, coarse_blocks = config.analysis_blocks
    # a 1x1 convolution behind PixelUnshuffle is a convolution over blocks
    x = net.block_convolution("analysis.net.1", centred, 8)
    first = 2
    for block in range(first, first + fine_blocks):
        x = net.residual_block(f"analysis.net.{block}", x)
    x = net.block_convolution(f"analysis.net.{first + fine_blocks + 1}", x, 2)
    x, inner = net.cut(x, shown, coarse_blocks)
    second = first + fine_blocks + 2
    for block in range(second, second + coarse_blocks):
        x = net.residual_block(f"analysis.net.{block}", x)
    x, _ = net.cut(net.convolution(f"analysis.net.{second + coarse_blocks}", x), inner, 0)
    graph.output("latent", graph.add("Add", linear, x), "float32", net.latent_shape)
    return graph


def synthesis(config: RVQConfig, tensors: Mapping[str, StoredTensor], tune: str, name: str) -> Graph:
    """`Synthesis` of a tune, whose tensors have this name: latent, level, from 0 for each tune, and what is shown,
    a box of latents -> their pixels, which are to be clamped to 0..1."""
    net = _Net(f"synthesis-{tune}", config, tensors)
    graph = net.graph
    latent = graph.input("latent", "float32", net.latent_shape)
    level = graph.input("level", "float32", [])
    shown = graph.input("shown", "int32", [4])
    latent, shown = net.cut(latent, shown, config.synthesis_halo)
    scale = graph.stored(net.tensor(f"{name}.input_scale"))
    scaled = graph.add("Mul", latent, graph.add("Reshape", scale, graph.shape(1, -1, 1, 1)))
    x = net.convolution(f"{name}.input", scaled)
    x = graph.add("Add", x, net.row(f"{name}.level", level))
    fine_blocks, coarse_blocks = config.synthesis_blocks
    for block in range(coarse_blocks):
        x = net.residual_block(f"{name}.coarse.{block}", x)
    halo = fine_blocks + filter_halo(config.width_filter, config.filter_blocks)
    refined, inner = net.cut(graph.add("Add", latent, net.convolution(f"{name}.refine", x)), shown, halo)
    x, _ = net.cut(x, shown, halo)
    linear = graph.add("DepthToSpace", net.convolution(f"{name}.linear", refined), blocksize=BLOCK, mode="CRD")
    x = graph.add("DepthToSpace", net.convolution(f"{name}.fine.0", x), blocksize=2, mode="CRD")
    for block in range(2, 2 + fine_blocks):
        x = net.residual_block(f"{name}.fine.{block}", x)
    x = net.convolution(f"{name}.fine.{2 + fine_blocks}", x)
    x = graph.add("DepthToSpace", x, blocksize=8, mode="CRD")
    x = graph.add("Add", linear, x)
    inner = graph.add("Mul", inner, graph.constant(np.int32(BLOCK)))
    if config.width_filter:
        x, inner = net.cut(x, inner, filter_reach(config.width_filter, config.filter_blocks))
        x = graph.add("Add", x, net.post_filter(f"{name}.post_filter", x, level))
    x, _ = net.cut(x, inner, 0)
    pixels = graph.add("Add", x, graph.constant(np.float32(0.5)))
    graph.output("pixels", pixels, "float32", [1, 3, "pixel_rows", "pixel_columns"])
    return graph


def quantization(config: RVQConfig, tensors: Mapping[str, StoredTensor]) -> Graph:
    """`ResidualVQ.scaled_residuals` and the weight of `imgcodec.tokenizers.masking`: latent, rows and columns
    multiples of 4, and level -> centred tokens of stage 0, what they leave to stage 1, and the weight of errors."""
    net = _Net("quantization", config, tensors)
    graph, zero = net.graph, config.zero
    latent = graph.input("latent", "float32", net.latent_shape)
    level = graph.input("level", "float32", [])
    channels = graph.add("Slice", latent, graph.shape(0), graph.shape(config.channels[0]), graph.shape(1))
    pooled = graph.add("AveragePool", channels, kernel_shape=[POOL, POOL], strides=[POOL, POOL])
    gains = [net.gain(stage, level) for stage in (0, 1)]
    tokens = net.nearest(0, graph.add("Mul", pooled, gains[0]))
    residual = graph.add("Sub", latent, net.unpooled(net.lookup(0, tokens, gains[0])))
    importance = net.importance(latent)
    low, high = (graph.constant(np.float32(limit)) for limit in (-zero, zero))
    values = graph.add("Mul", residual, gains[1])
    if config.widens:
        exponent = net.widening_exponent(level)
        values = net.narrowed(residual, values, gains[1], exponent)
    values = graph.add("Clip", values, low, high)
    if config.widens:
        widening = net.widening_of_values(values, gains[1], exponent)
        importance = graph.add("Mul", importance, graph.add("Mul", widening, widening))
    centred = graph.add("Sub", graph.cast(tokens, "float32"), high)
    graph.output("coarse", net.flat(centred), "float32", [config.channels[0], "rows/4", "columns/4"])
    graph.output("fine", net.flat(values), "float32", [config.channels[1], "rows", "columns"])
    graph.output("importance", graph.add("Squeeze", importance, graph.shape(0, 1)), "float32", ["rows", "columns"])
    return graph


def dequantization(config: RVQConfig, tensors: Mapping[str, StoredTensor]) -> Graph:
    """`ResidualVQ.dequantize`: tokens, indices into the codebooks, and level, -> latent."""
    net = _Net("dequantization", config, tensors)
    graph = net.graph
    coarse = graph.input("coarse", "int32", [config.channels[0], "rows/4", "columns/4"])
    fine = graph.input("fine", "int32", [config.channels[1], "rows", "columns"])
    level = graph.input("level", "float32", [])
    first, second = (graph.add("Unsqueeze", tokens, graph.shape(0)) for tokens in (coarse, fine))
    latent = net.unpooled(net.lookup(0, first, net.gain(0, level)))
    details = net.lookup(1, second, net.gain(1, level))
    if config.widens:
        details = graph.add("Mul", details, net.widening(details, net.widening_exponent(level)))
    latent = graph.add("Add", latent, details)
    graph.output("latent", latent, "float32", net.latent_shape)
    return graph


class _Net:
    """Adds layers to a graph, by their names in the model file without `tokenizer.`"""

    def __init__(self, name: str, config: RVQConfig, tensors: Mapping[str, StoredTensor]) -> None:
        self.graph, self.config, self.tensors = Graph(name), config, tensors
        self.latent_shape: Sequence[int | str] = [1, config.channels[1], "rows", "columns"]

    def tensor(self, name: str) -> StoredTensor:
        return self.tensors[f"tokenizer.{name}"]

    def weight(self, name: str, shape: Sequence[int] = ()) -> str:
        """Weights in float32, perhaps in another shape; int8 ones are multiplied by their scales."""
        graph, stored = self.graph, self.tensor(name)
        scale = self.tensors.get(f"tokenizer.{name}.scale")
        if shape:
            stored = StoredTensor(stored.type, tuple(shape), stored.data)
        weight = graph.stored(stored)
        return weight if scale is None else graph.add("Mul", weight, graph.stored(scale))

    def convolution(self, name: str, x: str, **attributes: Sequence[int]) -> str:
        """`nn.Conv2d`."""
        bias = self.graph.stored(self.tensor(f"{name}.bias"))
        return self.graph.add("Conv", x, self.weight(f"{name}.weight"), bias, **attributes)

    def block_convolution(self, name: str, x: str, side: int) -> str:
        """`nn.PixelUnshuffle(side)` and a 1x1 convolution."""
        outputs, inputs = self.tensor(f"{name}.weight").shape[:2]
        weight = self.weight(f"{name}.weight", (outputs, inputs // side**2, side, side))
        bias = self.graph.stored(self.tensor(f"{name}.bias"))
        return self.graph.add("Conv", x, weight, bias, strides=[side, side])

    def residual_block(self, name: str, x: str) -> str:
        """`ResidualBlock`."""
        y = self.graph.add("Relu", self.convolution(f"{name}.first", x, pads=[1, 1, 1, 1]))
        padding = self.tensor(f"{name}.second.weight").shape[-1] // 2
        return self.graph.add("Add", x, self.convolution(f"{name}.second", y, pads=[padding] * 4))

    def post_filter(self, name: str, pixels: str, level: str) -> str:
        """`PostFilter`."""
        graph = self.graph
        gains = graph.add("Exp", self.row(f"{name}.level", level))

        def gain(place: int, factor: float) -> str:
            part = graph.add("Slice", gains, graph.shape(place), graph.shape(place + 1), graph.shape(1))
            return graph.add("Mul", part, graph_number(graph, factor))

        x = graph.add("Mul", pixels, gain(0, FILTER_IN))
        x = self.convolution(f"{name}.first", x, strides=[FILTER_SIDE] * 2, pads=[FILTER_SIDE] * 4)
        x = graph.add("Relu", self.convolution(f"{name}.second", graph.add("Relu", x), pads=[1, 1, 1, 1]))
        for block in range(self.config.filter_blocks):
            x = graph.add("Relu", graph.add("Add", x, self.convolution(f"{name}.blocks.{block}", x, pads=[1, 1, 1, 1])))
        x = self.convolution(f"{name}.last", x, pads=[1, 1, 1, 1])
        return graph.add("DepthToSpace", graph.add("Mul", x, gain(1, FILTER_OUT)), blocksize=FILTER_SIDE, mode="CRD")

    def cut(self, x: str, shown: str, reach: int) -> tuple[str, str]:
        """`imgcodec.tokenizers.layers.cut`; a box is int32 (4,)."""
        graph, zeros, around = self.graph, np.zeros(2, np.int32), np.full(2, reach, np.int32)
        first, end = (
            graph.add("Slice", shown, graph.shape(start), graph.shape(start + 2), graph.shape(0)) for start in (0, 2)
        )
        first = graph.add("Max", graph.add("Sub", first, graph.constant(around)), graph.constant(zeros))
        end = graph.add("Add", end, graph.constant(around))  # as far as there is any
        part = graph.add("Slice", x, first, end, graph.constant(np.array([2, 3], np.int32)))
        return part, graph.add("Sub", shown, graph.add("Concat", first, first, axis=0))

    def row(self, name: str, level: str) -> str:
        """`interpolate_levels` of a table (levels, channels): (1, channels, 1, 1)."""
        graph, table = self.graph, self.tensor(name)
        entries, last = graph.stored(table), table.shape[0] - 2
        zero, highest = graph.constant(np.float32(0)), graph.constant(np.float32(last))
        low = graph.add("Clip", graph.add("Floor", level), zero, highest)
        part = graph.add("Sub", level, low)
        index = graph.cast(low, "int64")
        near = graph.add("Gather", entries, index, axis=0)
        far = graph.add("Gather", entries, graph.add("Add", index, graph.constant(np.int64(1))), axis=0)
        mixed = graph.add("Add", near, graph.add("Mul", graph.add("Sub", far, near), part))
        return graph.add("Reshape", mixed, graph.shape(1, -1, 1, 1))

    def gain(self, stage: int, level: str) -> str:
        """`ResidualVQ.gain`. Levels of the visual tune follow those of the other."""
        graph, levels = self.graph, graph_number(self.graph, self.config.levels)
        if not self.config.visual:
            logarithm = self.row(f"log_gain.{stage}", level)
        else:
            visual = graph.cast(graph.add("Not", graph.add("Less", level, levels)), "float32")
            logarithm = self.row(f"log_gain.{stage}", graph.add("Sub", level, graph.add("Mul", visual, levels)))
            if stage == 1:
                shift = graph.add("Reshape", graph.stored(self.tensor("visual_shift")), graph.shape(1, -1, 1, 1))
                logarithm = graph.add("Add", logarithm, graph.add("Mul", shift, visual))
        low, high = (graph.constant(np.float32(limit)) for limit in LOG_GAIN)
        return graph.add("Exp", graph.add("Clip", logarithm, low, high))

    def lookup(self, stage: int, tokens: str, gain: str) -> str:
        """`ResidualVQ.lookup`: tokens int32 (1, groups, rows, columns) -> (1, groups, rows, columns) in units of the
        latent."""
        return self.graph.add("Div", self.codewords(stage, tokens), gain)

    def codewords(self, stage: int, tokens: str) -> str:
        """Codewords of tokens. Each group has a codebook of its own, or all have one."""
        graph, books = self.graph, self.tensor(f"codebooks.{stage}")
        flat = graph.stored(StoredTensor(books.type, (books.shape[0] * books.shape[1],), books.data))
        if books.shape[0] > 1:
            last = books.shape[0] - 1
            group = np.minimum(np.arange(self.config.channels[stage]), last) * books.shape[1]
            tokens = graph.add("Add", tokens, graph.constant(group.astype(np.int32)[None, :, None, None]))
        return graph.lookup(flat, tokens)

    def nearest(self, stage: int, scaled: str) -> str:
        """`ResidualVQ._nearest`: int32."""
        graph, zero = self.graph, self.config.zero
        low, high = graph_number(graph, 0), graph_number(graph, self.config.codes - 1)

        def clipped(index: str) -> str:
            return graph.cast(graph.add("Clip", index, low, high), "int32")

        def error(index: str) -> str:
            return graph.add("Abs", graph.add("Sub", self.codewords(stage, index), scaled))

        centre = graph.add("Clip", graph.add("Add", graph.add("Round", scaled), graph_number(graph, zero)), low, high)
        best = graph.cast(centre, "int32")
        least = error(best)
        for step in (-1, 1):
            neighbour = clipped(graph.add("Add", centre, graph_number(graph, step)))
            other = error(neighbour)
            best = graph.add("Where", graph.add("Less", other, least), neighbour, best)
            least = graph.add("Min", other, least)
        return best

    def unpooled(self, coarse: str) -> str:
        """`ResidualVQ._unpool`."""
        graph = self.graph
        apart = graph.add("Unsqueeze", coarse, graph.shape(3, 5))
        repeated = graph.add("Mul", apart, graph.constant(np.ones((1, 1, 1, POOL, 1, POOL), np.float32)))
        shape = graph.add("Mul", graph.add("Shape", coarse), graph.shape(1, 1, POOL, POOL))
        missing = self.config.channels[1] - self.config.channels[0]
        whole = graph.add("Reshape", repeated, shape)
        return graph.add("Pad", whole, graph.shape(0, 0, 0, 0, 0, missing, 0, 0)) if missing else whole

    def importance(self, latent: str) -> str:
        """The weight of `imgcodec.tokenizers.masking`: (1, 1, rows, columns)."""
        graph = self.graph
        channels = contrast(self.tensor("synthesis.linear.weight").numpy().astype(np.float32))
        weight = graph.constant(channels[None, :, None, None])
        variance = graph.add("Conv", graph.add("Mul", latent, latent), weight)
        busy = graph.add("Add", graph.add("Div", variance, graph_number(graph, KNEE)), graph_number(graph, 1))
        return graph.add("Div", graph_number(graph, HIGHEST), graph.add("Pow", busy, graph_number(graph, SLOPE)))

    def widening_exponent(self, level: str) -> str:
        """Of the tune of a level."""
        graph = self.graph
        psnr, visual = (graph_number(graph, exponent) for exponent in self.config.widening)
        return graph.add("Where", graph.add("Less", level, graph_number(graph, self.config.levels)), psnr, visual)

    def widening(self, fine: str, exponent: str) -> str:
        """`ResidualVQ.widening`."""
        graph = self.graph
        channels = self.tensor("contrast").numpy().astype(np.float32)
        squares = graph.add("Conv", graph.add("Mul", fine, fine), graph.constant(channels[None, :, None, None]))
        return graph.add("Pow", graph.add("Add", squares, graph_number(graph, 1)), exponent)

    def widening_of_values(self, values: str, gain: str, exponent: str) -> str:
        """`ResidualVQ.widening_of_values`."""
        graph = self.graph
        away = graph.add("Floor", graph.add("Add", graph.add("Abs", values), graph_number(graph, ROUNDED_UP)))
        return self.widening(graph.add("Div", away, gain), exponent)  # of squares: without their signs

    def narrowed(self, residual: str, values: str, gain: str, exponent: str) -> str:
        """`ResidualVQ._narrowed`: a residual in units of the latent, and in usual steps -> in those that are wider."""
        graph = self.graph
        factor = self.widening(residual, exponent)
        one, two = graph_number(graph, 1), graph_number(graph, 2)
        part = graph.add("Div", one, graph.add("Add", one, graph.add("Mul", two, exponent)))
        for _ in range(NARROWINGS):
            tried = self.widening_of_values(graph.add("Div", values, factor), gain, exponent)
            factor = graph.add("Mul", factor, graph.add("Pow", graph.add("Div", tried, factor), part))
        return graph.add("Div", values, factor)

    def flat(self, x: str) -> str:
        """Without the dimension of the batch."""
        return self.graph.add("Squeeze", x, self.graph.shape(0))


def graph_number(graph: Graph, number: float) -> str:
    """A constant float32 without dimensions."""
    return graph.constant(np.float32(number))
