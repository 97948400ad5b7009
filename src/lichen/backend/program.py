"""A planned function: what the emitter needs to know, and nothing it would have to work out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Module, Operation, State, Value
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
class Program:
    """Steps in order, and the arena offset of every value that has one (views have their operand's)."""

    module: Module
    steps: Sequence[Step]
    offsets: Mapping[Value, int]
    state_offsets: Mapping[State, int]
    plan: Plan

    @property
    def arena_bytes(self) -> int:
        return max(self.plan.peak, 1)

    @property
    def state_bytes(self) -> int:
        return max((offset + state.type.bytes for state, offset in self.state_offsets.items()), default=0)


def plan_module(module: Module, core: Core) -> Program:
    """Chooses the kernels for `core`, then order and offsets of `infer`. Raises `UnsupportedError` where there is no kernel."""
    problem, names = problem_of(module.infer, core)
    plan = make_plan(problem)
    steps = [Step(names.operation[n], names.call[n], _scratch(plan, n, names.call[n])) for n in plan.order]
    offsets = {value: plan.offsets[buffer] for value, buffer in names.buffer.items()}
    return Program(module, steps, offsets, _place_state(module), plan)


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
