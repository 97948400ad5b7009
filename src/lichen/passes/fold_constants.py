"""Computes what is known at compile time."""

from __future__ import annotations

import numpy as np

from lichen.errors import LichenError
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Array, Constant, Function, Module, Namer, Operation, Value, constant
from lichen.ir.operator import operator

LARGEST = 1 << 16
"""Elements of the largest result that is folded: a constant that is computed from a smaller one costs flash."""


def fold_constants(module: Module) -> bool:
    """Operations on constants alone become constants, unless a result is larger than `LARGEST`, not finite, an output, or an operand
    of what must read it from RAM.

    A view of a constant is folded at any size: there is no place in RAM that it could be a view of.
    """
    changed = False
    namer = Namer(c.name for c in module.constants())
    for function in module.functions.values():
        known = _known(function)
        for op in _foldable(function, known):
            for result in op.results:
                folded: Value = constant(namer(result.name), known[result], result.type)
                function.replace_uses(result, folded)
            function.operations.remove(op)
            changed = True
    return changed


def _known(function: Function) -> dict[Value, Array]:
    """The results, as far as they may become constants, of operations on constants and on each other."""
    known: dict[Value, Array] = {}
    for op in function.operations:
        data = [v.data if isinstance(v, Constant) else known.get(v) for v in op.operands]
        operands = [array for array in data if array is not None]
        if len(operands) < len(data) or not op.results or any(function.is_output(r) for r in op.results):
            continue
        if operator(op.kind).is_view or all(r.type.elements <= LARGEST for r in op.results):
            results = operator(op.kind).evaluate(op, *operands)
            if all(np.isfinite(array).all() for array in results):
                known.update(zip(op.results, results, strict=True))
    return known


def _foldable(function: Function, known: dict[Value, Array]) -> list[Operation]:
    """The operations behind `known` whose every use is folded as well or takes a constant, in order."""
    found = [op for op in function.operations if op.results and op.results[0] in known]
    while True:
        made = {result for op in found for result in op.results}
        folded = set(found)
        kept = [
            op
            for op in found
            if all(isinstance(v, Constant) or v in made for v in op.operands)
            and all(user in folded or _takes(user, r, known[r]) for r in op.results for user in function.consumers(r))
        ]
        if len(kept) == len(found):
            return kept
        found = kept


def _takes(user: Operation, value: Value, data: Array) -> bool:
    """Whether `user` obeys its rule and has a kernel with a constant in the place of `value`; a view has none."""
    if operator(user.kind).is_view:
        return False
    operands = [constant(v.name, data, v.type) if v is value else v for v in user.operands]
    trial = Operation(user.kind, operands, user.results, user.attributes)
    try:
        operator(user.kind).check(trial)
        operator(user.kind).lower(trial, PLAIN)
    except LichenError:
        return False
    return True
