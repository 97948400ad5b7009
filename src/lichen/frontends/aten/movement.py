"""Operators that move elements about, and those that do nothing. Most of them are only another layout of the same value."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from lichen.errors import UnsupportedError
from lichen.frontends.aten.builder import Builder, Call, lowers
from lichen.frontends.aten.tensor import Flattened, Layout, Tensor, identity


@lowers(
    "aten.clone.default",
    "aten.contiguous.default",
    "aten.dropout.default",
    "aten.alias.default",
    "aten.detach.default",
    "aten.lift_fresh_copy.default",
)
def nothing(builder: Builder, call: Call) -> Tensor:
    if call.arguments.get("train"):
        raise UnsupportedError("dropout is in training mode; call model.eval() before exporting")
    return call.tensor("input" if "input" in call.arguments else "self")


@lowers("aten.permute.default")
def permute(builder: Builder, call: Call) -> Tensor:
    source = builder.unflattened(call.tensor("self"))
    return _permuted(source, [d % source.rank for d in call["dims"]], call.shape)


@lowers("aten.transpose.int")
def transpose(builder: Builder, call: Call) -> Tensor:
    source = builder.unflattened(call.tensor("self"))
    dimensions = list(range(source.rank))
    a, b = call.dimension(call["dim0"]), call.dimension(call["dim1"])
    dimensions[a], dimensions[b] = b, a
    return _permuted(source, dimensions, call.shape)


@lowers("aten.t.default")
def matrix_transpose(builder: Builder, call: Call) -> Tensor:
    source = builder.unflattened(call.tensor("self"))
    return _permuted(source, list(range(source.rank))[::-1], call.shape)


@lowers(
    "aten.view.default",
    "aten.reshape.default",
    "aten._unsafe_view.default",
    "aten.flatten.using_ints",
    "aten.squeeze.default",
    "aten.squeeze.dim",
    "aten.squeeze.dims",
    "aten.unsqueeze.default",
)
def view(builder: Builder, call: Call) -> Tensor:
    """Without a byte moved where only dimensions of 1 come and go, or where what is flattened can stay in memory order."""
    source, shape = call.tensor("self"), call.shape
    if source.shape == shape:
        return source
    source = builder.unflattened(source)
    order = source.memory_order()
    if order != tuple(sorted(order)):
        relabelled = _without_ones(source, shape)
        if relabelled is not None:
            return relabelled
        if max(shape, default=1) == math.prod(shape):
            sizes = tuple(source.shape[d] for d in order)
            permutation = tuple(order.index(d) for d in sorted(order))
            value = builder.reshaped(source.value, shape)
            return Tensor(value, shape, identity(len(shape)), Flattened(sizes, permutation))
    plain = builder.plain(source)
    return Tensor(builder.reshaped(plain.value, shape), shape, identity(len(shape)))


@lowers("aten.expand.default")
def expand(builder: Builder, call: Call) -> Tensor:
    source = call.tensor("self")
    if source.shape != call.shape:
        raise UnsupportedError(
            f"repeating {list(source.shape)} to {list(call.shape)} is not supported; let the arithmetic broadcast"
        )
    return source


@lowers("aten.cat.default")
def cat(builder: Builder, call: Call) -> Tensor:
    parts: list[Any] = call["tensors"]
    if not all(isinstance(part, Tensor) for part in parts):
        raise UnsupportedError("joining with a constant is not supported; pad instead, or join what is computed")
    dimension = call["dim"] % len(call.shape)
    first = _with_dimension(builder, parts[0], dimension)
    values = [first.value, *(builder.arranged(part, first.layout).value for part in parts[1:])]
    shape = tuple(1 if d is None else call.shape[d] for d in first.layout)
    value = builder.emit("concat", values, shape, axis=first.layout.index(dimension))
    return Tensor(value, call.shape, first.layout)


@lowers("aten.split.Tensor", "aten.split_with_sizes.default", "aten.chunk.default")
def split(builder: Builder, call: Call) -> list[Tensor]:
    """One slice for each part."""
    source = call.tensor("self")
    dimension = call.dimension(call["dim"])
    parts, start = [], 0
    for part in call.node.meta["val"]:
        stop = start + int(part.shape[dimension])
        parts.append(_sliced(builder, source, dimension, start, stop, 1))
        start = stop
    return parts


@lowers("aten.slice.Tensor")
def slice_(builder: Builder, call: Call) -> Tensor:
    source = call.tensor("self")
    dimension = call.dimension(call["dim"])
    start, stop, step = slice(call["start"], call["end"], call["step"]).indices(source.shape[dimension])
    return _sliced(builder, source, dimension, start, stop, step)


@lowers("aten.select.int")
def select(builder: Builder, call: Call) -> Tensor:
    source = call.tensor("self")
    dimension = call.dimension(call["dim"])
    index = call["index"] % source.shape[dimension]
    one = _sliced(builder, source, dimension, index, index + 1, 1)
    layout = tuple(None if d is None or d == dimension else d - (d > dimension) for d in one.layout)
    return Tensor(one.value, call.shape, layout)


@lowers("aten.constant_pad_nd.default", "aten.pad.default")
def pad(builder: Builder, call: Call) -> Tensor:
    if call.arguments.get("mode", "constant") != "constant":
        raise UnsupportedError(f"padding of mode '{call['mode']}' is not supported; use constant padding")
    source = builder.unflattened(call.tensor("self"))
    amounts: list[int] = list(call["pad"])  # (before, after) of the last dimension, of the one before it, …
    if min(amounts, default=0) < 0:
        raise UnsupportedError(f"negative padding {amounts} is not supported; slice instead")
    before, after = {}, {}
    for i in range(len(amounts) // 2):
        before[source.rank - 1 - i], after[source.rank - 1 - i] = amounts[2 * i], amounts[2 * i + 1]
    if any(d not in source.layout for d in before):
        source = builder.plain(source)
    shape = tuple(1 if d is None else call.shape[d] for d in source.layout)
    value = builder.emit(
        "pad",
        [source.value],
        shape,
        before=tuple(0 if d is None else before.get(d, 0) for d in source.layout),
        after=tuple(0 if d is None else after.get(d, 0) for d in source.layout),
        value=float(call["value"] or 0.0),
    )
    return Tensor(value, call.shape, source.layout)


def _permuted(source: Tensor, dimensions: list[int], shape: tuple[int, ...]) -> Tensor:
    """PyTorch's new dimension `i` is its old dimension `dimensions[i]`."""
    layout: Layout = tuple(None if d is None else dimensions.index(d) for d in source.layout)
    return Tensor(source.value, shape, layout)


def _without_ones(source: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    """The same value under a shape that differs in dimensions of 1 only, if it does."""
    kept_before = [d for d, n in enumerate(source.shape) if n > 1]
    kept_after = [d for d, n in enumerate(shape) if n > 1]
    if [source.shape[d] for d in kept_before] != [shape[d] for d in kept_after]:
        return None
    moved = dict(zip(kept_before, kept_after, strict=True))
    return Tensor(source.value, shape, tuple(None if d is None else moved.get(d) for d in source.layout))


def _with_dimension(builder: Builder, tensor: Tensor, dimension: int) -> Tensor:
    """The tensor in a layout that has PyTorch's `dimension`."""
    tensor = builder.unflattened(tensor)
    return tensor if dimension in tensor.layout else builder.plain(tensor)


def _sliced(builder: Builder, source: Tensor, dimension: int, start: int, stop: int, step: int) -> Tensor:
    length = len(range(start, stop, step))
    if length == source.shape[dimension]:
        return source
    if length == 0:
        raise UnsupportedError("the slice is empty")
    source = _with_dimension(builder, source, dimension)
    axis, rank = source.layout.index(dimension), len(source.layout)

    def only(value: int, others: tuple[int, ...]) -> tuple[int, ...]:
        return (*others[:axis], value, *others[axis + 1 :])

    sizes = source.value.type.shape
    value = builder.emit(
        "strided_slice",
        [source.value],
        only(length, sizes),
        begin=only(start, (0,) * rank),
        end=only(stop, sizes),
        strides=only(step, (1,) * rank),
    )
    shape = (*source.shape[:dimension], length, *source.shape[dimension + 1 :])
    return replace(source, value=value, shape=shape)
