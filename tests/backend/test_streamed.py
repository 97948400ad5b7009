"""Streaming changes where and when rows are computed, and nothing else: same bytes, in a poisoned arena, under sanitizers."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from coded import anywhere, coded_somewhere
from conv_strategies import chains, convolutional_graphs
from lichen.backend.program import plan_module
from lichen.ir.kernel import Core
from lichen.ir.module import Module
from lichen.plan.rows import Region, Streams, can_stream
from lichen.plan.slide import slid
from native_check import CORES, Lowered, assert_native_equals_interpreter


@st.composite
def streamed(draw: st.DrawFn) -> tuple[Module, list[Region]]:
    """A convolutional graph, all of it cut into regions and single layers at random; often its input comes by rows, and rows slide."""
    module = draw(convolutional_graphs())
    (x,) = module.infer.inputs
    readers = [i for i, op in enumerate(module.infer.operations) if x in op.operands]
    by_rows = bool(readers) and not module.infer.is_output(x) and draw(st.integers(0, 3)) > 0
    streams, regions, begin = Streams(module.infer, [x] if by_rows else []), [], 0
    assert all(map(can_stream, module.infer.operations))
    while begin < len(module.infer.operations):
        is_first = by_rows and begin <= readers[0]
        end = draw(st.integers(readers[-1] + 1 if is_first else begin + 1, len(module.infer.operations)))
        if is_first or end > begin + 1 or draw(st.booleans()):
            region = streams.region(begin, end)
            regions.append((slid(region) if draw(st.booleans()) else None) or region)
        begin = end
    return module, regions


def slid_whole(module: Module) -> Region | None:
    """All of a chain as one region, its input by rows, whose newest rows lie apart."""
    return slid(Streams(module.infer, module.infer.inputs).region(0, len(module.infer.operations)))


@settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.filter_too_much])
@given(
    modules=st.lists(chains().filter(slid_whole), min_size=12, max_size=12),
    core=st.sampled_from(CORES),
)
def test_newest_rows_apart_give_the_same_bytes(modules: list[Module], core: Core) -> None:
    """Windows of all sizes and strides over rows that move on from call to call."""
    regions = [[region] for module in modules if (region := slid_whole(module))]
    assert_native_equals_interpreter(modules, 0, 2, core=core, regions=regions)


@pytest.mark.parametrize("lowered", [plan_module, coded_somewhere(anywhere(0))], ids=["plain", "coded"])
@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(cases=st.lists(streamed(), min_size=16, max_size=16), core=st.sampled_from(CORES))
def test_every_schedule_gives_the_same_bytes(
    lowered: Lowered, cases: list[tuple[Module, list[Region]]], core: Core
) -> None:
    """Plain weights and coded ones, kernels of 1 to 7, strides of 1 to 3, SAME and VALID, odd sizes, residuals across the cuts, depthwise behind them."""
    modules, regions = zip(*cases, strict=True)
    assert_native_equals_interpreter(modules, 0, 2, 1e-3, 1e-3, core, regions=regions, lowered=lowered)
