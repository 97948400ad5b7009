"""Concatenations without copies: operands that are computed where they stand in the result.

That is possible where the parts lie one after the other in memory (all dimensions in front of the axis are 1) and each is computed for
this alone: given values, constants and what streams keep their own place, and so do parts that one operation computes together or from
each other.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lichen.ir.module import Function, Operation, Value


@dataclass(frozen=True)
class Joined:
    """The concatenations that are made so, and where in which value's memory each value lies that has moved, in bytes."""

    operations: frozenset[Operation]
    places: Mapping[Value, tuple[Value, int]]


NOTHING = Joined(frozenset(), {})


def join(function: Function, roots: Mapping[Value, Value], streamed: Collection[Operation]) -> Joined:
    """What can be joined of `function`, whose values lie in the memory of `roots`. Operations that are `streamed` keep to themselves."""
    fixed = {roots[value] for op in streamed for value in (*op.operands, *op.results) if value in roots}
    fixed.update(roots[value] for value in function.inputs if value in roots)
    joined: set[Operation] = set()
    moved: dict[Value, tuple[Value, int]] = {}
    for op in function.operations:
        if op.kind != "concat" or math.prod(op.results[0].type.shape[: op.int_attribute("axis")]) > 1:
            continue
        parts = [roots.get(value) for value in op.operands]
        if len(set(parts)) < len(parts) or any(p is None or p in fixed or p in moved for p in parts):
            continue
        if _meet(function, roots, {p for p in parts if p is not None}):
            continue
        begin = 0
        for part, value in zip(parts, op.operands, strict=True):
            assert part is not None
            moved[part] = roots[op.results[0]], begin
            begin += value.type.bytes
        joined.add(op)
    return Joined(frozenset(joined), {part: _resolved(part, moved) for part in moved})


def _meet(function: Function, roots: Mapping[Value, Value], parts: set[Value]) -> bool:
    """Whether an operation computes several of the parts, or one while it reads another: a step takes a buffer for one thing only."""
    for op in function.operations:
        computed = sum(roots.get(v) is v and v in parts for v in op.results)  # a view computes nothing
        if computed > 1 or (computed and any(roots.get(v) in parts for v in op.operands)):
            return True
    return False


def _resolved(part: Value, moved: Mapping[Value, tuple[Value, int]]) -> tuple[Value, int]:
    """Of a concatenation of concatenations, the outermost."""
    owner, begin = moved[part]
    while owner in moved:
        owner, further = moved[owner]
        begin += further
    return owner, begin
