"""Planning problems built by hand or at random, and a simulator that runs them on real bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import strategies as st

from lichen.ir.accesses import Accesses, Intervals, elementwise, whole
from lichen.plan import Buffer, Plan, Problem, Step

Shape = tuple[int, int, int]


class Net:
    """Builds a problem call by call; every buffer has the name of the step that writes it."""

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.buffers: list[Buffer] = []
        self.steps: list[Step] = []
        self.inputs: list[str] = []

    def input(self, name: str, *shape: int, alignment: int = 1) -> str:
        self.inputs.append(name)
        return self.buffer(name, *shape, alignment=alignment)

    def buffer(self, name: str, *shape: int, alignment: int = 1) -> str:
        self.shapes[name] = shape
        self.buffers.append(Buffer(name, int(np.prod(shape)), alignment))
        return name

    def size(self, name: str) -> int:
        return int(np.prod(self.shapes[name]))

    def step(
        self, name: str, reads: Sequence[str], writes: Sequence[str], accesses: Accesses, scratch: int = 0
    ) -> None:
        self.steps.append(Step(name, tuple(reads), tuple(writes), accesses, scratch))

    def full(self, source: str, name: str, *shape: int, scratch: int = 0, alignment: int = 1) -> str:
        """A kernel of unknown order: nothing may overlap."""
        self.buffer(name, *shape, alignment=alignment)
        self.step(name, [source], [name], whole({0: self.size(source)}, {0: self.size(name)}), scratch)
        return name

    def add(self, left: str, right: str, name: str) -> str:
        self.buffer(name, *self.shapes[left])
        self.step(name, [left, right], [name], elementwise(self.size(left), {0: 1, 1: 1}, 1))
        return name

    def conv(self, source: str, name: str, shape: Shape, kernel: int, stride: int = 1, scratch: int = 0) -> str:
        """A convolution with SAME padding, one output pixel an access."""
        height, width, channels = self.shapes[source]
        rows, columns, out = shape
        self.buffer(name, *shape)
        y, x = np.divmod(np.arange(rows * columns), columns)
        top = y * stride - max(0, (rows - 1) * stride + kernel - height) // 2
        left = x * stride - max(0, (columns - 1) * stride + kernel - width) // 2
        first = np.maximum(top, 0) * width + np.maximum(left, 0)
        last = (np.minimum(top + kernel, height) - 1) * width + np.minimum(left + kernel, width)
        pixels = y * columns + x
        reads = np.stack([first * channels, last * channels], axis=1)
        writes = np.stack([pixels * out, (pixels + 1) * out], axis=1)
        self.step(name, [source], [name], Accesses({0: reads}, {0: writes}), scratch)
        return name

    def problem(self, *outputs: str) -> Problem:
        return Problem(tuple(self.buffers), tuple(self.steps), tuple(self.inputs), outputs)


@pytest.fixture
def net() -> Net:
    return Net()


@st.composite
def problems(draw: st.DrawFn, most_steps: int = 6, most_bytes: int = 24) -> Problem:
    """Random data flow with random orders of access; some buffers are filled by two steps, half each."""
    sizes = st.integers(1, most_bytes)
    alignments = st.sampled_from([1, 1, 2, 4])
    buffers = [Buffer(f"x{i}", draw(sizes), draw(alignments)) for i in range(draw(st.integers(1, 2)))]
    inputs = tuple(b.name for b in buffers)
    steps: list[Step] = []
    whole_buffers, half = list(buffers), None
    for k in range(draw(st.integers(1, most_steps))):
        reads = draw(st.lists(st.sampled_from(whole_buffers), min_size=0 if half else 1, max_size=3))
        written, count = [], draw(st.integers(1, 5))
        if half:
            written.append((half, half.size // 2, half.size))
            whole_buffers.append(half)
            half = None
        for r in range(draw(st.integers(0 if written else 1, 2))):
            new = Buffer(f"y{k}{'ab'[r]}", draw(sizes), draw(alignments))
            buffers.append(new)
            if half is None and new.size > 1 and k + 1 < most_steps and draw(st.integers(0, 5)) == 0:
                half = new
                written.append((new, 0, new.size // 2))
            else:
                written.append((new, 0, new.size))
        whole_buffers += [b for b, lo, hi in written if (lo, hi) == (0, b.size)]
        accesses = Accesses(
            {i: draw(_reading(b.size, count)) for i, b in enumerate(reads)},
            {i: draw(_writing(lo, hi, count)) for i, (b, lo, hi) in enumerate(written)},
            atomic=draw(st.booleans()),
        )
        after = draw(st.lists(st.sampled_from([s.name for s in steps]), max_size=1)) if steps else []
        scratch = draw(st.sampled_from([0, 0, 3, 8]))
        names = tuple(b.name for b in reads), tuple(b.name for b, _, _ in written)
        steps.append(Step(f"s{k}", *names, accesses, scratch, draw(alignments), tuple(after)))
    outputs = draw(st.lists(st.sampled_from([b.name for b in whole_buffers]), max_size=2, unique=True))
    return Problem(tuple(buffers), tuple(steps), inputs, tuple(outputs))


@st.composite
def _reading(draw: st.DrawFn, size: int, count: int) -> Intervals:
    points = draw(st.lists(st.tuples(st.integers(0, size), st.integers(0, size)), min_size=count, max_size=count))
    rows = [sorted(p) for p in points]
    style = draw(st.sampled_from(["any", "up", "down"]))
    if style != "any":
        rows.sort(reverse=style == "down")
    return np.array(rows, np.int64).reshape(count, 2)


@st.composite
def _writing(draw: st.DrawFn, lo: int, hi: int, count: int) -> Intervals:
    cuts = sorted(draw(st.lists(st.integers(lo, hi), min_size=count - 1, max_size=count - 1)))
    rows = list(zip([lo, *cuts], [*cuts, hi], strict=True))
    style = draw(st.sampled_from(["up", "up", "down", "any"]))
    rows = {"up": rows, "down": rows[::-1], "any": draw(st.permutations(rows))}[style]
    return np.array(rows, np.int64).reshape(count, 2)


@pytest.fixture(scope="session")
def random_problems() -> Callable[..., st.SearchStrategy[Problem]]:
    return problems


@pytest.fixture(scope="session")
def separate() -> Callable[[Problem], Plan]:
    """A plan in which nothing shares memory."""

    def plan(problem: Problem) -> Plan:
        end, offsets, scratch = 0, {}, {}
        for b in problem.buffers:
            offsets[b.name] = -(-end // b.alignment) * b.alignment
            end = offsets[b.name] + b.size
        for s in problem.steps:
            if s.scratch:
                scratch[s.name] = -(-end // s.scratch_alignment) * s.scratch_alignment
                end = scratch[s.name] + s.scratch
        return Plan(tuple(s.name for s in problem.steps), offsets, scratch, end, 0, "separate")

    return plan


@pytest.fixture(scope="session")
def simulate() -> Callable[[Problem, Plan, bool], Mapping[str, bytes]]:
    """Runs a plan on a poisoned arena: what a step writes is a hash of all that it has read so far.

    `writes_first` is the order within an access that is not atomic.
    """

    def run(problem: Problem, plan: Plan, writes_first: bool) -> Mapping[str, bytes]:
        arena = np.random.default_rng(zlib.crc32(repr(plan.offsets).encode())).integers(0, 256, plan.peak, np.uint8)
        for i, name in enumerate(problem.inputs):
            start, size = plan.offsets[name], problem.buffer(name).size
            arena[start : start + size] = np.arange(size) * 7 + i * 31 + 1
        for name in plan.order:
            step = problem.steps[problem.step_index[name]]
            hashed = zlib.crc32(name.encode())
            for k in range(step.accesses.count):
                if step.scratch:
                    arena[plan.scratch[name] :][: step.scratch] = 0xA5

                def write(k: int = k, step: Step = step, hashed: int = 0) -> None:
                    for i, result in enumerate(step.writes):
                        lo, hi = step.accesses.writes[i][k] + plan.offsets[result]
                        arena[lo:hi] = (np.arange(hi - lo) * 13 + hashed + i) % 256

                if writes_first and not step.accesses.atomic:
                    write(hashed=hashed)
                for i, operand in enumerate(step.reads):
                    lo, hi = step.accesses.reads[i][k] + plan.offsets[operand]
                    hashed = zlib.crc32(arena[lo:hi].tobytes(), hashed)
                if not writes_first or step.accesses.atomic:
                    write(hashed=hashed)
        return {
            name: arena[plan.offsets[name] :][: problem.buffer(name).size].tobytes() for name in problem.outputs
        }  # fmt: skip

    return run
