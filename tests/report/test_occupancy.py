"""What lies where in the arena at what time: true to the plan, to the byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from graph_strategies import graphs
from graphs import conv_module, deep_module
from lichen.compiler import prepare
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.plan.schedule import choose, front
from lichen.report.occupancy import Occupancy, occupancy_of


def _moments(occupancy: Occupancy) -> np.ndarray:
    return (np.arange(64 * max(occupancy.end, 1)) + 0.5) / 64


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_shapes_reach_the_peak_and_stay_below(module: Module) -> None:
    """For every schedule the highest byte ever held is the plan's peak, and no more bytes are in use than that."""
    prepare(module)
    steps = sum(not operator(op.kind).is_view for op in module.infer.operations)
    for schedule in front(module.infer, PLAIN):
        occupancy = occupancy_of(module.infer, PLAIN, schedule)
        assert occupancy.peak == schedule.arena
        assert occupancy.end == steps
        if occupancy.bands:
            assert min(band.low.min() for band in occupancy.bands) >= 0
            assert max(band.high.max() for band in occupancy.bands) <= occupancy.peak
            assert occupancy.bytes_in_use(_moments(occupancy)).max() <= occupancy.peak
        for band in occupancy.bands:
            assert len(band.edges) == len(band.low) + 1 == len(band.high) + 1
            assert (np.diff(band.edges) > 0).all() and band.edges[0] >= 0 and band.edges[-1] <= occupancy.end


def test_layers_and_rings_by_hand() -> None:
    """16x16 to eight channels and back: whole tensors between layers, three rows and no more when streamed."""
    module = prepare(deep_module())
    layers, streamed = (
        occupancy_of(module.infer, PLAIN, choose(module.infer, PLAIN, kind, 0)) for kind in ("layers", "stream")
    )

    def held(occupancy: Occupancy, name: str, moment: float) -> int:
        (band,) = (band for band in occupancy.bands if band.name == name)
        low, high = band.at(np.array([moment]))
        return int(high[0] - low[0])

    assert [(span.start, span.width, span.is_streamed) for span in layers.spans] == [(0, 1, False), (1, 1, False)]
    assert held(layers, "x", 0.0) == 256 and held(layers, "x", 1.5) == 0
    assert held(layers, "between", 1.0) == 2048 and held(layers, "between", 0.5) == pytest.approx(1024, abs=40)
    assert held(layers, "y", 1.5) == pytest.approx(128, abs=5) and held(layers, "y", 2.0) == 0
    assert [(span.start, span.width, span.is_streamed) for span in streamed.spans] == [(0, 2, True)]
    (ring,) = (band for band in streamed.bands if band.is_ring)
    assert ring.name == "between"
    assert {held(streamed, "between", moment) for moment in (0.5, 1.0, 1.5)} == {3 * 16 * 8}


def test_bytes_of_two_buffers_are_counted_once() -> None:
    """In an elementwise layer in place the bytes in use are those of one tensor, not of two."""
    occupancy = occupancy_of(prepare(conv_module()).infer, PLAIN, front(prepare(conv_module()).infer, PLAIN)[0])
    assert occupancy.bytes_in_use(_moments(occupancy)).max() == occupancy.peak


def test_a_moment_beyond_the_end_holds_nothing() -> None:
    """Outside of a buffer's time it has no bytes."""
    occupancy = occupancy_of(prepare(deep_module()).infer, PLAIN, front(prepare(deep_module()).infer, PLAIN)[0])
    assert occupancy.bytes_in_use(np.array([-1.0, 2.5])).tolist() == [0, 0]
