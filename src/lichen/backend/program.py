"""Planned functions: what the emitter needs to know, and nothing it would have to work out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lichen.coding.weights import PLAIN_WEIGHTS, CodedWeights
from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Function, Module, Operation, State, Value
from lichen.ir.operator import operator
from lichen.plan.lower import Names, problem_of
from lichen.plan.plan import Plan
from lichen.plan.planner import make_plan
from lichen.plan.rows import Region


@dataclass(frozen=True)
class Step:
    """One kernel call in its place in the order."""

    operation: Operation
    call: KernelCall
    scratch: tuple[int, ...] = ()
    """Arena offset of each scratch argument, in the order of the arguments."""

    @property
    def kind(self) -> str:
        return self.operation.kind

    @property
    def operations(self) -> Sequence[Operation]:
        return (self.operation,)

    @property
    def results(self) -> Sequence[Value]:
        return self.operation.results

    @property
    def calls(self) -> Sequence[KernelCall]:
        return (self.call,)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations."""
        return operator(self.operation.kind).macs(self.operation)


@dataclass(frozen=True)
class StreamedStep:
    """A streaming region in its place in the order: its stages take turns, one row a call."""

    region: Region
    calls: tuple[KernelCall, ...]
    """The kernel calls of the stages, strip by strip."""
    scratch: tuple[tuple[int, ...], ...]
    """Arena offset of each scratch argument of each call."""

    @property
    def operation(self) -> Operation:
        """The last one, after which the step is named."""
        return self.region.operations[-1]

    @property
    def kind(self) -> str:
        return "stream"

    @property
    def operations(self) -> Sequence[Operation]:
        """Of every strip."""
        return [op for one in self.region.passes for op in one.operations]

    @property
    def results(self) -> Sequence[Value]:
        """The tensors that are needed outside the region."""
        return self.region.results

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations, those counted twice that are done twice."""
        return self.region.macs


@dataclass(frozen=True)
class PlannedFunction:
    """Steps in order, and the arena offset of every value that has one (views have their operand's, streamed ones that of their ring)."""

    function: Function
    steps: Sequence[Step | StreamedStep]
    offsets: Mapping[Value, int]
    plan: Plan

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of one call."""
        return sum(step.macs for step in self.steps)

    @property
    def row_inputs(self) -> Mapping[Value, int]:
        """The inputs that come row by row, and how many of their rows are kept."""
        regions = [step.region for step in self.steps if isinstance(step, StreamedStep)]
        return {value: region.rings[region.home[value]] for region in regions for value in region.sources}


@dataclass(frozen=True)
class Program:
    """The functions of a module, which share one arena and one state. No function expects anything in the arena but its inputs."""

    module: Module
    functions: Mapping[str, PlannedFunction]
    state_offsets: Mapping[State, int]
    coding: CodedWeights = PLAIN_WEIGHTS

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
    def decoded_bytes(self) -> int:
        """Of the weights that are decoded once."""
        return self.coding.decoded_bytes

    @property
    def state_bytes(self) -> int:
        return max((offset + state.type.bytes for state, offset in self.state_offsets.items()), default=0)


def plan_module(
    module: Module, core: Core, regions: Sequence[Region] = (), coding: CodedWeights = PLAIN_WEIGHTS
) -> Program:
    """Chooses the kernels for `core`, then order and offsets of each function. Raises `UnsupportedError` where there is no kernel.

    `regions`, of any of the functions, are streamed; weights lie in flash as `coding` says.
    """
    functions = {
        name: plan_function(function, core, [r for r in regions if r.operations[0] in function.operations], coding)
        for name, function in module.functions.items()
    }
    return Program(module, functions, place_state(module), coding)


def plan_function(
    function: Function, core: Core, regions: Sequence[Region] = (), coding: CodedWeights = PLAIN_WEIGHTS
) -> PlannedFunction:
    """One function for `core`, `regions` of it streamed. Raises `UnsupportedError` where there is no kernel.

    Concatenations are made without copies where that takes no more memory.
    """
    problem, names = problem_of(function, core, regions, recode=coding.recode)
    plan = make_plan(problem)
    if any(op.kind == "concat" for op in function.operations):
        problem, joined = problem_of(function, core, regions, joins=True, recode=coding.recode)
        other = make_plan(problem)
        if other.peak <= plan.peak:
            plan, names = other, joined
    offsets = {value: plan.offsets[buffer] + names.begin.get(value, 0) for value, buffer in names.buffer.items()}
    return PlannedFunction(function, [_step(plan, names, name) for name in plan.order], offsets, plan)


def _step(plan: Plan, names: Names, name: str) -> Step | StreamedStep:
    if name not in names.region:
        return Step(names.operation[name], names.call[name], _scratch(plan, name, names.call[name]))
    calls = names.row_calls[name]
    return StreamedStep(names.region[name], calls, tuple(_scratch(plan, name, call) for call in calls))


def _scratch(plan: Plan, step: str, call: KernelCall) -> tuple[int, ...]:
    return tuple(plan.scratch[step] + offset for offset in call.scratch_offsets)


def place_state(module: Module) -> dict[State, int]:
    """Offsets of the module's state, largest alignment first so that nothing is lost between."""
    offsets: dict[State, int] = {}
    end = 0
    for state in sorted(module.states(), key=lambda s: -s.type.dtype.size):
        offsets[state] = end
        end += state.type.bytes
    return offsets
