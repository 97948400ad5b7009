"""Planned functions: what the emitter needs to know, and nothing it would have to work out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Function, Module, Operation, State, Value
from lichen.plan.lower import problem_of, scratch_offsets
from lichen.plan.plan import Plan
from lichen.plan.planner import make_plan


@dataclass(frozen=True)
class Step:
    """One kernel call in its place in the order."""

    operation: Operation
    call: KernelCall
    scratch: tuple[int, ...] = ()
    """Arena offset of each scratch argument, in the order of the arguments."""


@dataclass(frozen=True)
class PlannedFunction:
    """Steps in order, and the arena offset of every value that has one (views have their operand's)."""

    function: Function
    steps: Sequence[Step]
    offsets: Mapping[Value, int]
    plan: Plan


@dataclass(frozen=True)
class Program:
    """The functions of a module, which share one arena and one state. No function expects anything in the arena but its inputs."""

    module: Module
    functions: Mapping[str, PlannedFunction]
    state_offsets: Mapping[State, int]

    @property
    def infer(self) -> PlannedFunction:
        return self.functions["infer"]

    @property
    def others(self) -> Sequence[PlannedFunction]:
        """The functions beside `infer`."""
        return [planned for name, planned in self.functions.items() if name != "infer"]

    @property
    def arena_bytes(self) -> int:
        return max(1, *(planned.plan.peak for planned in self.functions.values()))

    @property
    def state_bytes(self) -> int:
        return max((offset + state.type.bytes for state, offset in self.state_offsets.items()), default=0)


def plan_module(module: Module, core: Core) -> Program:
    """Chooses the kernels for `core`, then order and offsets of each function. Raises `UnsupportedError` where there is no kernel."""
    functions = {name: _plan_function(function, core) for name, function in module.functions.items()}
    return Program(module, functions, _place_state(module))


def _plan_function(function: Function, core: Core) -> PlannedFunction:
    problem, names = problem_of(function, core)
    plan = make_plan(problem)
    steps = [Step(names.operation[n], names.call[n], _scratch(plan, n, names.call[n])) for n in plan.order]
    offsets = {value: plan.offsets[buffer] for value, buffer in names.buffer.items()}
    return PlannedFunction(function, steps, offsets, plan)


def _scratch(plan: Plan, step: str, call: KernelCall) -> tuple[int, ...]:
    return tuple(plan.scratch[step] + offset for offset in scratch_offsets(call))


def _place_state(module: Module) -> dict[State, int]:
    """Offsets of the module's state, largest alignment first so that nothing is lost between."""
    offsets: dict[State, int] = {}
    end = 0
    for state in sorted(module.states(), key=lambda s: -s.type.dtype.size):
        offsets[state] = end
        end += state.type.bytes
    return offsets
