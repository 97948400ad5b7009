"""Hypothesis strategy for convolutional graphs: windows of all kinds over images, residuals, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from graph_strategies import Builder, Graph
from lichen.ir.module import Function, Module, Value
from lichen.ir.types import DType
from lichen.ir.verify import verify
from strategies import activations, same_padding

LARGEST_KERNEL, LARGEST_STRIDE = 7, 3


class Convolutional(Builder):
    """A graph of images. Each public method of no arguments adds an operation on the newest image, or on an older one."""

    def __init__(self, draw: st.DrawFn, dtypes: Sequence[DType]) -> None:
        super().__init__(draw, dtypes)
        dtype = draw(st.sampled_from(dtypes))
        shape = (1, draw(st.integers(4, 17)), draw(st.integers(1, 9)), draw(st.integers(1, 5)))
        self.inputs = [self.new(self.type_of(dtype, *shape))]
        self.values = list(self.inputs)

    def image(self) -> Value:
        return self.draw(st.sampled_from([self.values[-1], self.values[-1], *self.values]))

    def windowed(self) -> None:
        """A convolution, depthwise or not, or a pooling; SAME or VALID."""
        x = self.image()
        kind = self.draw(
            st.sampled_from(["conv2d", "depthwise_conv2d", "depthwise_conv2d", "max_pool2d", "avg_pool2d"])
        )
        channels = x.type.shape[3]
        sizes = x.type.shape[1:3]
        same = self.draw(st.booleans())
        most = [LARGEST_KERNEL if same else min(LARGEST_KERNEL, n) for n in sizes]
        kernel = tuple(self.draw(st.integers(1, n)) for n in most)
        stride = tuple(self.draw(st.sampled_from([1, 1, 1, 2, LARGEST_STRIDE])) for _ in sizes)
        axes = list(zip(sizes, kernel, stride, strict=True))
        padding = tuple(p for n, k, s in axes for p in same_padding(n, k, s)) if same else (0, 0, 0, 0)
        size = [-(-n // s) if same else (n - k) // s + 1 for n, k, s in axes]
        attributes = {"stride": stride, "padding": padding, "activation": self.draw(activations)}
        if kind.endswith("pool2d"):
            self.add(kind, [x], [x.type.with_shape(1, *size, channels)], kernel=kernel, **attributes)
            return
        outputs = channels if kind == "depthwise_conv2d" else self.draw(st.integers(1, 6))
        shape, axis = ((1, *kernel, outputs), 3) if kind == "depthwise_conv2d" else ((outputs, *kernel, channels), 0)
        result = self.type_of(x.type.dtype, 1, *size, outputs)
        self.add(kind, [x, *self.weights(x, shape, axis)], [result], dilation=(1, 1), **attributes)

    def residual(self) -> None:
        """The sum of the newest image and another one of its shape; itself if there is none."""
        x = self.values[-1]
        alike = [v for v in self.values if v.type.shape == x.type.shape and v.type.dtype is x.type.dtype]
        operands = self.draw(st.permutations([x, self.draw(st.sampled_from(alike))]))
        self.add("add", operands, [self.same(x)], activation=self.draw(activations))

    def activation(self) -> None:
        """An activation of the newest image."""
        x = self.values[-1]
        self.add(self.draw(st.sampled_from(["relu", "hard_swish"])), [x], [self.same(x)])


STEPS: list[Callable[[Convolutional], None]] = [
    *(Convolutional.windowed, Convolutional.windowed, Convolutional.windowed, Convolutional.residual),
    *(Convolutional.residual, Convolutional.activation, Convolutional.pad),
]


@st.composite
def convolutional_graphs(draw: st.DrawFn) -> Module:
    """Three to ten operations; one output, or two."""
    builder = Convolutional(draw, draw(st.sampled_from([[DType.INT8], [DType.INT8], [DType.FLOAT32]])))
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=3, max_size=10)):
        step(builder)
    outputs = [builder.values[-1], *draw(st.lists(st.sampled_from(builder.values), max_size=1))]
    module = Graph("graph", {"infer": Function("infer", builder.inputs, builder.operations, outputs)})
    verify(module)
    return module


class Chain(Convolutional):
    """Each operation reads the result of the one before."""

    def image(self) -> Value:
        return self.values[-1]


@st.composite
def chains(draw: st.DrawFn) -> Module:
    """Four to seven windows, one behind the other, in int8; one output."""
    builder = Chain(draw, [DType.INT8])
    for _ in range(draw(st.integers(4, 7))):
        builder.windowed()
    module = Graph("chain", {"infer": Function("infer", builder.inputs, builder.operations, [builder.values[-1]])})
    verify(module)
    return module
