"""Problems that contradict themselves are refused in one sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lichen.ir.accesses import Accesses, whole
from lichen.plan import Buffer, Problem, ProblemError, Step

A, B, C = Buffer("a", 4), Buffer("b", 4), Buffer("c", 4)
COPY = whole({0: 4}, {0: 4})
FIRST, SECOND = Step("first", ("a",), ("b",), COPY), Step("second", ("b",), ("c",), COPY)
GOOD = Problem((A, B, C), (FIRST, SECOND), ("a",), ("c",))


def part(lo: int, hi: int) -> Accesses:
    return Accesses({}, {0: np.array([[lo, hi]])})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"buffers": (A, B, C, A)}, "buffer ['a'] is named more than once"),
        ({"buffers": (A, B, replace(C, size=0))}, "at least 1"),
        ({"buffers": (A, B, replace(C, alignment=3))}, "not a power of two"),
        ({"buffers": (A, B)}, "'c'"),
        ({"buffers": (A, replace(B, size=3), C)}, "accessed outside its 3 bytes"),
        ({"buffers": (A, B, C, Buffer("d", 1))}, "neither an input nor written"),
        ({"steps": (SECOND, FIRST)}, "listed before ['first']"),
        ({"steps": (FIRST, replace(SECOND, name="first"))}, "named more than once"),
        ({"steps": (replace(FIRST, after=("second",)), SECOND)}, "listed before ['second']"),
        ({"steps": (FIRST, replace(SECOND, after=("third",)))}, "not a step"),
        ({"steps": (FIRST, replace(SECOND, scratch=-1))}, "negative"),
        ({"steps": (FIRST, replace(SECOND, reads=("b", "a")))}, "state them all"),
        ({"steps": (FIRST, replace(SECOND, reads=("c",)))}, "reads and writes"),
        ({"steps": (FIRST, replace(SECOND, accesses=whole({0: 4}, {})))}, "state them all"),
        ({"steps": (FIRST, SECOND, replace(SECOND, name="third"))}, "written by more than one step"),
        ({"steps": (replace(FIRST, reads=("c",), writes=("a",)), SECOND)}, "input 'a' is written"),
        ({"inputs": ("a", "a")}, "named more than once"),
        ({"outputs": ("z",)}, "output 'z' is not a buffer"),
    ],
)
def test_contradictions_are_refused(change: dict[str, object], sentence: str) -> None:
    """Every rule of a problem has a sentence of its own that names the place."""
    with pytest.raises(ProblemError) as error:
        replace(GOOD, **change)
    assert sentence in str(error.value)


def test_accesses_of_unequal_length_are_refused() -> None:
    """All operands and results of a step share its accesses, so their arrays are equally long."""
    uneven = Accesses({0: np.array([[0, 4]])}, {0: np.array([[0, 2], [2, 4]])})
    with pytest.raises(ProblemError, match=r"needs \(1, 2\)"):
        replace(GOOD, steps=(replace(FIRST, accesses=uneven), SECOND))


def test_reader_waits_only_for_writers_of_what_it_reads() -> None:
    """Of a buffer filled piecewise a reader needs the pieces that its reads touch."""
    left, right = Step("left", (), ("b",), part(0, 2)), Step("right", (), ("b",), part(2, 4))
    reader = Step("reader", ("b",), ("c",), Accesses({0: np.array([[1, 2]])}, {0: np.array([[0, 4]])}))
    problem = Problem((B, C), (left, reader, right), (), ("b", "c"))
    assert problem.predecessors == (frozenset(), frozenset({0}), frozenset())


def test_reader_of_nothing_waits_for_all() -> None:
    """A step that reads no byte of its operand still runs after the operand is written."""
    reads = np.array([[1, 1]])
    left, right = Step("left", (), ("b",), part(0, 2)), Step("right", (), ("b",), part(2, 4))
    reader = Step("reader", ("b",), ("c",), Accesses({0: reads}, {0: np.array([[0, 4]])}))
    assert Problem((B, C), (left, right, reader), (), ("c",)).predecessors[2] == {0, 1}
