"""Brings `dequantize` behind and `quantize` in front of operators that only move elements, which then move int8."""

from __future__ import annotations

from dataclasses import replace

from lichen.ir.module import Function, Module, Namer, Operation, Value
from lichen.ir.types import TensorType

MOVEMENTS = frozenset({"reshape", "transpose", "strided_slice", "split"})


def move_quantisation(module: Module) -> bool:
    """`reshape(dequantize(x))` becomes `dequantize(reshape(x))`, `quantize(reshape(x))` becomes `reshape(quantize(x))`.

    So does padding with zeros. The second only where nobody else needs the float tensors in between. `quantize(dequantize(x))` with unchanged type is `x`.
    The results are the same bytes.
    """
    changed = False
    for function in module.functions.values():
        namer = Namer(v.name for v in function.values())
        while _sink(function, namer) or _hoist(function, namer) or _cancel(function):
            changed = True
    return changed


def _sink(function: Function, namer: Namer) -> bool:
    """One `movement(dequantize(x))`."""
    for position, op in enumerate(function.operations):
        source = function.producer(op.operands[0]) if op.kind in MOVEMENTS or _pads_zeros(op) else None
        if source is None or source.kind != "dequantize":
            continue
        stored = source.operands[0]
        if op.kind == "pad":
            op.attributes["value"] = float(stored.type.zero_point)
        moved = [Value(r.name, stored.type.with_shape(*r.type.shape)) for r in op.results]
        for result in op.results:
            result.name = namer(result.name)  # the name stays with what moves
        back = [Operation("dequantize", [m], [r]) for m, r in zip(moved, op.results, strict=True)]
        function.operations[position : position + 1] = [Operation(op.kind, [stored], list(moved), op.attributes), *back]
        return True
    return False


def _hoist(function: Function, namer: Namer) -> bool:
    """One `quantize(movement(x))`."""
    for position, op in enumerate(function.operations):
        movement = function.producer(op.operands[0]) if op.kind == "quantize" else None
        if movement is None or movement.kind not in MOVEMENTS or len(movement.results) != 1:
            continue
        source = movement.operands[0]
        if not (_has_one_use(function, movement.results[0]) and _has_one_use(function, source)):
            continue
        if not source.type.dtype.is_float:
            continue
        quantised = Value(namer(source.name), _stored_as(source.type, op.results[0].type))
        function.operations[position] = Operation(movement.kind, [quantised], op.results, movement.attributes)
        function.operations[function.operations.index(movement)] = Operation("quantize", [source], [quantised])
        return True
    return False


def _cancel(function: Function) -> bool:
    """One `quantize(dequantize(x))` of unchanged type."""
    for op in function.operations:
        source = function.producer(op.operands[0]) if op.kind == "quantize" else None
        if source is None or source.kind != "dequantize" or source.operands[0].type != op.results[0].type:
            continue
        if function.is_output(op.results[0]):
            continue
        function.replace_uses(op.results[0], source.operands[0])
        function.operations.remove(op)
        return True
    return False


def _pads_zeros(op: Operation) -> bool:
    """Zero is exact in int8; other padding values may not be."""
    return op.kind == "pad" and op.operands[0].type.dtype.is_float and op.float_attribute("value") == 0.0


def _has_one_use(function: Function, value: Value) -> bool:
    return len(function.consumers(value)) == 1 and not function.is_output(value)


def _stored_as(type_: TensorType, like: TensorType) -> TensorType:
    """`type_`'s shape with the element type and quantisation of `like`."""
    return replace(like, shape=type_.shape)
