"""Hypothesis strategy for modules of many operations.

How this works inside: a builder keeps the values there are; each step takes some of them, brings them into the shape or type it needs
by an operation of its own, and adds its results. Every value may be used by any number of later steps, by none, or be an output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from lichen.ir.module import Attribute, Constant, Function, Module, Operation, State, Value
from lichen.ir.print import print_module
from lichen.ir.types import DType, TensorType
from lichen.ir.verify import verify
from lichen.ops.fixed_point import ACTIVATIONS
from ops_oracle import f32, fixed, i8
from shape_strategies import filled
from strategies import activations, same_padding, seeds, weighted, zero_points

MOST_ELEMENTS = 400  # of a value; graphs stay small where operators multiply sizes
SCALES = (0.02, 0.05, 0.1)  # so near each other that every operator's arithmetic can hold their ratios
FINITE = [name for name in ACTIVATIONS if np.isfinite(ACTIVATIONS[name]).all()]

# What gives the same float32 in NumPy and in C, so that a quantisation behind it cannot fall on different sides of a half.
EXACT = {"add", "sub", "mul", "relu", "relu6", "max_pool2d", "pad", "concat", "split", "strided_slice", "transpose"}
EXACT |= {"reshape", "resize_nearest", "dequantize", "read_state"}


class Graph(Module):
    """A module that hypothesis reports as text."""

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        printer.text(print_module(self))


class Builder:
    """A function under construction; each public method of no arguments adds an operation on values drawn from those there are."""

    def __init__(self, draw: st.DrawFn, dtypes: Sequence[DType]) -> None:
        self.draw, self.dtypes = draw, dtypes
        self.rng = np.random.default_rng(draw(seeds))
        self.operations: list[Operation] = []
        self.count = 0
        self.inputs = [self.new(self.type_of(draw(st.sampled_from(dtypes)), *shape)) for shape in draw(input_shapes)]
        self.values = list(self.inputs)
        self.inexact: set[Value] = set()

    # --- types, values and constants

    def type_of(self, dtype: DType, *shape: int) -> TensorType:
        """A type with any quantisation that every operator can work with."""
        if dtype.is_float:
            return f32(*shape)
        return i8(*shape, scale=self.draw(st.sampled_from(SCALES)), zero=self.draw(zero_points))

    def same(self, x: Value) -> TensorType:
        """The type of `x`, or its shape in another quantisation."""
        return x.type if self.draw(st.booleans()) else self.type_of(x.type.dtype, *x.type.shape)

    def new(self, type_: TensorType) -> Value:
        self.count += 1
        return Value(f"v{self.count}", type_)

    def fixed(self, type_: TensorType) -> Constant:
        self.count += 1
        return fixed(filled(type_, int(self.rng.integers(1 << 30))), type_, f"c{self.count}")

    def pick(self, suits: Callable[[Value], bool] = lambda _: True) -> Value:
        """A value that `suits`; where there is none, the first input must do."""
        return self.draw(st.sampled_from([v for v in self.values if suits(v)] or self.inputs[:1]))

    def source(self) -> Value:
        """A value, or now and then a constant of its type: what is computed from constants alone may be folded."""
        x = self.pick()
        return self.fixed(x.type) if self.draw(st.integers(0, 4)) == 4 else x

    def image(self) -> Value:
        """A value of the shape (1, height, width, channels), made of another one if need be."""
        x = self.pick()
        if x.type.rank == 4 and x.type.shape[0] == 1:
            return x
        wide = [n for n in (1, 2, 3, 4, 6) if x.type.elements % n == 0]
        width = self.draw(st.sampled_from(wide))
        return self.add("reshape", [x], [x.type.with_shape(1, 1, x.type.elements // width, width)])[0]

    def add(
        self, kind: str, operands: Sequence[Value], types: Sequence[TensorType], **attributes: Attribute
    ) -> list[Value]:
        """Adds the operation, unless a result would be too large; the results, or the first operand in their place."""
        if any(t.elements > MOST_ELEMENTS for t in types):
            return [operands[0]]
        results = [self.new(t) for t in types]
        self.operations.append(Operation(kind, list(operands), results, attributes))
        self.values += results
        if types[0].dtype.is_float and (kind not in EXACT or self.inexact & set(operands)):
            self.inexact |= set(results)
        return results

    # --- elementwise

    def binary(self) -> None:
        x = self.pick()
        others: list[Value] = [v for v in self.values if v.type.dtype is x.type.dtype and broadcast(v, x)]
        others += [self.fixed(self.type_of(x.type.dtype, *x.type.shape[-1:])), self.fixed(self.type_of(x.type.dtype))]
        operands = self.draw(st.permutations([x, self.draw(st.sampled_from(others))]))
        result = self.type_of(x.type.dtype, *np.broadcast_shapes(*(v.type.shape for v in operands)))
        kind = self.draw(st.sampled_from(["add", "sub", "mul"]))
        # A float32 product is kept finite: squares of squares would overflow.
        limited = kind == "mul" and x.type.dtype.is_float
        self.add(kind, operands, [result], activation=self.draw(st.sampled_from(FINITE) if limited else activations))

    def unary(self) -> None:
        x = self.pick()
        kind = self.draw(st.sampled_from(["relu", "relu6", "hard_swish", "leaky_relu"]))
        attributes = {"alpha": 0.25} if kind == "leaky_relu" else {}
        self.add(kind, [x], [x.type if kind == "relu6" else self.same(x)], **attributes)

    def squash(self) -> None:
        x = self.pick(lambda v: v.type.rank > 0)
        kind = self.draw(st.sampled_from(["logistic", "tanh", "softmax"]))
        scale, zero = (1 / 128, 0) if kind == "tanh" else (1 / 256, -128)
        result = x.type if x.type.dtype.is_float else i8(*x.type.shape, scale=scale, zero=zero)
        self.add(kind, [x], [result], **({"beta": 1.0} if kind == "softmax" else {}))

    def requantise(self) -> None:
        x = self.pick(lambda v: v not in self.inexact)
        if x not in self.inexact:
            self.add("quantize", [x], [self.type_of(DType.INT8, *x.type.shape)])

    def dequantise(self) -> None:
        x = self.pick(lambda v: not v.type.dtype.is_float)
        if not x.type.dtype.is_float:
            self.add("dequantize", [x], [f32(*x.type.shape)])

    # --- movement

    def reshape(self) -> None:
        x = self.pick()
        shape = self.draw(st.sampled_from([(x.type.elements,), (1, x.type.elements), (1, 1, x.type.elements, 1)]))
        self.add("reshape", [x], [x.type.with_shape(*shape)])

    def transpose(self) -> None:
        x = self.source()
        permutation = tuple(self.draw(st.permutations(range(x.type.rank))))
        shape = [x.type.shape[axis] for axis in permutation]
        self.add("transpose", [x], [x.type.with_shape(*shape)], permutation=permutation)

    def slice(self) -> None:
        x = self.source()
        begin = tuple(self.draw(st.integers(0, n - 1)) for n in x.type.shape)
        strides = tuple(self.draw(st.sampled_from([1, 1, 2, -1])) for _ in begin)
        end = tuple(n if s > 0 else -1 for n, s in zip(x.type.shape, strides, strict=True))
        shape = [len(range(*bounds)) for bounds in zip(begin, end, strides, strict=True)]
        self.add("strided_slice", [x], [x.type.with_shape(*shape)], begin=begin, end=end, strides=strides)

    def join(self) -> None:
        x = self.pick(lambda v: v.type.rank > 0)
        alike = [v for v in self.values if v.type == x.type] + [self.fixed(x.type)]
        operands = self.draw(st.permutations([x, *self.draw(st.lists(st.sampled_from(alike), max_size=3))]))
        axis = self.draw(st.integers(0, x.type.rank - 1))
        shape = [n * len(operands) if i == axis else n for i, n in enumerate(x.type.shape)]
        self.add("concat", operands, [x.type.with_shape(*shape)], axis=axis)

    def split(self) -> None:
        x = self.source()
        wide = [axis for axis, n in enumerate(x.type.shape) if n > 1]
        if wide:
            axis = self.draw(st.sampled_from(wide))
            cut = self.draw(st.integers(1, x.type.shape[axis] - 1))
            parts = [[*x.type.shape[:axis], n, *x.type.shape[axis + 1 :]] for n in (cut, x.type.shape[axis] - cut)]
            self.add("split", [x], [x.type.with_shape(*shape) for shape in parts], axis=axis)

    def pad(self) -> None:
        x = self.image()
        before, after = ((0, self.draw(st.integers(0, 1)), self.draw(st.integers(0, 1)), 0) for _ in range(2))
        shape = [b + n + a for b, n, a in zip(before, x.type.shape, after, strict=True)]
        zero = 0.0 if x.type.dtype.is_float else float(x.type.zero_point)
        value = self.draw(st.sampled_from([zero, 3.0]))
        self.add("pad", [x], [x.type.with_shape(*shape)], before=before, after=after, value=value)

    def resize(self) -> None:
        x = self.image()
        height, width = (self.draw(st.integers(1, 2 * n)) for n in x.type.shape[1:3])
        result = x.type.with_shape(1, height, width, x.type.shape[3])
        self.add("resize_nearest", [x], [result], align_corners=False, half_pixel_centers=self.draw(st.booleans()))

    # --- windows and sums

    def convolve(self) -> None:
        x = self.image()
        channels = x.type.shape[3]
        depthwise = self.draw(st.booleans())
        outputs = channels * self.draw(st.integers(1, 2)) if depthwise else self.draw(st.integers(1, 9))
        kernel, attributes, size = self.window(x)
        shape = (1, *kernel, outputs) if depthwise else (outputs, *kernel, channels)
        operands = [x, *self.weights(x, shape, 3 if depthwise else 0)]
        kind = "depthwise_conv2d" if depthwise else "conv2d"
        self.add(kind, operands, [self.type_of(x.type.dtype, 1, *size, outputs)], dilation=(1, 1), **attributes)

    def pool(self) -> None:
        x = self.image()
        kernel, attributes, size = self.window(x)
        kind = self.draw(st.sampled_from(["avg_pool2d", "max_pool2d"]))
        self.add(kind, [x], [x.type.with_shape(1, *size, x.type.shape[3])], kernel=kernel, **attributes)

    def dense(self) -> None:
        x = self.pick()
        divisors = [n for n in range(1, 65) if x.type.elements % n == 0]
        inputs, outputs = self.draw(st.sampled_from(divisors)), self.draw(st.integers(1, 9))
        result = self.type_of(x.type.dtype, x.type.elements // inputs, outputs)
        self.add("dense", [x, *self.weights(x, (outputs, inputs), 0)], [result], activation=self.draw(activations))

    def mean(self) -> None:
        x = self.pick(lambda v: 0 < v.type.rank < 5)
        if 0 < x.type.rank < 5:
            axes = sorted(self.draw(st.sets(st.integers(0, x.type.rank - 1), min_size=1)))
            shape = [1 if axis in axes else n for axis, n in enumerate(x.type.shape)]
            result = self.type_of(x.type.dtype, *shape) if self.draw(st.booleans()) else x.type.with_shape(*shape)
            self.add("mean", [x], [result], axes=tuple(axes), keep_dims=True)

    def window(self, x: Value) -> tuple[tuple[int, int], dict[str, Attribute], list[int]]:
        """Kernel, attributes and the size of the result of a window over `x`, padded as SAME."""
        kernel, stride = ((self.draw(st.integers(1, 3)), self.draw(st.integers(1, most))) for most in (3, 2))
        axes = list(zip(x.type.shape[1:3], kernel, stride, strict=True))
        padding = tuple(p for n, k, s in axes for p in same_padding(n, k, s))
        attributes: dict[str, Attribute] = {"stride": stride, "padding": padding, "activation": self.draw(activations)}
        return kernel, attributes, [-(-n // s) for n, _, s in axes]

    def weights(self, x: Value, shape: tuple[int, ...], axis: int) -> list[Constant]:
        """Weights and, perhaps, biases under names of their own."""
        constants = weighted(self.draw, shape, axis, x.type, self.draw(st.booleans()))
        self.count += 1
        return [Constant(f"{c.name}{self.count}", c.type, c.data) for c in constants]

    # --- state

    def memory(self) -> None:
        """New state that is read and written, in either order."""
        x = self.pick()
        written = self.draw(st.sampled_from([x, self.fixed(x.type)]))
        self.count += 1
        state = State(f"s{self.count}", written.type, filled(written.type, self.count))
        read, write = (
            Operation("read_state", [state], [self.new(written.type)]),
            Operation("write_state", [state, written], []),
        )
        self.operations += self.draw(st.permutations([read, write]))
        self.values += read.results
        if written in self.inexact:
            self.inexact |= set(read.results)


def broadcast(a: Value, b: Value) -> bool:
    """Whether the shapes of two values go together."""
    try:
        np.broadcast_shapes(a.type.shape, b.type.shape)
    except ValueError:
        return False
    return True


input_shapes = st.lists(
    st.one_of(
        st.tuples(st.just(1), st.integers(1, 6), st.integers(1, 6), st.integers(1, 9)),
        st.tuples(st.just(1), st.integers(1, 40)),
    ),
    min_size=1,
    max_size=3,
)

STEPS: list[Callable[[Builder], None]] = [
    *(Builder.binary, Builder.unary, Builder.squash, Builder.requantise, Builder.dequantise),
    *(Builder.reshape, Builder.transpose, Builder.slice, Builder.join, Builder.split, Builder.pad, Builder.resize),
    *(Builder.convolve, Builder.convolve, Builder.pool, Builder.dense, Builder.mean, Builder.binary, Builder.memory),
]


@st.composite
def graphs(draw: st.DrawFn) -> Module:
    """Two to twelve steps on values of int8, float32 or both; up to three inputs, which may be unused, and four outputs of any kind."""
    builder = Builder(draw, draw(st.sampled_from([[DType.INT8], [DType.FLOAT32], [DType.INT8, DType.FLOAT32]])))
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=2, max_size=12)):
        step(builder)
    outputs = [builder.values[-1], *draw(st.lists(st.sampled_from(builder.values), max_size=3))]
    module = Graph("graph", {"infer": Function("infer", builder.inputs, builder.operations, outputs)})
    verify(module)
    return module
