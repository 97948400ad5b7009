"""A streaming region: consecutive operations evaluated by rows, so that of the tensors between them only the rows in use exist.

How this works inside: each operation is a stage that computes its rows from top to bottom, one a call. The last stages are asked for
their rows in turn; a stage that is asked first asks those it reads from, the shallowest first, so every row is computed as late as
it can be, and once. From the resulting sequence of calls follows how many of its newest rows each tensor has to keep: its ring.

An input need not be there from the start: a *source* is a stage that reads nothing and whose calls fetch the rows of an input, which
then lives in a ring as what is computed does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lichen.errors import InputError
from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Constant, Function, Operation, Value
from lichen.ir.operator import operator
from lichen.ops.params import int32_params
from lichen.ops.window import Window

ELEMENTWISE = frozenset(
    {"add", "sub", "mul", "relu", "relu6", "leaky_relu", "hard_swish", "logistic", "tanh", "quantize", "dequantize"}
)
"""Kinds whose kernels know no rows, but compute one as they would a tensor of one row."""

SPATIAL = frozenset({"conv2d", "depthwise_conv2d", "max_pool2d", "avg_pool2d", "pad"})
"""Kinds whose kernels compute a range of rows."""

MOST_STAGES = 127  # their numbers are int8 in the generated C


def can_stream(op: Operation) -> bool:
    """Whether `op` computes rows (1, height, width, channels) from rows of its operands, the same ones if it is elementwise."""
    if op.kind not in ELEMENTWISE | SPATIAL:
        return False
    result = op.results[0].type
    operands = _variables(op)
    if not operands or any(type(v) is not Value for v in operands):
        return False
    if any(v.type.rank != 4 or v.type.shape[0] != 1 for v in (*operands, op.results[0])):
        return False
    if op.kind in SPATIAL:
        return True
    constants = [v.type.shape for v in op.operands if v not in operands]
    return all(v.type.shape == result.shape for v in operands) and all(len(s) < 3 or s[-3] == 1 for s in constants)


def row_bytes(value: Value) -> int:
    """Bytes of one row of an image."""
    return value.type.bytes // value.type.shape[1]


def spans(op: Operation, axis: int) -> NDArray[np.int64]:
    """The indices `[first, last)` along `axis` (1: rows, 2: columns) of an operand that index `i` of the result reads, in row `i`.

    The same for all operands that are not constant; where nothing but padding is read, `first >= last`.
    """
    index = np.arange(op.results[0].type.shape[axis], dtype=np.int64)
    if op.kind in ELEMENTWISE:
        return np.stack([index, index + 1], axis=1)
    extent = op.operands[0].type.shape[axis]
    if op.kind == "pad":
        first = index - op.ints_attribute("before")[axis]
        return np.stack([np.maximum(first, 0), np.minimum(first + 1, extent)], axis=1)
    window = Window.over(op)
    first = index * window.stride[axis - 1] - window.padding[2 * (axis - 1)]
    return np.stack([np.maximum(first, 0), np.minimum(first + window.reach[axis - 1], extent)], axis=1)


class Stage:
    """An operation of a region, row by row."""

    def __init__(self, op: Operation) -> None:
        self.op, self.result = op, op.results[0]
        self.rows = self.result.type.shape[1]
        self.operands = _variables(op)
        self.reads = list(dict.fromkeys(self.operands))

    @cached_property
    def accesses(self) -> list[Accesses]:
        """What each call, computing one row, accesses: intervals relative to the start of the whole tensors."""
        whole = operator(self.op.kind).row_accesses(self.op)
        step = whole.count // self.rows
        assert step * self.rows == whole.count, "a row's accesses follow those of the row above"
        held = [i for i, v in enumerate(self.op.operands) if v in self.reads]
        return [
            Accesses(
                {k: whole.reads[i][r * step : (r + 1) * step] for k, i in enumerate(held)},
                {0: whole.writes[0][r * step : (r + 1) * step]},
                whole.atomic,
            )
            for r in range(self.rows)
        ]

    @cached_property
    def needs(self) -> dict[Value, NDArray[np.int64]]:
        """The rows `[first, last)` of each operand that the call for row `r` reads, in row `r` of an array."""
        return dict.fromkeys(self.reads, spans(self.op, axis=1))

    @cached_property
    def pixel_macs(self) -> int:
        """The multiply-accumulate operations of one pixel of the result."""
        return operator(self.op.kind).macs(self.op) // (self.rows * self.result.type.shape[2])

    @cached_property
    def column_spans(self) -> list[tuple[int, int]]:
        """The columns `[first, last)` of the operands that each column of the result is computed from."""
        return [(int(first), int(last)) for first, last in spans(self.op, axis=2)]


class Source:
    """An input of a region that comes row by row: a stage without operands."""

    def __init__(self, value: Value) -> None:
        self.result, self.rows = value, value.type.shape[1]
        self.operands: list[Value] = []
        self.reads: list[Value] = []
        self.needs: dict[Value, NDArray[np.int64]] = {}
        self.pixel_macs = 0

    @cached_property
    def accesses(self) -> list[Accesses]:
        """Each call writes one row."""
        size = row_bytes(self.result)
        return [Accesses({}, {0: np.array([[r * size, (r + 1) * size]], np.int64)}) for r in range(self.rows)]


class Columns(NamedTuple):
    """Some columns of a tensor, from column `first` on; the value that stands for them says how many."""

    tensor: Value
    first: int


@dataclass(frozen=True)
class Region:
    """Stages, the calls in order (each the index of a stage, whose next row it computes), and where tensors live.

    `home` is the tensor in whose ring a tensor lives: its own, or that of the elementwise result that takes its place. `rings` has
    the number of rows of each ring. Tensors that are in neither come from outside or are needed there, and are kept whole. A value
    of `columns` is some columns of a tensor.

    Sources are the first of the stages.

    A region may be evaluated in `strips` instead: regions whose stages compute some of the columns, one after the other in the same
    rings, so that their tensors have the region's homes.
    """

    stages: tuple[Source | Stage, ...]
    calls: tuple[int, ...]
    home: Mapping[Value, Value]
    rings: Mapping[Value, int]
    columns: Mapping[Value, Columns] = field(default_factory=dict)
    strips: tuple[Region, ...] = ()
    newest: Mapping[Value, Value] = field(default_factory=dict)
    """The place of the newest row of tensors that keep it apart; the ring has the rows before it, in order (`plan/slide.py`)."""
    scratch: int = 0
    """Bytes of scratch that may be spent on speed: each call takes the fastest kernel that needs no more, or the leanest."""

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(stage.op for stage in self.stages if isinstance(stage, Stage))

    @property
    def sources(self) -> tuple[Value, ...]:
        """The inputs that come row by row."""
        return tuple(stage.result for stage in self.stages if isinstance(stage, Source))

    @property
    def results(self) -> tuple[Value, ...]:
        """The tensors that are needed outside."""
        tensors = (self.lies(stage.result).tensor for stage in self.stages)
        return tuple(tensor for tensor in tensors if tensor not in self.home)

    @cached_property
    def turns(self) -> list[NDArray[np.int64]]:
        """Which calls are those of each stage, for its rows in order."""
        return turns_of(self.calls, len(self.stages))

    @property
    def passes(self) -> tuple[Region, ...]:
        """What is evaluated, one after the other: its strips, or the region itself."""
        return self.strips or (self,)

    @property
    def rows(self) -> int:
        """How many rows its evaluation computes, and moves."""
        return sum(len(one.calls) + one.moves for one in self.passes)

    @property
    def moves(self) -> int:
        """How many rows are moved, about: each window moves as many as it keeps, less those that it passes."""
        slides = [(s.rows, self.rings[v]) for s in self.stages for v in s.operands if v in self.newest]
        return sum(rows * kept for rows, kept in slides)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of its evaluation, those counted twice that are done twice."""
        return sum(
            stage.pixel_macs * stage.result.type.shape[2] * len(turns)
            for one in self.passes
            for stage, turns in zip(one.stages, one.turns, strict=True)
        )

    def lies(self, value: Value) -> Columns:
        """The tensor that `value` is, and its first column there."""
        return self.columns.get(value, Columns(value, 0))

    @property
    def ring_bytes(self) -> dict[Value, int]:
        """Bytes of each ring, which has room for the widest strip."""
        sizes = dict.fromkeys(self.rings, 0)
        for one in self.passes:
            for tensor, owner in one.home.items():
                sizes[owner] = max(sizes[owner], self.rings[owner] * row_bytes(tensor))
        return sizes

    def kept(self, tensor: Value) -> int:
        """How many rows of a tensor there are at a time."""
        return self.rings[self.home[tensor]] if tensor in self.home else tensor.type.shape[1]


class Streams:
    """The regions there can be in a function. `sources` are inputs that come row by row, to the one region that reads them."""

    def __init__(self, function: Function, sources: Sequence[Value] = ()) -> None:
        self.function = function
        self.sources = [Source(value) for value in sources]
        self.stages = [Stage(op) if can_stream(op) else None for op in function.operations]
        self.consumers: dict[Value, list[Operation]] = {}
        for op in function.operations:
            for value in dict.fromkeys(op.operands):
                self.consumers.setdefault(value, []).append(op)

    def region(self, begin: int, end: int) -> Region:
        """The region of operations `begin` to `end`, all of which can stream, and of the sources that they read."""
        computed = [stage for stage in self.stages[begin:end] if stage is not None]
        read = {value for stage in computed for value in stage.reads}
        stages: list[Source | Stage] = [*(source for source in self.sources if source.result in read), *computed]
        assert len(computed) == end - begin and len(stages) <= MOST_STAGES
        inside = {stage.op for stage in computed}
        home = {s.result: s.result for s in stages if not self._is_needed_outside(s.result, inside)}
        calls = _calls(stages, [i for i, stage in enumerate(stages) if stage.result not in home])
        for stage in computed:
            taken = self._in_place(stage, home)
            if taken is not None:
                home.update((value, stage.result) for value, owner in home.items() if owner is taken)
        return Region(tuple(stages), calls, home, _rings(stages, calls, home))

    def allows(self, begin: int, end: int) -> bool:
        """Whether operations `begin` to `end` can be a region: all compute rows, and of a source they contain all readers or none."""
        computed = self.stages[begin:end]
        if any(stage is None for stage in computed):
            return False
        readers = [self.readers(source.result) for source in self.sources]
        sources = [found for found in readers if any(begin <= i < end for i in found)]
        return len(computed) + len(sources) <= MOST_STAGES and all(begin <= i < end for found in sources for i in found)

    def readers(self, value: Value) -> list[int]:
        """The positions of the operations that read `value`."""
        return [i for i, op in enumerate(self.function.operations) if value in op.operands]

    def _is_needed_outside(self, value: Value, inside: set[Operation]) -> bool:
        readers = self.consumers.get(value, [])
        return self.function.is_output(value) or not readers or any(op not in inside for op in readers)

    def _in_place(self, stage: Stage, home: dict[Value, Value]) -> Value | None:
        """The operand whose place the result of an elementwise stage takes: one that nobody else reads."""
        if stage.op.kind not in ELEMENTWISE or stage.result not in home:
            return None
        for value in reversed(stage.reads):
            alone = len(self.consumers[value]) == 1
            if alone and home.get(value) is value and row_bytes(value) == row_bytes(stage.result):
                return value
        return None


def inputs_by_rows(function: Function) -> tuple[Value, ...]:
    """The inputs that can come row by row: images that only operations read which one region can hold.

    Raises `InputError`, with a reason for each input, where there is none.
    """
    streams = Streams(function)
    refused = {value: reason for value in function.inputs if (reason := _why_whole(value, streams)) is not None}
    if len(refused) == len(function.inputs):
        reasons = "; ".join(f"input '{value.name}' {reason}" for value, reason in refused.items())
        raise InputError(f"no input can come by rows: {reasons or 'there is none'}; compile without --input-rows")
    return tuple(value for value in function.inputs if value not in refused)


def _why_whole(value: Value, streams: Streams) -> str | None:
    """What keeps an input from coming row by row."""
    shape, function = value.type.shape, streams.function
    if len(shape) != 4 or shape[0] != 1 or shape[1] < 2:
        return f"is {list(shape)}, not an image of several rows (1, height, width, channels)"
    if function.is_output(value):
        return "is an output, too"
    readers = streams.readers(value)
    if not readers:
        return "is read by no operation"
    for stage, op in zip(streams.stages[readers[0] : readers[-1] + 1], function.operations[readers[0] :], strict=False):
        if stage is None:
            return f"has to be whole for {op.kind} '{op.name}', which does not compute row by row"
    return None if streams.allows(readers[0], readers[-1] + 1) else "is read by too many operations"


def row_call(region: Region, op: Operation, core: Core, scratch: int) -> KernelCall:
    """The kernel call for rows of `op`, the fastest that needs no more than `scratch` bytes of scratch, or the leanest."""
    calls = row_calls(region, op, core)
    return next((call for call in calls if call.scratch.bytes <= scratch), calls[-1])


def row_calls(region: Region, op: Operation, core: Core) -> list[KernelCall]:
    """The kernel calls there are for rows of `op`, from the fastest to the leanest: the operator's own if they take a range of rows and go
    row by row, else that for a tensor of one row.
    """
    if op.kind in SPATIAL:
        found: KernelCall | None = operator(op.kind).lower(op, core)
        calls = []
        while found is not None:
            calls.append(found)
            found = found.lean
        source, result = (region.lies(v).tensor.type.shape for v in (op.operands[0], op.results[0]))
        lengths = int32_params(op, in_length=source[2] * source[3], out_length=result[2] * result[3])
        return [replace(c, params={**c.params, **lengths}) for c in calls if _goes_by_rows(c) or c.lean is None]
    ones = {v: Value(v.name, v.type.with_shape(1, 1, *v.type.shape[2:])) for v in (*_variables(op), *op.results)}
    small = Operation(op.kind, [ones.get(v, v) for v in op.operands], [ones[v] for v in op.results], op.attributes)
    return [operator(op.kind).lower(small, core)]


def _goes_by_rows(call: KernelCall) -> bool:
    """Whether a call does not compute several rows together, for which it would take more scratch than for one."""
    return call.accesses is None or call.rows is None or call.accesses.count >= call.rows


def pixel_bytes(value: Value) -> int:
    """Bytes of one pixel of an image."""
    return value.type.shape[3] * value.type.dtype.size


def _variables(op: Operation) -> list[Value]:
    return [v for v in op.operands if not isinstance(v, Constant)]


def _calls(stages: Sequence[Source | Stage], goals: Sequence[int]) -> tuple[int, ...]:
    """All rows of the stages `goals`, that which is furthest behind first, and what they need of the others."""
    index = {stage.result: i for i, stage in enumerate(stages)}
    depth: list[int] = []
    asks: list[list[tuple[int, NDArray[np.int64]]]] = []
    for stage in stages:
        asked = sorted((depth[index[v]], index[v]) for v in stage.needs if v in index)
        depth.append(max((d for d, _ in asked), default=0) + 1)
        asks.append([(i, stage.needs[stages[i].result][:, 1]) for _, i in asked])
    done = [0] * len(stages)
    calls: list[int] = []

    def compute(i: int) -> None:
        for other, ends in asks[i]:
            while done[other] < ends[done[i]]:
                compute(other)
        done[i] += 1
        calls.append(i)

    while unfinished := [i for i in goals if done[i] < stages[i].rows]:
        compute(min(unfinished, key=lambda i: (done[i] / stages[i].rows, -i)))
    return tuple(calls)


def turns_of(calls: Sequence[int], stages: int) -> list[NDArray[np.int64]]:
    """The calls of each of so many stages."""
    array = np.asarray(calls, np.int64)
    return np.split(np.argsort(array, kind="stable"), np.cumsum(np.bincount(array, minlength=stages))[:-1])


def _rings(stages: Sequence[Source | Stage], calls: Sequence[int], home: dict[Value, Value]) -> dict[Value, int]:
    """When a row is written, the ring reaches down to the oldest row that the call itself or a later one reads."""
    turns = turns_of(calls, len(stages))
    readers: dict[Value, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {}
    for stage, turn in zip(stages, turns, strict=True):
        for value, ranges in stage.needs.items():
            if value in home:
                first = np.append(ranges[: len(turn), 0], np.iinfo(np.int64).max)
                readers.setdefault(home[value], []).append((turn, first))
    rings = dict.fromkeys(home.values(), 1)
    for stage, turn in zip(stages, turns, strict=True):
        if stage.result in home:
            owner, row = home[stage.result], np.arange(len(turn), dtype=np.int64)
            oldest = row
            for reads, first in readers.get(owner, []):  # windows only move down, so the next read is of the oldest row
                oldest = np.minimum(oldest, first[np.searchsorted(reads, turn)])
            rings[owner] = max(rings[owner], int((row + 1 - oldest).max(initial=1)))
    return rings
