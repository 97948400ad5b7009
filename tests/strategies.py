"""Hypothesis strategies for modules of one operation over windows, weights or axes, and the same operation for TensorFlow Lite Micro."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from lichen.ir.module import Array, Constant, Module
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ops.fixed_point import ACTIVATIONS
from ops_oracle import f32, fixed, i8, i32, one_op
from tflite_builder import Graph, build, tflm_run

activations = st.sampled_from(sorted(ACTIVATIONS))
zero_points = st.integers(-128, 127)
scales = st.floats(1e-3, 1.0).map(lambda s: float(np.float32(s)))
seeds = st.integers(0, 2**32 - 1)


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """What TensorFlow calls SAME: padding before and after one axis."""
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


@st.composite
def geometries(draw: st.DrawFn, named: bool = False, dilated: bool = True) -> dict[str, Any]:
    """Size of the input, kernel, stride, dilation and padding of a window that fits; `named` keeps to SAME and VALID."""
    axes = []
    scheme = draw(st.sampled_from(["SAME", "VALID"] if named else ["SAME", "VALID", "ANY"]))
    for _ in range(2):
        kernel, stride = draw(st.integers(1, 7)), draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 3)) if dilated else 1
        reach = (kernel - 1) * dilation + 1
        if scheme == "VALID":
            size, padding = draw(st.integers(reach, reach + 8)), (0, 0)
        elif scheme == "SAME":
            size = draw(st.integers(1, 11))
            padding = same_padding(size, kernel, stride, dilation)
        else:
            padding = draw(st.integers(0, reach - 1)), draw(st.integers(0, reach - 1))
            size = draw(st.integers(max(1, reach - sum(padding)), reach + 5))
        axes.append((size, kernel, stride, dilation, padding, (size + sum(padding) - reach) // stride + 1))
    (h, kernel_h, stride_h, dilation_h, rows, out_h), (w, kernel_w, stride_w, dilation_w, columns, out_w) = axes
    return {
        "input": (h, w),
        "kernel": (kernel_h, kernel_w),
        "output": (out_h, out_w),
        "attributes": {
            "stride": (stride_h, stride_w),
            "padding": (*rows, *columns),
            "dilation": (dilation_h, dilation_w),
        },
    }


def weighted(
    draw: st.DrawFn, shape: tuple[int, ...], axis: int, source: TensorType, per_channel: bool
) -> list[Constant]:
    """Random weights and, perhaps, biases for an input: symmetric int8 with one scale or one per channel, or float32."""
    rng = np.random.default_rng(draw(seeds))
    channels = shape[axis]
    if source.dtype.is_float:
        operands = [fixed(rng.normal(size=shape).astype(np.float32), f32(*shape), "w")]
        bias = fixed(rng.normal(size=channels).astype(np.float32), f32(channels), "b")
    else:
        weight_scales = rng.uniform(1e-3, 0.1, channels if per_channel else 1).astype(np.float32).astype(float)
        q = Quantisation(tuple(weight_scales), (0,) * len(weight_scales), axis if per_channel else None)
        data = rng.integers(-127, 128, shape).astype(np.int8)
        operands = [fixed(data, TensorType(shape, DType.INT8, q), "w")]
        products = tuple(float(np.float32(source.scale * s)) for s in weight_scales)
        q = Quantisation(products, (0,) * len(products), 0 if per_channel else None)
        bias = fixed(
            rng.integers(-20000, 20000, channels).astype(np.int32), TensorType((channels,), DType.INT32, q), "b"
        )
    return [*operands, bias] if draw(st.booleans()) else operands


@st.composite
def sources(draw: st.DrawFn, shape: tuple[int, ...], dtype: str) -> TensorType:
    """A type of this shape, with any quantisation if it is int8."""
    return f32(*shape) if dtype == "float32" else i8(*shape, scale=draw(scales), zero=draw(zero_points))


@st.composite
def results(draw: st.DrawFn, shape: tuple[int, ...], source: TensorType, gain: float) -> TensorType:
    """A result type; int8 results of real values `gain` times those of the input mostly stay inside their range."""
    if source.dtype.is_float:
        return f32(*shape)
    return i8(*shape, scale=source.scale * gain * draw(st.floats(0.3, 3.0)), zero=draw(zero_points))


@st.composite
def conv2d_modules(draw: st.DrawFn, dtype: str, named: bool = False) -> Module:
    """One conv2d."""
    geometry = draw(geometries(named))
    channels, outputs = draw(st.integers(1, 19)), draw(st.integers(1, 19))
    source = draw(sources((1, *geometry["input"], channels), dtype))
    per_channel = draw(st.booleans())
    operands = weighted(draw, (outputs, *geometry["kernel"], channels), 0, source, per_channel)
    gain = 3.0 * float(np.sqrt(channels * np.prod(geometry["kernel"])))
    result = draw(results((1, *geometry["output"], outputs), source, gain))
    return one_op("conv2d", [source, *operands], [result], geometry["attributes"] | {"activation": draw(activations)})


@st.composite
def depthwise_modules(draw: st.DrawFn, dtype: str, named: bool = False) -> Module:
    """One depthwise_conv2d."""
    geometry = draw(geometries(named))
    channels, multiplier = draw(st.integers(1, 19)), draw(st.sampled_from([1, 1, 1, 2, 3, 4, 8]))
    outputs = channels * multiplier
    source = draw(sources((1, *geometry["input"], channels), dtype))
    operands = weighted(draw, (1, *geometry["kernel"], outputs), 3, source, draw(st.booleans()))
    result = draw(results((1, *geometry["output"], outputs), source, 3.0 * float(np.sqrt(np.prod(geometry["kernel"])))))
    attributes = geometry["attributes"] | {"activation": draw(activations)}
    return one_op("depthwise_conv2d", [source, *operands], [result], attributes)


@st.composite
def dense_modules(draw: st.DrawFn, dtype: str) -> Module:
    """One dense."""
    batch, inputs, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 70)), draw(st.integers(1, 19))
    source = draw(sources((batch, inputs), dtype))
    operands = weighted(draw, (outputs, inputs), 0, source, draw(st.booleans()))
    result = draw(results((batch, outputs), source, 3.0 * float(np.sqrt(inputs))))
    return one_op("dense", [source, *operands], [result], {"activation": draw(activations)})


@st.composite
def pool_modules(draw: st.DrawFn, kind: str, dtype: str, named: bool = False, most_channels: int = 19) -> Module:
    """One avg_pool2d or max_pool2d."""
    geometry = draw(geometries(named, dilated=False))
    channels = draw(st.integers(1, most_channels))
    source = draw(sources((1, *geometry["input"], channels), dtype))
    result = source.with_shape(1, *geometry["output"], channels)
    attributes = geometry["attributes"] | {"kernel": geometry["kernel"], "activation": draw(activations)}
    del attributes["dilation"]
    return one_op(kind, [source], [result], attributes)


@st.composite
def pad_modules(draw: st.DrawFn, dtype: str) -> Module:
    """One pad."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    before, after = (tuple(draw(st.integers(0, 3)) for _ in shape) for _ in range(2))
    source = draw(sources(shape, dtype))
    result = source.with_shape(*(b + n + a for b, n, a in zip(before, shape, after, strict=True)))
    value = float(draw(st.integers(-128, 127)))
    return one_op("pad", [source], [result], {"before": before, "after": after, "value": value})


@st.composite
def resize_modules(draw: st.DrawFn, dtype: str) -> Module:
    """One resize_nearest."""
    h, w, channels, out_h, out_w = (draw(st.integers(1, n)) for n in (13, 13, 7, 30, 30))
    source = draw(sources((1, h, w, channels), dtype))
    # Both at once is what TensorFlow refuses.
    corners, centers = draw(st.sampled_from([(False, False), (True, False), (False, True)]))
    attributes = {"align_corners": corners, "half_pixel_centers": centers}
    return one_op("resize_nearest", [source], [source.with_shape(1, out_h, out_w, channels)], attributes)


@st.composite
def mean_modules(draw: st.DrawFn, dtype: str, most_axes: int = 4) -> Module:
    """One mean, of any axes of up to four dimensions."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=2, max_size=4)))
    count = draw(st.integers(1, min(most_axes, len(shape))))
    axes = tuple(sorted(draw(st.permutations(range(len(shape))))[:count]))
    keep = draw(st.booleans())
    source = draw(sources(shape, dtype))
    dims = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
    same = draw(st.booleans())
    result = source.with_shape(*dims) if same else draw(results(dims, source, 0.7))
    return one_op("mean", [source], [result], {"axes": axes, "keep_dims": keep})


def micro(builtin: str, module: Module, x: Array, options: dict[str, Any], constants: tuple[Array, ...] = ()) -> Array:
    """What TensorFlow Lite Micro makes of the operation of `module`: its constant operands, then further `constants`, follow x."""
    (operation,) = module.infer.operations
    graph = Graph()
    operands = [graph.input(*_described(operation.operands[0].type))]
    for operand in operation.operands[1:]:
        assert isinstance(operand, Constant)
        operands.append(graph.constant(operand.data, **_quantised(operand.type)))
    operands += [graph.constant(array) for array in constants]
    result = operation.results[0].type
    output = graph.op(builtin, operands, *_described(result), options=options)
    return tflm_run(build(graph.returns(output)), [x])[0].reshape(result.shape)


def micro_activation(name: str) -> str:
    """The schema's name of a fused activation."""
    return {"none": "NONE", "relu": "RELU", "relu6": "RELU6", "relu_n1_to_1": "RELU_N1_TO_1"}[name]


def micro_window(module: Module) -> dict[str, Any]:
    """The options that convolutions and poolings have in common."""
    (operation,) = module.infer.operations
    stride_h, stride_w = operation.ints_attribute("stride")
    # Padding that is none is the same under either name.
    padding = "SAME" if any(operation.ints_attribute("padding")) else "VALID"
    activation = micro_activation(operation.str_attribute("activation"))
    return {"Padding": padding, "StrideH": stride_h, "StrideW": stride_w, "FusedActivationFunction": activation}


def _described(type_: TensorType) -> tuple[tuple[int, ...], str, float | None, int]:
    q = type_.quantisation
    return type_.shape, str(type_.dtype.numpy), None if q is None else q.scale[0], 0 if q is None else q.zero_point[0]


def _quantised(type_: TensorType) -> dict[str, Any]:
    q = type_.quantisation
    return {} if q is None else {"scale": list(q.scale), "zero_point": list(q.zero_point), "axis": q.axis or 0}


@st.composite
def bonsai_tree_modules(draw: st.DrawFn) -> Module:
    """One bonsai_tree."""
    depth, rows, features = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 9))
    inner, classes = 2**depth - 1, draw(st.sampled_from((1, 2))) if rows == 1 else rows
    rng = np.random.default_rng(draw(seeds))
    of_z, *of_parts = (float(rng.uniform(1e-3, 0.05)) for _ in range(4))
    parts = [
        fixed(rng.integers(-128, 128, shape).astype(np.int8), i8(*shape, scale=scale), name)
        for name, scale, shape in zip(
            ("w", "v", "t"),
            of_parts,
            ((2 * inner + 1, rows, features), (2 * inner + 1, rows, features), (inner, features)),
            strict=True,
        )
    ]
    attributes = {"sigma": 10 ** draw(st.floats(-6, 6))}
    scores = i32(1, classes, scale=of_z * of_parts[0])
    return one_op("bonsai_tree", [i8(1, features, scale=of_z), *parts], [scores], attributes)
