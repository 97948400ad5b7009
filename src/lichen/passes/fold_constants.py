"""Computes what is known at compile time."""

from __future__ import annotations

import numpy as np

from lichen.ir.module import Constant, Function, Module, Namer, Operation, Value, constant
from lichen.ir.operator import operator

LARGEST = 1 << 16
"""Elements of the largest result that is folded: a constant that is computed from a smaller one costs flash."""


def fold_constants(module: Module) -> bool:
    """Operations on constants alone become constants, unless a result is larger than `LARGEST`, not finite, or an output.

    A view of a constant is always folded: there is no place in RAM that it could be a view of.
    """
    changed = False
    namer = Namer(c.name for c in module.constants())
    for function in module.functions.values():
        for op in list(function.operations):
            if _foldable(function, op):
                changed |= _fold(function, op, namer)
    return changed


def _foldable(function: Function, op: Operation) -> bool:
    return (
        bool(op.results)
        and all(isinstance(v, Constant) for v in op.operands)
        and (operator(op.kind).is_view or all(r.type.elements <= LARGEST for r in op.results))
        and not any(function.is_output(r) for r in op.results)
    )


def _fold(function: Function, op: Operation, namer: Namer) -> bool:
    operands = [v.data for v in op.operands if isinstance(v, Constant)]
    results = operator(op.kind).evaluate(op, *operands)
    if not all(np.isfinite(data).all() for data in results):
        return False
    for result, data in zip(op.results, results, strict=True):
        folded: Value = constant(namer(result.name), data, result.type)
        function.replace_uses(result, folded)
    function.operations.remove(op)
    return True
