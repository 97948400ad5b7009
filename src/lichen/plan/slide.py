"""Regions in which the newest row of a tensor lies apart from those before it.

How this works inside: all the rows that a window reaches over are needed only while it is at work; when its newest row is computed, and
after, it is one less. In a ring that one row has its place all the time. Here the newest row of a tensor has a place of its own, which it
shares with the newest rows of others, because no two are needed at the same time unless one is computed from the other. The rows before it lie in order, and when the
window moves on, those that it still reaches over are moved to the front: a copy of a row or two for each row computed, and no
multiplication.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lichen.ir.module import Value
from lichen.ir.types import DType
from lichen.ops.window import Window
from lichen.plan.rows import Region, Source, Stage

KINDS = ("conv2d", "depthwise_conv2d")
"""Of those that read such a tensor: their kernels find a newest row that lies apart."""


def slid(region: Region) -> Region | None:
    """`region` with the newest rows of tensors apart; `None` where fewer than two can be kept so, and nothing is saved."""
    newest = {value: _place(value) for value, _ in sliding(region)}
    if len(newest) < 2:
        return None
    rings = {value: rows - (value in newest) for value, rows in region.rings.items()}
    return replace(region, rings=rings, newest=newest)


def sliding(region: Region) -> Iterator[tuple[Value, Stage]]:
    """The tensors whose newest row can lie apart, with the stage that reads them."""
    tenants = Counter(region.home.values())
    readers = Counter(value for stage in region.stages for value in stage.operands)
    turns = Counter(region.calls)
    for index, stage in enumerate(region.stages):
        if isinstance(stage, Source) or stage.op.kind not in KINDS:
            continue
        value = stage.operands[0]
        if region.home.get(value) is not value or tenants[value] > 1 or readers[value] > 1:
            continue
        first, last = stage.needs[value][: turns[index]].T
        is_full = last - first == region.rings[value]
        moves_on = (first[1:] > first[:-1]) | ~is_full[:-1]
        passes_none = first[1:] <= last[:-1]
        is_plain = value.type.dtype is DType.INT8 and Window.over(stage.op).dilation[0] == 1
        if is_plain and region.rings[value] > 1 and bool(np.all(moves_on & passes_none)):
            yield value, stage


def step_of(stage: Stage) -> tuple[int, int]:
    """The stride of a window over rows and the padding above it."""
    window = Window.over(stage.op)
    return window.stride[0], window.padding[0]


def _place(value: Value) -> Value:
    return Value(f"{value.name} newest", value.type.with_shape(1, 1, *value.type.shape[2:]))
