"""A streaming region in vertical strips, each of which streams by rows: narrower rings, and a halo that is computed again.

How this works inside: from the columns of a result that a strip computes follow those of every other tensor that it needs, the
operands' from the result's as for one layer. Operations are copied with values of those columns: padding stays where the strip
meets the border of the image and goes where it meets another strip. Rows are as before, so the calls and the rows of the rings are
those of the region. What a strip reads from outside, or leaves there, it finds at an offset in the rows of a whole tensor. A result
that the region reads, too, is computed with its halo, which writes the same bytes once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lichen.ir.module import Constant, Operation, Value, constant
from lichen.ops.window import Window
from lichen.plan.rows import ELEMENTWISE, Columns, Region, Source, Stage

Range = tuple[int, int]
"""Columns `[first, last)`."""


def in_strips(region: Region, count: int) -> Region | None:
    """`region` to be evaluated in `count` strips, as even as they can be; `None` where it cannot be.

    That is so where a result has fewer columns, where a strip would see only padding, and where an input that comes by rows, which
    does so once more for each strip and with all columns, lives in the ring of a result that takes its place.
    """
    ranges = [strip_columns(region, count, index) for index in range(count)]
    found = [_strip(region, columns, index) for index, columns in enumerate(ranges) if columns is not None]
    return replace(region, strips=tuple(found)) if len(found) == count else None


def strip_columns(region: Region, count: int, index: int) -> dict[Value, Range] | None:
    """The columns of each tensor that strip `index` of `count` needs, halo included; `None` where there is no such strip."""
    needed: dict[Value, Range] = {}
    for value in region.results:
        width = value.type.shape[2]
        if width < count:
            return None
        needed[value] = index * width // count, (index + 1) * width // count
    for stage in reversed(region.stages):
        if isinstance(stage, Source):
            needed[stage.result] = 0, stage.result.type.shape[2]
            if region.home[stage.result] is not stage.result:
                return None
            continue
        read = source_columns(stage, needed[stage.result])
        if read is None:
            return None
        for value in stage.reads:
            first, last = needed.get(value, read)
            needed[value] = min(first, read[0]), max(last, read[1])
    return needed


def source_columns(stage: Stage, columns: Range) -> Range | None:
    """The columns of the operands that `columns` of the result are computed from; `None` if from padding alone."""
    first, last = stage.column_spans[columns[0]][0], stage.column_spans[columns[1] - 1][1]
    return (first, last) if first < last else None


def _strip(region: Region, needed: Mapping[Value, Range], index: int) -> Region:
    tensors = {value: _narrow(value, needed[value], f"{value.name} strip {index + 1}") for value in region.home}
    columns: dict[Value, Columns] = {}
    cut: dict[tuple[Value, Range], Value] = {}

    def part(value: Value, wanted: Range) -> Value:
        """Columns of a tensor of the region as a value, which is that of the strip if it is all of it."""
        tensor, begin = (tensors[value], needed[value][0]) if value in tensors else (value, 0)
        if wanted == (begin, begin + tensor.type.shape[2]):
            return tensor
        if (value, wanted) not in cut:
            cut[value, wanted] = _narrow(value, wanted, value.name)
            columns[cut[value, wanted]] = Columns(tensor, wanted[0] - begin)
        return cut[value, wanted]

    stages: list[Source | Stage] = []
    for stage in region.stages:
        if isinstance(stage, Source):
            stages.append(Source(tensors[stage.result]))
            continue
        read = source_columns(stage, needed[stage.result])
        assert read is not None
        operands = [part(v, read) if v in stage.reads else v for v in stage.op.operands]
        stages.append(Stage(_narrowed(stage.op, operands, part(stage.result, needed[stage.result]), needed, read)))
    return Region(
        tuple(stages),
        region.calls,
        {tensors[value]: owner for value, owner in region.home.items()},
        region.rings,
        columns,
    )


def _narrow(value: Value, columns: Range, name: str) -> Value:
    one, height, _, channels = value.type.shape
    return Value(name, value.type.with_shape(one, height, columns[1] - columns[0], channels))


def _narrowed(
    op: Operation, operands: Sequence[Value], result: Value, needed: Mapping[Value, Range], read: Range
) -> Operation:
    """`op` from the columns `read` of its operands to those of the result that are `needed`."""
    first, last = needed[op.results[0]]
    attributes = dict(op.attributes)
    if op.kind in ELEMENTWISE:
        operands = [_constant_columns(v, first, last) if isinstance(v, Constant) else v for v in operands]
    elif op.kind == "pad":
        before, after = list(op.ints_attribute("before")), list(op.ints_attribute("after"))
        before[2], after[2] = read[0] + before[2] - first, last - before[2] - read[1]
        attributes |= {"before": tuple(before), "after": tuple(after)}
    else:
        window = Window.over(op)
        top, bottom, left, _ = window.padding
        begin, end = first * window.stride[1] - left, (last - 1) * window.stride[1] - left + window.reach[1]
        attributes["padding"] = top, bottom, read[0] - begin, end - read[1]
    return Operation(op.kind, list(operands), [result], attributes)


def _constant_columns(value: Constant, first: int, last: int) -> Constant:
    """The columns of a constant that is added to those of an image; the constant itself if all columns get the same."""
    shape = value.type.shape
    if len(shape) < 2 or shape[-2] == 1:
        return value
    type_ = value.type.with_shape(*shape[:-2], last - first, shape[-1])
    return constant(value.name, value.data[..., first:last, :], type_)
