"""Removes what changes nothing, and turns transposes that move no byte into views."""

from __future__ import annotations

from lichen.ir.module import Constant, Function, Module, Operation


def remove_identity(module: Module) -> bool:
    """Operations whose result is their operand under the same type vanish; chains of reshapes become one.

    An operation between an input and an output stays: the two must remain different tensors. What is done to constants is left to
    `fold_constants`: a copy in RAM may be needed.
    """
    changed = False
    for function in module.functions.values():
        for op in list(function.operations):
            if any(isinstance(v, Constant) for v in op.operands[:1]):
                continue
            if op.kind == "transpose" and _moves_nothing(op):
                op.kind, op.attributes = "reshape", {}
                changed = True
            if op.kind == "reshape":
                changed |= _skip_reshape(function, op)
            if _is_identity(op) and not function.is_output(op.results[0]):
                function.replace_uses(op.results[0], op.operands[0])
                function.operations.remove(op)
                changed = True
    return changed


def _is_identity(op: Operation) -> bool:
    if len(op.results) != 1 or not op.operands or op.operands[0].type != op.results[0].type:
        return False
    if op.kind in ("reshape", "quantize"):
        return True
    if op.kind == "transpose":
        permutation = op.ints_attribute("permutation")
        return permutation == tuple(range(len(permutation)))
    if op.kind == "pad":
        return True  # same shape, so there is nothing before and nothing after
    if op.kind == "strided_slice":
        return all(stride == 1 for stride in op.ints_attribute("strides"))
    return op.kind in ("concat", "split") and len(op.operands) == 1


def _moves_nothing(op: Operation) -> bool:
    """Whether the dimensions larger than 1 keep their order."""
    shape = op.operands[0].type.shape
    moved = [axis for axis in op.ints_attribute("permutation") if shape[axis] > 1]
    return moved == sorted(moved)


def _skip_reshape(function: Function, op: Operation) -> bool:
    producer = function.producer(op.operands[0])
    if producer is None or producer.kind != "reshape":
        return False
    op.operands[0] = producer.operands[0]
    return True
