"""The search over schedules: every point of the front is better than the last, and the published targets are met."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings

from conv_strategies import convolutional_graphs
from lichen.compiler import prepare
from lichen.errors import InputError
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Function, Module, Value
from lichen.plan import make_plan, problem_of
from lichen.plan.schedule import Schedule, choose, front, with_fast_rows
from lichen.reading import load
from lichen.targets.board import load_board
from ops_oracle import i8


def cost(module: Module, schedule: Schedule) -> tuple[int, int, int]:
    """What the front rises in: multiplications done twice, rows streamed, pieces."""
    inside = sum(len(region.operations) for region in schedule.regions)
    return schedule.more_macs, schedule.rows, len(schedule.regions) + len(module.infer.operations) - inside


@settings(max_examples=6, deadline=None)
@given(module=convolutional_graphs())
def test_the_front_falls_in_memory_and_rises_in_rows(module: Module) -> None:
    """It begins layer by layer; what is planned for each point is what it says."""
    schedules = front(module.infer, PLAIN)
    assert schedules[0].regions == ()
    for one, next_ in pairwise(schedules):
        assert next_.arena < one.arena and cost(module, next_) > cost(module, one)
    for schedule in schedules:
        problem, _ = problem_of(module.infer, PLAIN, schedule.regions)
        assert make_plan(problem, exact=False).peak == schedule.arena


@settings(max_examples=6, deadline=None)
@given(module=convolutional_graphs())
def test_the_front_by_input_rows(module: Module) -> None:
    """Every schedule has one region that fetches the input and reads it alone; what is planned for it is what it says."""
    (x,) = module.infer.inputs
    assume(not module.infer.is_output(x) and any(x in op.operands for op in module.infer.operations))
    schedules = front(module.infer, PLAIN, input_rows=True)
    for one, next_ in pairwise(schedules):
        assert next_.arena < one.arena and cost(module, next_) > cost(module, one)
    for schedule in schedules:
        assert schedule.input_rows and [r.sources for r in schedule.regions if r.sources] == [(x,)]
        problem, _ = problem_of(module.infer, PLAIN, schedule.regions)
        assert problem.inputs == () and make_plan(problem, exact=False).peak == schedule.arena


def test_without_operations_there_is_one_schedule() -> None:
    """A function whose output is its input has nothing to stream, under each kind of schedule."""
    x = Value("x", i8(1, 4, 4, 2))
    function = Function("infer", [x], [], [x])
    assert [s.regions for s in front(function, PLAIN)] == [()]
    assert all(
        choose(function, PLAIN, kind, ram).regions == () for kind in ("layers", "stream", "auto") for ram in (0, 99)
    )


def test_input_rows_save_most_of_the_input(lichen_data: Path) -> None:
    """The person detector's image has 27,648 bytes; layer by layer all but the first layer are as before."""
    infer = prepare(load(lichen_data / "models" / "vww_96_int8.tflite")).infer
    schedules = front(infer, PLAIN, input_rows=True)
    assert schedules[-1].arena <= 12_000 < front(infer, PLAIN)[-1].arena // 2
    first = choose(infer, PLAIN, "layers", 1, input_rows=True)
    assert [len(region.operations) for region in first.regions] == [1] and first.arena == schedules[0].arena


def test_published_targets(lichen_data: Path) -> None:
    """Arena with inputs and outputs, no multiplication more: 14,000 bytes for ResNet-8, 38,000 for the person detector."""
    for name, target in (("resnet8_int8", 14_000), ("vww_96_int8", 38_000)):
        module = prepare(load(lichen_data / "models" / f"{name}.tflite"))
        assert front(module.infer, PLAIN)[-1].arena <= target


def test_schedules_by_name(lichen_data: Path) -> None:
    """auto is the fastest that fits, and the smallest where none does."""
    infer = prepare(load(lichen_data / "models" / "resnet8_int8.tflite")).infer
    schedules = front(infer, PLAIN)
    assert choose(infer, PLAIN, "layers", 1).regions == ()
    assert choose(infer, PLAIN, "stream", 1 << 20).arena == schedules[-1].arena
    assert choose(infer, PLAIN, "auto", 1 << 20).regions == ()
    assert choose(infer, PLAIN, "auto", schedules[1].arena).arena == schedules[1].arena
    assert choose(infer, PLAIN, "auto", schedules[1].arena - 1).arena == schedules[2].arena
    assert choose(infer, PLAIN, "auto", 1).arena == schedules[-1].arena
    with pytest.raises(InputError, match="rows is not one of layers, stream, auto"):
        choose(infer, PLAIN, "rows", 1)


def test_rows_are_as_fast_as_the_ram_allows(lichen_data: Path) -> None:
    """Regions stay; more RAM means no less scratch for their kernels; what is planned is what it says, and no more than is allowed."""
    infer = prepare(load(lichen_data / "models" / "resnet8_int8.tflite")).infer
    core = load_board("mps2-an386").core
    leanest = choose(infer, core, "stream", 0)
    found = [with_fast_rows(infer, core, leanest, ram) for ram in (0, 14_000, 1 << 20)]
    assert found[0].arena == leanest.arena < found[1].arena <= 14_000 < found[2].arena
    scratch = [max(region.scratch for region in schedule.regions) for schedule in found]
    assert 0 < scratch[0] < scratch[1] < scratch[2]
    for schedule in found:
        assert [region.calls for region in schedule.regions] == [region.calls for region in leanest.regions]
        problem, _ = problem_of(infer, core, schedule.regions)
        assert make_plan(problem, exact=False).peak == schedule.arena
