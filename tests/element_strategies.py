"""Hypothesis strategies for modules of one elementwise operation."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lichen.ir.module import Module
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ops.fixed_point import ACTIVATIONS
from ops_oracle import bytes_of, f32, fixed, i8, one_op

scales = st.floats(-5, 2).map(lambda e: 10.0**e)
zeros = st.integers(-128, 127)

BROADCASTS = [
    ((1, 3, 4), (1, 3, 4)),
    ((1, 3, 4), (4,)),
    ((1, 3, 4), ()),
    ((1, 3, 1), (1, 1, 4)),
    ((5,), (2, 3, 5)),
    ((2, 1, 3, 1, 2), (4, 1, 5, 1)),
    ((), ()),
    ((2, 1, 3), (2, 4, 1)),
]

RESULTS = {"logistic": (1 / 256, -128), "tanh": (1 / 128, 0)}
"""Scale and zero point that an operator demands of its int8 result."""

INTEGER_PAIRS = [
    (DType.INT8, DType.INT8),
    (DType.UINT8, DType.INT8),
    (DType.INT8, DType.UINT8),
    (DType.INT16, DType.INT8),
]


def quantised(dtype: DType, scale: float, zero: int, *shape: int) -> TensorType:
    """A quantised type of any integer element type."""
    return TensorType(shape, dtype, Quantisation.per_tensor(float(np.float32(scale)), zero))


@st.composite
def binary_modules(draw: st.DrawFn, kind: str) -> Module:
    """One operation with any broadcast, quantisation, activation and place of a constant, or float32."""
    a_shape, b_shape = draw(st.sampled_from(BROADCASTS))
    shape = np.broadcast_shapes(a_shape, b_shape)
    activation = draw(st.sampled_from(sorted(ACTIVATIONS)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    constant_at = draw(st.sampled_from([None, 0, 1]))
    if draw(st.integers(0, 3)) == 0:
        types = [f32(*a_shape), f32(*b_shape), f32(*shape)]
        data = [rng.normal(size=s).astype(np.float32) for s in (a_shape, b_shape)]
    else:
        scale, zero = st.floats(-7, 2).map(lambda e: 10.0**e), st.integers(-128, 127)
        a_scale, b_scale = draw(scale), draw(scale)
        finest = a_scale * b_scale / 8000 if kind == "mul" else max(a_scale, b_scale) / 2e5
        result_scale = draw(st.floats(-3, 4).map(lambda e: 10.0**e).filter(lambda s: s > finest))
        types = [i8(*a_shape, scale=a_scale, zero=draw(zero)), i8(*b_shape, scale=b_scale, zero=draw(zero))]
        types.append(i8(*shape, scale=result_scale, zero=draw(zero)))
        data = [bytes_of(t, rng) for t in types[:2]]
    operands = [fixed(data[i], types[i]) if i == constant_at else types[i] for i in (0, 1)]
    return one_op(kind, operands, types[2:], {"activation": activation})


@st.composite
def element_map_modules(draw: st.DrawFn, kind: str) -> Module:
    """One operation of 256 elements, int8 with any legal quantisation or float32."""
    attributes = {"alpha": draw(st.floats(-2, 2, width=32))} if kind == "leaky_relu" else {}
    if draw(st.integers(0, 3)) == 0:
        return one_op(kind, [f32(2, 5)], [f32(2, 5)], attributes)
    scale, zero = draw(scales), draw(zeros)
    ratio = draw(st.floats(0.01, 100).filter(lambda r: kind != "hard_swish" or r > 0.01))
    result_scale, result_zero = RESULTS.get(kind, (scale * ratio, draw(zeros)))
    result = i8(1, 256, scale=result_scale, zero=result_zero)
    return one_op(kind, [i8(1, 256, scale=scale, zero=zero)], [result], attributes)


@st.composite
def quantize_modules(draw: st.DrawFn) -> Module:
    """Any pair of types that can be quantised."""
    pair = draw(st.sampled_from([*INTEGER_PAIRS, None]))
    scale = draw(scales)
    if pair is None:
        return one_op("quantize", [f32(4, 9)], [i8(4, 9, scale=scale, zero=draw(zeros))])
    source, target = pair
    x = quantised(source, scale, draw(st.integers(*source.range)), 4, 64)
    ratio = draw(st.floats(0.01, 100))
    return one_op("quantize", [x], [quantised(target, scale * ratio, draw(st.integers(*target.range)), 4, 64)])


@st.composite
def dequantize_modules(draw: st.DrawFn) -> Module:
    """One dequantize."""
    return one_op("dequantize", [i8(3, 7, scale=draw(scales), zero=draw(zeros))], [f32(3, 7)])


@st.composite
def softmax_modules(draw: st.DrawFn) -> Module:
    """One softmax of a few rows."""
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 40))
    beta = {"beta": draw(st.sampled_from([0.3, 1.0, 2.5]))}
    if draw(st.integers(0, 3)) == 0:
        return one_op("softmax", [f32(*shape)], [f32(*shape)], beta)
    return one_op("softmax", [i8(*shape, scale=draw(scales))], [i8(*shape, scale=1 / 256, zero=-128)], beta)
