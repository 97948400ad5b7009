"""Removes operations whose results nobody uses."""

from __future__ import annotations

from lichen.ir.module import Function, Module, Value
from lichen.ir.operator import operator


def dead_code(module: Module) -> bool:
    """What changes state is used; inputs stay, they are part of the interface."""
    changed = False
    for function in module.functions.values():
        changed |= _sweep(function)
    return changed


def _sweep(function: Function) -> bool:
    live: set[Value] = set(function.outputs)
    kept = []
    for op in reversed(function.operations):
        if operator(op.kind).updates or any(result in live for result in op.results):
            live.update(op.operands)
            kept.append(op)
    changed = len(kept) < len(function.operations)
    function.operations = kept[::-1]
    return changed
