"""Strips change where columns are computed, and some of them twice: same bytes, in a poisoned arena, under sanitizers."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from coded import anywhere, coded_somewhere
from conv_strategies import convolutional_graphs
from lichen.backend.program import plan_module
from lichen.ir.kernel import Core
from lichen.ir.module import Module
from lichen.plan.rows import Region, Streams
from lichen.plan.strips import in_strips
from native_check import CORES, Lowered, assert_native_equals_interpreter


@st.composite
def in_strips_at_random(draw: st.DrawFn) -> tuple[Module, list[Region]]:
    """A convolutional graph, cut into regions at random, or all of it one region whose input comes by rows, each in as many strips as
    are drawn, or as can be.
    """
    module = draw(convolutional_graphs())
    count = len(module.infer.operations)
    by_rows = Streams(module.infer, [v for v in module.infer.inputs if not module.infer.is_output(v)])
    is_by_rows = draw(st.booleans()) and by_rows.region(0, count).sources
    streams, regions, begin = by_rows if is_by_rows else Streams(module.infer), [], 0
    while begin < count:
        end = count if is_by_rows else draw(st.integers(begin + 1, count))
        region = streams.region(begin, end)
        wanted = draw(st.sampled_from([2, 2, 3, 4, 5, 7]))
        cut = [found for n in range(wanted, 1, -1) if (found := in_strips(region, n)) is not None]
        regions.append(cut[0] if cut else region)
        begin = end
    return module, regions


@pytest.mark.parametrize("lowered", [plan_module, coded_somewhere(anywhere(0))], ids=["plain", "coded"])
@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(
    cases=st.lists(in_strips_at_random(), min_size=16, max_size=16),
    core=st.sampled_from(CORES),
)
def test_every_number_of_strips_gives_the_same_bytes(
    lowered: Lowered, cases: list[tuple[Module, list[Region]]], core: Core
) -> None:
    """Plain weights and coded ones, kernels of 1 to 7, strides of 1 to 3, SAME and VALID, uneven strips, residuals across the cuts, depthwise behind them."""
    modules, regions = zip(*cases, strict=True)
    assert_native_equals_interpreter(modules, 0, 2, 1e-3, 1e-3, core, regions=regions, lowered=lowered)
