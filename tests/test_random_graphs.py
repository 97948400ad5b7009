"""Random graphs of many operators: one text form, no rewrite changes a byte, and native C equals the interpreter."""

from __future__ import annotations

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from graph_strategies import graphs
from lichen.ir.interpret import Interpreter
from lichen.ir.kernel import PLAIN, Core
from lichen.ir.module import Array, Module
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module
from lichen.passes import run_passes
from lichen.passes.move_quantisation import move_quantisation
from lichen.plan.bound import lower_bound
from lichen.plan.check import check_plan
from lichen.plan.lower import problem_of
from lichen.plan.planner import make_plan
from native_check import CORES, assert_native_equals_interpreter, random_input

TOLERANCE = 1e-3  # float32 sums go through up to twelve operators; what overlap could spoil is far larger


def copy_of(module: Module) -> Module:
    """The same module, by way of its text."""
    return parse_module(print_module(module))


def three_calls(module: Module) -> list[Array]:
    """All outputs of three calls, so that state runs on, on random inputs that are always the same."""
    interpreter, rng = Interpreter(module), np.random.default_rng(0)
    calls = [[random_input(v.type, rng) for v in module.infer.inputs] for _ in range(3)]
    return [np.array(output) for inputs in calls for output in interpreter.run(inputs)]


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(modules=st.lists(graphs(), min_size=24, max_size=24), core=st.sampled_from(CORES))
def test_native_code_equals_the_interpreter(modules: list[Module], core: Core) -> None:
    """Overlap, in-place operation and state included, before and after rewriting."""
    rewritten = [copy_of(m) for m in modules[:12]]
    for module in rewritten:
        run_passes(module)
    assert_native_equals_interpreter([*modules[12:], *rewritten], 0, 2, TOLERANCE, TOLERANCE, core)


@settings(max_examples=150, deadline=None)
@given(module=graphs())
def test_the_text_form_says_it_all(module: Module) -> None:
    """What is printed and read back prints the same and computes the same bytes."""
    text = print_module(module)
    again = parse_module(text)
    assert print_module(again) == text
    for expected, got in zip(three_calls(module), three_calls(again), strict=True):
        assert expected.tobytes() == got.tobytes()


@settings(max_examples=150, deadline=None)
@given(module=graphs())
def test_rewriting_changes_no_byte(module: Module) -> None:
    """All passes together, and once more behind the one that moves quantisation; neither knows state from call to call."""
    rewritten = copy_of(module)
    run_passes(rewritten)
    moved = copy_of(rewritten)
    if move_quantisation(moved):
        run_passes(moved)
    expected = three_calls(module)
    for other in (rewritten, moved):
        assert [v.type for v in other.infer.outputs] == [v.type for v in module.infer.outputs]
        for before, after in zip(expected, three_calls(other), strict=True):
            np.testing.assert_array_equal(after, before)


@settings(max_examples=60, deadline=None)
@given(module=graphs())
def test_plans_reach_from_the_bound_to_what_needs_no_thought(module: Module) -> None:
    """A plan passes the checker, lies at or above the lower bound, and never takes more than all buffers side by side."""
    problem, _ = problem_of(module.infer, PLAIN)
    plan = make_plan(problem)
    check_plan(problem, plan)
    aligned = sum(b.size + b.alignment - 1 for b in problem.buffers)
    assert (
        lower_bound(problem)
        <= plan.lower_bound
        <= plan.peak
        <= aligned + max((s.scratch for s in problem.steps), default=0) + 3
    )
