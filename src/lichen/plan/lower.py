"""From a function of the graph to a planning problem.

A buffer stands for all values that share its memory: a computed or given value, and its views. Constants live in flash and
state beside the arena, so neither is a buffer; the order in which operations touch the same state is kept by `Step.after`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from lichen.errors import UnsupportedError
from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Constant, Function, Operation, State, Value
from lichen.ir.operator import operator
from lichen.plan.bound import lower_bound
from lichen.plan.join import NOTHING, join
from lichen.plan.lower_region import streamed_step
from lichen.plan.problem import Buffer, Problem, Step
from lichen.plan.rows import Region, row_call

Recode: TypeAlias = Callable[[Operation, KernelCall], KernelCall]
"""What becomes of the call that was chosen for an operation, where its weights lie in flash in another form."""

_MARGIN = 2048  # bytes that may be spent on speed: a thirty-second of what the smaller cores with DSP instructions have


@dataclass(frozen=True)
class Names:
    """What buffers and steps of the problem are called: `buffer[value]`, and the operation and kernel call of each step.

    A value lies at the beginning of its buffer, or as many bytes behind it as `begin` says.
    A streamed step has a region in place of the one, and a call for each operation of each of its passes in place of the other.
    """

    buffer: Mapping[Value, str]
    begin: Mapping[Value, int]
    operation: Mapping[str, Operation]
    call: Mapping[str, KernelCall]
    region: Mapping[str, Region]
    row_calls: Mapping[str, tuple[KernelCall, ...]]


def unchanged(operation: Operation, call: KernelCall) -> KernelCall:
    """Weights lie in flash as the kernel reads them."""
    return call


def problem_of(
    function: Function, core: Core, regions: Sequence[Region] = (), joins: bool = False, recode: Recode = unchanged
) -> tuple[Problem, Names]:
    """The problem of planning `function` with the kernels chosen for `core`, as `recode` leaves them. Raises `UnsupportedError` for what
    has no kernel.

    Every operation but views becomes a step, and each of `regions`, which are disjoint and not interleaved, a streamed one. A result
    that nobody uses needs a place all the same: its kernel writes it. If the problem `joins`, concatenations that need no copy are no
    steps either; their parts then wait in the place of the whole, which can take more memory or less.
    """
    inside = {op: region for region in regions for op in region.operations}
    by_rows = {value for region in regions for value in region.sources}
    in_rings = {value for region in regions for value in region.home}
    roots = {value: root for value, root in _roots(function).items() if value not in in_rings}
    for region in regions:
        roots.update((value, region.home[value]) for value in region.sources)
        for one in region.passes:
            roots.update(one.home)
        roots.update((place, place) for place in region.newest.values())
    joined = join(function, roots, inside) if joins else NOTHING
    begin = {value: joined.places[root][1] for value, root in roots.items() if root in joined.places}
    roots = {value: joined.places[root][0] if root in joined.places else root for value, root in roots.items()}
    sizes: dict[str, tuple[int, int]] = {}
    for value, root in roots.items():
        size, alignment = sizes.get(root.name, (0, 1))
        sizes[root.name] = max(size, value.type.bytes), max(alignment, value.type.dtype.size)
    for region in regions:
        for owner, size in region.ring_bytes.items():
            sizes[owner.name] = size, sizes[owner.name][1]
    buffer = {value: root.name for value, root in roots.items()}
    named = _named_operations(function)
    operations = {name: op for name, op in named.items() if op not in inside and op not in joined.operations}
    after = _state_order(operations)
    buffers = {name: Buffer(name, size, alignment) for name, (size, alignment) in sizes.items()}
    largest = max((size for size, _ in sizes.values()), default=0)
    enough = largest + _MARGIN

    def fitting(name: str, op: Operation) -> tuple[KernelCall, Step]:
        """The fastest kernel that needs no more memory, or little more, than the largest buffer; or else the leanest."""
        call = operator(op.kind).lower(op, core)
        step = _step(name, op, call, buffer, begin, after[name])
        while call.lean is not None and _bytes_alone(step, buffers) > enough:
            call = call.lean
            step = _step(name, op, call, buffer, begin, after[name])
        recoded = recode(op, call)
        return recoded, step if recoded is call else _step(name, op, recoded, buffer, begin, after[name])

    layers = {name: fitting(name, op) for name, op in operations.items()}
    streamed = {name: inside[op] for name, op in named.items() if op in inside and op is inside[op].operations[-1]}
    row_calls = {
        name: tuple(
            recode(op, row_call(one, op, core, region.scratch)) for one in region.passes for op in one.operations
        )
        for name, region in streamed.items()
    }
    problem = Problem(
        buffers=tuple(buffers.values()),
        steps=tuple(
            layers[name][1]
            if name in operations
            else streamed_step(name, streamed[name], buffer, [call.scratch for call in row_calls[name]])
            for name in named
            if name in streamed or name in operations
        ),
        inputs=tuple(value.name for value in function.inputs if value not in by_rows),
        outputs=tuple(dict.fromkeys(_output(value, buffer) for value in function.outputs)),
    )
    calls = {name: call for name, (call, _) in layers.items()}
    return problem, Names(buffer, begin, operations, calls, streamed, row_calls)


def _roots(function: Function) -> dict[Value, Value]:
    """Every value in the arena, in order of definition, and whose memory it is: its own, or that of what it is a view of."""
    roots: dict[Value, Value] = {value: value for value in function.inputs}
    for op in function.operations:
        if not operator(op.kind).is_view:
            roots.update((value, value) for value in op.results)
        elif op.operands[0] in roots:
            roots.update((value, roots[op.operands[0]]) for value in op.results)
    return roots


def _named_operations(function: Function) -> dict[str, Operation]:
    """Every operation that runs, by a name of its own; several may write the same state, whose name they would share."""
    named: dict[str, Operation] = {}
    for index, op in enumerate(function.operations):
        if not operator(op.kind).is_view:
            named[op.name if op.results else f"{op.kind} {op.name} {index}"] = op
    return named


def _state_order(operations: Mapping[str, Operation]) -> dict[str, tuple[str, ...]]:
    """For each operation the earlier ones it must not overtake: an update of state anything, a read any update."""
    after: dict[str, tuple[str, ...]] = {}
    touched: dict[Value, list[tuple[str, bool]]] = {}
    for name, op in operations.items():
        before: dict[str, None] = {}
        changed = {op.operands[index] for index in operator(op.kind).updates}
        for state in dict.fromkeys(value for value in op.operands if isinstance(value, State)):
            earlier = touched.setdefault(state, [])
            before.update((other, None) for other, updated in earlier if updated or state in changed)
            earlier.append((name, state in changed))
        after[name] = tuple(before)
    return after


def _step(
    name: str,
    op: Operation,
    call: KernelCall,
    buffer: Mapping[Value, str],
    begin: Mapping[Value, int],
    after: tuple[str, ...],
) -> Step:
    for value in op.operands:
        if value not in buffer and not isinstance(value, Constant | State):
            raise UnsupportedError(
                f"{op.kind} '{op.name}': '{value.name}' is a view of a constant, which has no place in RAM; compute it from an input"
            )
    accesses = call.accesses or operator(op.kind).accesses(op)
    held = [i for i, value in enumerate(op.operands) if value in buffer]
    return Step(
        name,
        reads=tuple(buffer[op.operands[i]] for i in held),
        writes=tuple(buffer[value] for value in op.results),
        accesses=Accesses(
            {k: accesses.reads[i] + begin.get(op.operands[i], 0) for k, i in enumerate(held) if i in accesses.reads},
            {k: writes + begin.get(op.results[k], 0) for k, writes in accesses.writes.items()},
            accesses.atomic,
        ),
        scratch=call.scratch.bytes,
        scratch_alignment=call.scratch.alignment,
        after=after,
    )


def _bytes_alone(step: Step, buffers: Mapping[str, Buffer]) -> int:
    """What a step needs if nothing else is alive: its operands before, its results behind it."""
    touched = tuple(buffers[name] for name in dict.fromkeys((*step.reads, *step.writes)))
    given = tuple(name for name in dict.fromkeys(step.reads) if name not in step.writes)
    return lower_bound(Problem(touched, (replace(step, after=()),), given, step.writes))


def _output(value: Value, buffer: Mapping[Value, str]) -> str:
    if value not in buffer:
        raise UnsupportedError(
            f"output '{value.name}' is a view of a constant, which has no place in RAM; return a computed value"
        )
    return buffer[value]
