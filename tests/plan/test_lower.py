"""From functions of the graph to planning problems."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import lichen.ir.operator as registry
import lichen.ops  # noqa: F401  registers the operators
from lichen.errors import UnsupportedError
from lichen.frontends import load
from lichen.ir.accesses import Accesses, whole
from lichen.ir.kernel import PLAIN, Argument, Core, KernelCall, Operand, Result, Scratch
from lichen.ir.module import Array, Constant, Function, Operation, State, Value
from lichen.ir.operator import Operator
from lichen.ir.parse import parse_module
from lichen.ir.types import DType, TensorType
from lichen.plan import Plan, Problem, ProblemError, Step, make_plan
from lichen.plan.lower import Names, problem_of


def lowered(body: str, inputs: str = "%x : f32[1, 4]", constants: str = "") -> tuple[Problem, Names]:
    """The problem of a function in text form."""
    text = f"module m {{ {constants} func infer({inputs}) {{ {body} }} }}"
    return problem_of(parse_module(text).infer, PLAIN)


def planned(problem: Problem) -> Plan:
    plan = make_plan(problem)
    assert plan.gap == 0
    return plan


def test_values_become_buffers_and_operations_steps() -> None:
    """Sizes and alignments come from the types, order and names from the function."""
    problem, names = lowered("%y = relu(%x) : f32[1, 4]  %z = tanh(%y) : f32[1, 4]  return %z")
    assert [(b.name, b.size, b.alignment) for b in problem.buffers] == [("x", 16, 4), ("y", 16, 4), ("z", 16, 4)]
    assert [(s.name, s.reads, s.writes) for s in problem.steps] == [("y", ("x",), ("y",)), ("z", ("y",), ("z",))]
    assert (problem.inputs, problem.outputs) == (("x",), ("z",))
    assert [names.operation[step.name].kind for step in problem.steps] == ["relu", "tanh"]
    assert {value.name: buffer for value, buffer in names.buffer.items()} == {"x": "x", "y": "y", "z": "z"}
    assert planned(problem).peak == 16


def test_views_share_their_buffer() -> None:
    """A reshape of a reshape is no step, and all three values have one place."""
    problem, names = lowered(
        "%a = reshape(%x) : f32[2, 2]  %b = reshape(%a) : f32[4]  %y = relu(%b) : f32[4]  return %y"
    )
    assert [s.name for s in problem.steps] == ["y"]
    assert {value.name: buffer for value, buffer in names.buffer.items()} == {"x": "x", "a": "x", "b": "x", "y": "y"}


def test_view_of_an_input_that_is_an_output() -> None:
    """The input's memory is the output, and must survive to the end."""
    problem, _ = lowered("%a = reshape(%x) : f32[4]  %y = relu(%x) : f32[1, 4]  return %a, %y")
    assert problem.outputs == ("x", "y")
    assert planned(problem).peak == 32


def test_outputs_that_are_one_buffer_are_listed_once() -> None:
    """An output given twice, or together with its view, is one buffer."""
    problem, _ = lowered("%y = relu(%x) : f32[1, 4]  %a = reshape(%y) : f32[4]  return %y, %y, %a")
    assert problem.outputs == ("y",)


def test_operand_and_its_view_in_one_step() -> None:
    """A tensor added to its own view is one buffer read twice, and still gives way in place."""
    problem, _ = lowered('%a = reshape(%x) : f32[1, 4]  %y = add(%x, %a) {activation = "none"} : f32[1, 4]  return %y')
    assert problem.steps[0].reads == ("x", "x")
    assert planned(problem).peak == 16


def test_constants_are_no_buffers() -> None:
    """Constants live in flash; the other operands keep their accesses."""
    problem, _ = lowered(
        '%y = add(@c, %x) {activation = "none"} : f32[1, 4]  return %y',
        constants='const @c : f32[1, 4] = splat "AACAPw=="',
    )
    assert [b.name for b in problem.buffers] == ["x", "y"]
    assert problem.steps[0].reads == ("x",)
    assert planned(problem).peak == 16


def test_unused_results_and_inputs_have_places() -> None:
    """Nobody reads them, but they are written."""
    problem, _ = lowered(
        "%dead = tanh(%x) : f32[1, 4]  %y = relu(%x) : f32[1, 4]  return %y", inputs="%x : f32[1, 4], %w : f32[1, 4]"
    )
    plan = planned(problem)
    assert plan.offsets.keys() == {"x", "w", "dead", "y"}
    assert plan.peak == 32


def test_nothing_to_run() -> None:
    """A function that returns its input needs the input's bytes."""
    problem, _ = lowered("return %x")
    assert (problem.steps, planned(problem).peak) == ((), 16)


FLOATS = TensorType((4,), DType.FLOAT32)


class _Test(Operator):
    operands = (0, 9)
    results = None
    arguments: ClassVar[tuple[Argument, ...]] = ()

    def check(self, operation: Operation) -> None: ...

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        raise NotImplementedError

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        return KernelCall("test", {}, self.arguments)


class _Scratchy(_Test):
    arguments = (Scratch(3, 1), Operand(0), Scratch(8, 4), Result(0))


class _Forgetful(_Test):
    def accesses(self, operation: Operation) -> Accesses:
        return whole({}, {0: 16})


class _Writing(_Test):
    updates = frozenset({0})


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operators for the tests below, and for state."""
    for kind, rule in (
        ("scratchy", _Scratchy()),
        ("forgetful", _Forgetful()),
        ("read_state", _Test()),
        ("write_state", _Writing()),
    ):
        monkeypatch.setitem(registry._REGISTRY, kind, rule)


@pytest.mark.usefixtures("kinds")
def test_scratch_arguments_are_laid_out_in_turn() -> None:
    """The scratch of a step holds all scratch arguments of its call, each aligned."""
    x, y = Value("x", FLOATS), Value("y", FLOATS)
    function = Function("infer", [x], [Operation("scratchy", [x], [y])], [y])
    problem, names = problem_of(function, PLAIN)
    assert (problem.steps[0].scratch, problem.steps[0].scratch_alignment) == (12, 4)
    assert names.call["y"].scratch_offsets == (0, 4)
    assert planned(problem).peak == 44


@pytest.mark.usefixtures("kinds")
def test_forgotten_accesses_are_refused() -> None:
    """An operator that does not state how it reads an operand in the arena is an error, not a silent overlap."""
    x, y = Value("x", FLOATS), Value("y", FLOATS)
    function = Function("infer", [x], [Operation("forgetful", [x], [y])], [y])
    with pytest.raises(ProblemError, match="state them all"):
        problem_of(function, PLAIN)


@pytest.mark.usefixtures("kinds")
def test_state_keeps_its_order() -> None:
    """Reads of state may change places with one another, but with no write of the same state; other state does not matter."""
    state, other = (State(name, FLOATS, np.zeros(4, np.float32)) for name in ("s", "other"))
    x = Value("x", FLOATS)
    a, b, c, d = (Value(name, FLOATS) for name in "abcd")
    operations = [
        Operation("read_state", [state], [a]),
        Operation("read_state", [state], [b]),
        Operation("write_state", [state, x], []),
        Operation("read_state", [other], [c]),
        Operation("write_state", [state, a], []),
        Operation("read_state", [state], [d]),
    ]
    problem, names = problem_of(Function("infer", [x], operations, [b, c, d]), PLAIN)
    steps: tuple[Step, ...] = problem.steps
    first, second = steps[2].name, steps[4].name
    assert [set(s.after) for s in steps] == [set(), set(), {"a", "b"}, set(), {"a", "b", first}, {first, second}]
    assert [names.operation[s.name] for s in steps] == operations
    assert "s" not in {b.name for b in problem.buffers}
    planned(problem)


@pytest.mark.usefixtures("kinds")
def test_output_that_is_a_constant_is_refused() -> None:
    """A view of a constant has no place in RAM to return."""
    c, y = Constant("c", FLOATS, np.zeros(4, np.float32)), Value("y", FLOATS)
    with pytest.raises(UnsupportedError, match="output 'y' is a view of a constant"):
        problem_of(Function("infer", [], [Operation("reshape", [c], [y])], [y]), PLAIN)


@pytest.mark.parametrize(
    ("model", "most"), [("resnet8_int8", 36_000), ("vww_96_int8", 42_000), ("person_detect", 42_000)]
)
def test_real_models_fit(lichen_data: Path, model: str, most: int) -> None:
    """The shared models plan to their bound, far below the arena of TensorFlow Lite Micro (54,996 and 100,708 bytes)."""
    problem, _ = problem_of(load(lichen_data / "models" / f"{model}.tflite").infer, PLAIN)
    assert planned(problem).peak <= most
