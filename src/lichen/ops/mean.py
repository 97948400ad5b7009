"""Mean over any axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lichen.errors import UnsupportedError
from lichen.ir.accesses import Accesses
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Constant, Operation, Value
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.attributes import integers
from lichen.ops.fixed_point import INT32_MAX, Multiplier, multiply, quantize_multiplier, to_int8
from lichen.ops.params import int16_params, int32_params


@register
class Mean(Operator):
    """x of any shape -> the mean over `axes`, which stay as 1 with `keep_dims` and vanish without.

    int8: same bytes as TensorFlow Lite Micro. float32: sums in memory order, then divides; within 1e-5 of the largest magnitude.
    """

    kind = "mean"
    operands = (1, 1)
    attributes = {"axes": tuple, "keep_dims": bool}

    def check(self, operation: Operation) -> None:
        source, result = operation.operands[0].type, operation.results[0].type
        require(not isinstance(operation.operands[0], Constant), "the input must not be constant")
        require(
            source.dtype is result.dtype and source.dtype in (DType.INT8, DType.FLOAT32),
            f"{source.dtype.value} input and {result.dtype.value} result: both must be i8 or both f32",
        )
        attribute = operation.attributes["axes"]
        axes = integers(operation, "axes", len(attribute) if isinstance(attribute, tuple) else 0, 0)
        require(
            0 < len(axes) == len(set(axes)) and max(axes) < source.rank,
            f"axes {axes} are not different axes of {list(source.shape)}",
        )
        dims = [
            (1 if i in axes else n)
            for i, n in enumerate(source.shape)
            if operation.attributes["keep_dims"] or i not in axes
        ]
        require(result.shape == tuple(dims), f"the result must be {dims}, not {list(result.shape)}")
        if source.dtype is DType.INT8:
            require(256 * _count(operation) <= INT32_MAX, f"a sum of {_count(operation)} values overflows 32 bits")
            _multiplier(operation)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        source, result = operation.operands[0].type, operation.results[0].type
        axes = operation.ints_attribute("axes")
        if source.dtype.is_float:
            return (operands[0].mean(axis=axes, dtype=np.float64).astype(np.float32).reshape(result.shape),)
        sums = operands[0].sum(axis=axes, dtype=np.int64) - source.zero_point * _count(operation)
        multiplier = _multiplier(operation)
        means = multiply(sums, multiplier.mantissa, multiplier.shift) + result.zero_point
        return (to_int8(means).reshape(result.shape),)

    def accesses(self, operation: Operation) -> Accesses:
        """One access a result element, in order: all that it is the mean of is read before it is written."""
        source = operation.operands[0].type
        axes = operation.ints_attribute("axes")
        index = np.arange(source.elements, dtype=np.int64).reshape(source.shape)
        bounds = np.stack([index.min(axis=axes).ravel(), index.max(axis=axes).ravel() + 1], axis=1) * source.dtype.size
        edges = np.arange(len(bounds) + 1, dtype=np.int64) * source.dtype.size
        return Accesses({0: bounds}, {0: np.stack([edges[:-1], edges[1:]], axis=1)}, atomic=True)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        source, result = operation.operands[0].type, operation.results[0].type
        by_words = source.dtype is DType.INT8 and core.has("dsp")
        members = ("keep_0", "reduce_0", "keep_1", "reduce_1", "keep_2")
        groups = _innermost(_groups(operation)) if by_words else _groups(operation)
        params = int16_params(operation, **dict(zip(members, groups, strict=True)))
        if source.dtype.is_float:
            params["count"] = float(_count(operation))
            return KernelCall("mean_f32", params, (Operand(0), Result(0)))
        multiplier = _multiplier(operation)
        params |= int16_params(operation, shift=multiplier.shift, out_zero=result.zero_point)
        offset = -source.zero_point * _count(operation)
        params |= int32_params(operation, multiplier=multiplier.mantissa, offset=offset)
        return KernelCall("mean_s8_dsp" if by_words else "mean_s8", params, (Operand(0), Result(0)))

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (gradient,), (x,) = gradients, operation.operands
        assert gradient is not None
        axes, factor = operation.ints_attribute("axes"), 1.0 / _count(operation)
        kept = [1 if i in axes else n for i, n in enumerate(x.type.shape)]
        if gradient.type.shape != tuple(kept):
            gradient = backward.emit("reshape", [gradient], x.type.with_shape(*kept))
        return {0: backward.emit("spread", [gradient], x.type, factor=factor)}


def _count(operation: Operation) -> int:
    """How many elements one mean is of."""
    return math.prod(operation.operands[0].type.shape[axis] for axis in operation.ints_attribute("axes"))


def _multiplier(operation: Operation) -> Multiplier:
    """From a sum to the result: the ratio of scales, its mantissa divided by the count with as many bits as int64 leaves."""
    ratio = quantize_multiplier(operation.operands[0].type.scale / operation.results[0].type.scale)
    count = _count(operation)
    bits = min(count.bit_length() - 1, 32, 31 + ratio.shift)
    return Multiplier((ratio.mantissa << bits) // count, ratio.shift - bits)


def _groups(operation: Operation) -> tuple[int, ...]:
    """The input's shape with neighbouring axes merged, as (keep, reduce, keep, reduce, keep). Raises `UnsupportedError`."""
    axes = operation.ints_attribute("axes")
    groups = [1]
    for axis, size in enumerate(operation.operands[0].type.shape):
        if size == 1:
            continue
        if (axis in axes) != (len(groups) % 2 == 0):
            groups.append(1)
        groups[-1] *= size
    if len(groups) > 5:
        raise UnsupportedError(
            f"mean '{operation.name}': axes {axes} are more than two groups of neighbours; split it in two"
        )
    return tuple(groups + [1] * (5 - len(groups)))


def _innermost(groups: tuple[int, ...]) -> tuple[int, ...]:
    """The same with sizes of 1 in front instead of behind, so that neighbours in memory are in the last group that has any."""
    return (1, 1, *groups[:3]) if groups[3:] == (1, 1) else groups
