"""Operators that move, reshape or reduce elements along axes."""

from __future__ import annotations

import math

from lichen.frontends.tflite.node import Node
from lichen.frontends.tflite.rules import MANY, rule
from lichen.ir.module import Attribute


@rule("RESHAPE", "ReshapeOptions", inputs=(1, 2))
def _reshape(node: Node) -> None:
    """The shape is an input or, in older files, an option; where neither is given, that of the result counts."""
    wanted: tuple[int, ...] | None = None
    if node.has(1):
        wanted = node.integers(1, "dimensions")
    elif node.record.options is not None and node.record.options.has("new_shape"):
        wanted = node.record.options.integers("new_shape")
    source, result = node.operand(0), node.result_type()
    # TensorFlow Lite's old way to say "scalar" is [0]; the one -1 stands for whatever is left.
    if wanted is not None and not (wanted == (0,) and result.rank == 0):
        _require_shape(node, wanted, result.shape)
    node.emit("reshape", [source])


def _require_shape(node: Node, wanted: tuple[int, ...], declared: tuple[int, ...]) -> None:
    """`wanted` must be the declared shape, but for one dimension of -1."""
    fits = len(wanted) == len(declared) and all(w in (-1, d) for w, d in zip(wanted, declared, strict=True))
    if not fits or wanted.count(-1) > 1:
        node.contradiction(f"it asks for shape {list(wanted)[:8]} but its result is {list(declared)}")


@rule("SQUEEZE", "SqueezeOptions", newest=2)
def _squeeze(node: Node) -> None:
    source = node.operand(0)
    shape = source.type.shape
    options = node.record.options
    given = () if options is None else options.integers("squeeze_dims")
    axes = {node.axis(a, len(shape)) for a in given} or {i for i, d in enumerate(shape) if d == 1}
    if any(shape[a] != 1 for a in axes):
        node.contradiction(f"it removes dimensions {sorted(axes)} of {list(shape)}, which are not all 1")
    _require_shape(node, tuple(d for i, d in enumerate(shape) if i not in axes), node.result_type().shape)
    node.emit("reshape", [source])


@rule("EXPAND_DIMS", "ExpandDimsOptions", inputs=(2, 2))
def _expand_dims(node: Node) -> None:
    source = node.operand(0)
    shape = list(source.type.shape)
    axis = node.axis(_single(node, 1, "axis"), len(shape) + 1)
    _require_shape(node, (*shape[:axis], 1, *shape[axis:]), node.result_type().shape)
    node.emit("reshape", [source])


@rule("CONCATENATION", "ConcatenationOptions", newest=4, inputs=(1, MANY))
def _concatenation(node: Node) -> None:
    if node.activation() != "none":
        node.unsupported(f"a fused {node.activation()} is not supported")
    operands = node.operands()
    node.emit("concat", operands, {"axis": node.axis(node.option("axis"), operands[0].type.rank)})


@rule("SPLIT", "SplitOptions", newest=4, inputs=(2, 2), outputs=(1, MANY))
def _split(node: Node) -> None:
    source, parts = node.operand(1), node.option("num_splits")
    if parts != len(node.record.outputs):
        node.contradiction(f"it splits into {parts} parts but has {len(node.record.outputs)} outputs")
    node.emit("split", [source], {"axis": node.axis(_single(node, 0, "axis"), source.type.rank)})


@rule("TRANSPOSE", "TransposeOptions", newest=6, inputs=(2, 2))
def _transpose(node: Node) -> None:
    source, permutation = node.operand(0), node.integers(1, "permutation")
    if sorted(permutation) != list(range(source.type.rank)):
        node.contradiction(f"{list(permutation)[:8]} is not a permutation of {source.type.rank} dimensions")
    node.emit("transpose", [source], {"permutation": permutation})


@rule("STRIDED_SLICE", "StridedSliceOptions", newest=8, inputs=(4, 4))
def _strided_slice(node: Node) -> None:
    for field in ("ellipsis_mask", "new_axis_mask"):
        if node.option(field):
            node.unsupported(f"{field} is not supported")
    if node.flag("offset"):
        node.unsupported("an end given as an offset from the begin is not supported")
    source, result = node.operand(0), node.result_type()
    bounds, removed = _slice_bounds(node, source.type.shape)
    sizes = tuple(len(range(*bound)) for bound in bounds)
    if 0 in sizes:
        node.contradiction(f"nothing is left of dimension {sizes.index(0)}")
    _require_shape(node, tuple(size for axis, size in enumerate(sizes) if axis not in removed), result.shape)
    names = ("begin", "end", "strides")
    attributes: dict[str, Attribute] = {name: tuple(bound[i] for bound in bounds) for i, name in enumerate(names)}
    if removed:
        node.emit("reshape", [node.emit_part("strided_slice", [source], attributes, result.with_shape(*sizes))])
    else:
        node.emit("strided_slice", [source], attributes)


def _slice_bounds(node: Node, shape: tuple[int, ...]) -> tuple[list[tuple[int, int, int]], set[int]]:
    """Begin, end and stride of every dimension with the masks applied, as `range` takes them; and the dimensions to remove."""
    begin, end, strides = (node.integers(i, role) for i, role in ((1, "begin"), (2, "end"), (3, "strides")))
    if not len(begin) == len(end) == len(strides) <= len(shape):
        node.contradiction(f"{len(begin)} begins, {len(end)} ends, {len(strides)} strides for {len(shape)} dimensions")
    if 0 in strides:
        node.contradiction("a stride is 0")
    begin_mask, end_mask, shrink_mask = (node.option(f) for f in ("begin_mask", "end_mask", "shrink_axis_mask"))
    bounds: list[tuple[int, int, int]] = [(0, size, 1) for size in shape]
    removed = {axis for axis in range(len(begin)) if shrink_mask >> axis & 1}
    for axis, stride in enumerate(strides):
        first = None if begin_mask >> axis & 1 else begin[axis]
        if axis in removed:
            if stride < 0:
                node.contradiction(f"dimension {axis} is removed and walked backwards")
            start = 0 if first is None else node.axis(first, shape[axis])
            bounds[axis] = start, start + 1, 1
        else:
            last = None if end_mask >> axis & 1 else end[axis]
            bounds[axis] = slice(first, last, stride).indices(shape[axis])
    return bounds, removed


@rule("PAD", "PadOptions", newest=4, inputs=(2, 2))
def _pad(node: Node) -> None:
    """The padding is the real number 0, which is stored as the zero point."""
    quantisation = node.operand(0).type.quantisation
    _emit_pad(node, 0.0 if quantisation is None else float(node.operand(0).type.zero_point))


@rule("PADV2", "PadV2Options", newest=4, inputs=(3, 3))
def _pad_v2(node: Node) -> None:
    value, source = node.constant(2, "padding value"), node.operand(0).type
    if node.operand(2).type != source.with_shape(*value.shape) or value.size != 1:
        node.unsupported("its padding value is not one number of the input's type and quantisation")
    number = float(value.ravel()[0])
    if not math.isfinite(number):
        node.unsupported(f"a padding value of {number} is not supported")
    _emit_pad(node, number)


def _emit_pad(node: Node, value: float) -> None:
    source, amounts = node.operand(0), node.integers(1, "paddings")
    if len(amounts) != 2 * source.type.rank or min(amounts, default=0) < 0:
        node.contradiction(f"its paddings are not two counts for each of {source.type.rank} dimensions")
    node.emit("pad", [source], {"before": amounts[::2], "after": amounts[1::2], "value": value})


@rule("MEAN", "ReducerOptions", newest=3, inputs=(2, 2))
def _mean(node: Node) -> None:
    source = node.operand(0)
    axes = {node.axis(a, source.type.rank) for a in node.integers(1, "axes")}
    node.emit("mean", [source], {"axes": tuple(sorted(axes)), "keep_dims": node.flag("keep_dims")})


@rule("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", newest=4, inputs=(2, 2))
def _resize_nearest(node: Node) -> None:
    source, result, size = node.operand(0), node.result_type(), node.integers(1, "size")
    if result.shape[1:3] != size:
        node.contradiction(f"it resizes to {list(size)[:8]} but its result is {list(result.shape)}")
    names = ("align_corners", "half_pixel_centers")
    node.emit("resize_nearest", [source], {name: node.flag(name) for name in names})


def _single(node: Node, index: int, role: str) -> int:
    """A constant input of one integer."""
    values = node.integers(index, role)
    if len(values) != 1:
        node.contradiction(f"its {role} is {len(values)} numbers")
    return values[0]
