"""Plans for hand-picked cases one by one, and for random data flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.ir.accesses import Accesses, elementwise, whole
from lichen.plan import Buffer, Plan, PlanError, Problem, Step, check_plan, footprint, layout, make_plan
from lichen.plan.lead import Clearance, clearance


def both(problem: Problem) -> Plan:
    """The exact plan, checked, and no worse than the greedy one."""
    greedy, exact = make_plan(problem, exact=False), make_plan(problem)
    for plan in (greedy, exact):
        check_plan(problem, plan)
        assert plan.peak >= plan.lower_bound
    assert exact.peak <= greedy.peak
    return exact


def test_chain_without_overlap(net: Any) -> None:
    """Two neighbours at a time."""
    net.input("x", 30)
    net.full("x", "y", 20)
    net.full("y", "z", 40)
    net.full("z", "w", 5)
    assert both(net.problem("w")).peak == 60


def test_identical_lifetimes_stand_side_by_side(net: Any) -> None:
    """Buffers born and dying together share nothing."""
    net.input("x", 4)
    for name in "abc":
        net.buffer(name, 10)
    net.step("split", ["x"], ["a", "b", "c"], whole({0: 4}, {0: 10, 1: 10, 2: 10}))
    net.buffer("y", 4)
    net.step("join", ["a", "b", "c"], ["y"], whole({0: 10, 1: 10, 2: 10}, {0: 4}))
    plan = both(net.problem("y"))
    assert plan.peak == 34
    assert len({plan.offsets[name] for name in "abc"}) == 3


def test_add_in_place(net: Any) -> None:
    """The sum takes the place of either operand."""
    net.input("x", 10)
    net.input("y", 10)
    net.add("x", "y", "z")
    plan = both(net.problem("z"))
    assert plan.peak == 20
    assert plan.offsets["z"] in (plan.offsets["x"], plan.offsets["y"])


def test_operand_added_to_itself(net: Any) -> None:
    """An operand used twice by one step dies there once."""
    net.input("x", 10)
    net.add("x", "x", "y")
    assert both(net.problem("y")).peak == 10


def test_diamond(net: Any) -> None:
    """A value that two branches need stays until the second has read it."""
    net.input("x", 16)
    net.full("x", "a", 16)
    net.full("x", "b", 16)
    net.add("a", "b", "c")
    assert both(net.problem("c")).peak == 48


def test_residual_keeps_what_it_adds(net: Any) -> None:
    """Around a residual block the skipped tensor is not given away."""
    net.input("x", 8, 8, 4)
    net.conv("x", "a", (8, 8, 4), 3)
    net.conv("a", "b", (8, 8, 4), 3)
    net.add("x", "b", "y")
    lead = (8 + 2) * 4
    assert both(net.problem("y")).peak == 2 * 256 + lead


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "peak"),
    [(8, 3, 1, 512 + 80), (4, 3, 1, 512 + 40), (16, 1, 1, 1024 + 8), (8, 3, 2, 512 + 8), (8, 1, 1, 512 + 8)],
)
def test_conv_overlaps_its_input(net: Any, channels: int, kernel: int, stride: int, peak: int) -> None:
    """Input and output of one convolution share all but the pixels still needed: same, shrinking and growing sizes.

    A 3x3 kernel needs the first input pixel until the tenth output pixel of 8 a row is written; a growing layer is largest at
    its end.
    """
    net.input("x", 8, 8, 8)
    net.conv("x", "y", (8 // stride, 8 // stride, channels), kernel, stride)
    plan = both(net.problem("y"))
    assert plan.gap == 0
    assert plan.peak == peak


def test_listing_of_buffers_does_not_matter(net: Any) -> None:
    """Overlap is found whichever of operand and result is listed first."""
    net.input("x", 8, 8, 8)
    net.conv("x", "y", (8, 8, 8), 3)
    problem = net.problem("y")
    plan = make_plan(replace(problem, buffers=problem.buffers[::-1]), exact=False)
    assert plan.peak == make_plan(problem, exact=False).peak == 512 + 80


def test_scratch_is_shared_in_time(net: Any) -> None:
    """Scratch stands beside what is alive during its step, and is free for others outside."""
    net.input("x", 10)
    net.full("x", "y", 10, scratch=30)
    net.full("y", "z", 10, scratch=30)
    plan = both(net.problem("z"))
    assert plan.peak == 50
    assert set(plan.scratch) == {"y", "z"}


def test_alignment(net: Any) -> None:
    """Every place is a multiple of its alignment, and the padding is as small as can be."""
    net.input("x", 5, alignment=1)
    net.full("x", "y", 8, alignment=4)
    net.full("y", "z", 3, alignment=2)
    plan = both(net.problem("z"))
    assert plan.offsets["y"] % 4 == 0 and plan.offsets["z"] % 2 == 0
    assert plan.peak == 13


def test_input_that_is_an_output_survives(net: Any) -> None:
    """An input that is also an output is never overwritten."""
    net.input("x", 10)
    net.add("x", "x", "y")
    plan = both(net.problem("x", "y"))
    assert plan.peak == 20


def test_unused_result_has_a_place(net: Any) -> None:
    """A result that nobody reads is still written, and harms nobody."""
    net.input("x", 10)
    net.buffer("y", 10)
    net.buffer("unused", 7)
    net.step("split", ["x"], ["y", "unused"], whole({0: 10}, {0: 10, 1: 7}))
    net.full("y", "z", 10)
    assert both(net.problem("z")).peak == 27


def test_unused_input_only_needs_room_at_the_start(net: Any) -> None:
    """An input that no step reads gives way at once."""
    net.input("x", 10)
    net.input("ignored", 10)
    net.full("x", "y", 10)
    assert both(net.problem("y")).peak == 20


def test_buffer_filled_piecewise(net: Any) -> None:
    """Two steps that each write half of a buffer save the copy that joins them; the buffer lives from the first half on."""
    net.input("x", 10)
    net.input("y", 10)
    net.buffer("joined", 20)
    spans = elementwise(10, {0: 1}, 1)
    net.step("left", ["x"], ["joined"], spans)
    net.step("right", ["y"], ["joined"], Accesses(spans.reads, {0: spans.writes[0] + 10}, atomic=True))
    assert both(net.problem("joined")).peak == 30


def test_state_order_is_kept() -> None:
    """Steps that share no buffer keep the order that `after` asks for, even where another would cost less."""
    buffers = (Buffer("big", 20), Buffer("a", 1), Buffer("small", 8), Buffer("b", 1))
    steps = (
        Step("read", (), ("big",), whole({}, {0: 20})),
        Step("use", ("big",), ("a",), whole({0: 20}, {0: 1})),
        Step("write", (), ("small",), whole({}, {0: 8}), after=("read",)),
    )
    plan = both(Problem(buffers[:3], steps, (), ("a", "small")))
    assert plan.order.index("read") < plan.order.index("write")


def test_empty_problem() -> None:
    """A function that only hands its input on needs its bytes, and no steps."""
    plan = both(Problem((Buffer("x", 12),), (), ("x",), ("x",)))
    assert (plan.order, plan.peak, plan.gap) == ((), 12, 0)


def test_resnet8_in_36_kB(net: Any) -> None:
    """MLPerf Tiny's ResNet: three maps of 16,384 bytes cost two and a few rows, because a conv overlaps its input."""
    net.input("x", 32, 32, 3)
    net.conv("x", "c1", (32, 32, 16), 3)
    net.conv("c1", "c2", (32, 32, 16), 3)
    net.conv("c2", "c3", (32, 32, 16), 3)
    net.add("c1", "c3", "a1")
    net.conv("a1", "c4", (16, 16, 32), 3, 2)
    net.conv("c4", "c5", (16, 16, 32), 3)
    net.conv("a1", "c6", (16, 16, 32), 1, 2)
    net.add("c6", "c5", "a2")
    net.conv("a2", "c7", (8, 8, 64), 3, 2)
    net.conv("c7", "c8", (8, 8, 64), 3)
    net.conv("a2", "c9", (8, 8, 64), 1, 2)
    net.add("c9", "c8", "a3")
    net.full("a3", "pool", 64)
    net.full("pool", "scores", 10)
    net.full("scores", "softmax", 10)
    plan = both(net.problem("softmax"))
    assert plan.gap == 0
    assert plan.peak == 2 * 16_384 + (32 + 2) * 16


def test_visual_wake_words_in_37_kB(net: Any) -> None:
    """MobileNetV1 x0.25 at 96x96: the first pointwise layer writes 36,864 bytes over the 18,432 that it reads."""
    net.input("x", 96, 96, 3)
    last, side, channels = net.conv("x", "c0", (48, 48, 8), 3, 2), 48, 8
    for k, (stride, out) in enumerate(
        [(1, 16), (2, 32), (1, 32), (2, 64), (1, 64), (2, 128), (1, 128), (2, 256), (1, 256)]
    ):
        side //= stride
        last = net.conv(last, f"d{k}", (side, side, channels), 3, stride)
        last, channels = net.conv(last, f"p{k}", (side, side, out), 1), out
    net.full(last, "scores", 2)
    plan = both(net.problem("scores"))
    assert plan.gap == 0
    assert plan.peak == 2 * 18_432 + 3 * 8


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_random_plans_hold(
    random_problems: Callable[..., st.SearchStrategy[Problem]],
    separate: Callable[[Problem], Plan],
    simulate: Callable[..., Mapping[str, bytes]],
    data: st.DataObject,
) -> None:
    """Random data flow: the plan passes the checker, respects its bound, and computes the bytes of an arena without sharing."""
    problem = data.draw(random_problems())
    plan = both(problem)
    for writes_first in (False, True):
        assert simulate(problem, plan, writes_first) == simulate(problem, separate(problem), writes_first)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_plans_repeat(random_problems: Callable[..., st.SearchStrategy[Problem]], data: st.DataObject) -> None:
    """The same problem gives the same plan."""
    problem = data.draw(random_problems())
    assert make_plan(problem) == make_plan(problem)


@pytest.mark.parametrize("shift", [1, 3])
def test_too_small_a_lead_is_caught(net: Any, monkeypatch: pytest.MonkeyPatch, shift: int) -> None:
    """A planner that believes in leads a few bytes too small emits nothing: the checker does not share its belief."""

    def wrong(step: Step, operand: Buffer, result: Buffer) -> Clearance:
        right = clearance(step, operand, result)
        return Clearance(right.below + shift, right.above)

    net.input("x", 8, 8, 2)
    net.conv("x", "y", (8, 8, 2), 3)
    problem = net.problem("y")
    make_plan(problem)
    monkeypatch.setattr(footprint, "clearance", wrong)
    with pytest.raises(PlanError, match="'y' overwrites byte"):
        make_plan(problem)


def test_lifetime_cut_short_is_caught(net: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planner that forgets the last reader of a buffer emits nothing."""
    right = layout._items

    def wrong(problem: Problem, order: tuple[int, ...]) -> tuple[layout.Item, ...]:
        return tuple(replace(item, last=1) if item.name == "x" else item for item in right(problem, order))

    net.input("x", 8)
    net.full("x", "y", 8)
    net.full("y", "z", 8)
    net.add("x", "z", "sum")
    problem = net.problem("sum")
    make_plan(problem)
    monkeypatch.setattr(layout, "_items", wrong)
    with pytest.raises(PlanError, match="'sum' reads byte 0 of 'x', which holds a byte of 'z'"):
        make_plan(problem, exact=False)
