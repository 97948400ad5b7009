"""Streaming changes where and when rows are computed, and nothing else: same bytes, in a poisoned arena, under sanitizers."""

from __future__ import annotations

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from conv_strategies import convolutional_graphs
from lichen.ir.kernel import PLAIN, Core
from lichen.ir.module import Module
from lichen.plan.rows import Region, Streams, can_stream
from native_check import assert_native_equals_interpreter


@st.composite
def streamed(draw: st.DrawFn) -> tuple[Module, list[Region]]:
    """A convolutional graph, all of it cut into regions and single layers at random."""
    module = draw(convolutional_graphs())
    streams, regions, begin = Streams(module.infer), [], 0
    assert all(map(can_stream, module.infer.operations))
    while begin < len(module.infer.operations):
        end = draw(st.integers(begin + 1, len(module.infer.operations)))
        if end > begin + 1 or draw(st.booleans()):
            regions.append(streams.region(begin, end))
        begin = end
    return module, regions


@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(
    cases=st.lists(streamed(), min_size=16, max_size=16), core=st.sampled_from([PLAIN, Core("avr", frozenset({"avr"}))])
)
def test_every_schedule_gives_the_same_bytes(cases: list[tuple[Module, list[Region]]], core: Core) -> None:
    """Kernels of 1 to 7, strides of 1 to 3, SAME and VALID, odd sizes, residuals across the cuts, depthwise behind them."""
    modules, regions = zip(*cases, strict=True)
    assert_native_equals_interpreter(modules, 0, 2, 1e-3, 1e-3, core, regions=regions)
