"""The lower bound over all orders and offsets."""

from __future__ import annotations

from typing import Any

import numpy as np

from lichen.ir.accesses import Accesses, whole
from lichen.plan import Buffer, Problem, Step
from lichen.plan.bound import lower_bound
from lichen.plan.footprint import overlap
from lichen.plan.lead import Clearance, disjoint


def test_chain_is_its_largest_step(net: Any) -> None:
    """For a chain the bound is the largest sum of one step's operand, result and scratch."""
    net.input("x", 10)
    net.full("x", "y", 25, scratch=6)
    net.full("y", "z", 5)
    assert lower_bound(net.problem("z")) == 41


def test_overlap_lowers_the_bound(net: Any) -> None:
    """What a result may share with an operand that dies does not count twice; with one that lives on, it does."""
    net.input("x", 8, 8, 2)
    net.conv("x", "y", (8, 8, 2), 3)
    assert lower_bound(net.problem("y")) == 128 + 20
    assert lower_bound(net.problem("x", "y")) == 256


def test_buffers_that_must_outlive_a_step_count(net: Any) -> None:
    """A skipped tensor counts in the steps between its producer and its last reader, whatever the order."""
    net.input("x", 10)
    net.full("x", "a", 20)
    net.full("a", "b", 30)
    net.full("b", "c", 20)
    net.add("a", "c", "d")
    assert lower_bound(net.problem("d")) == 20 + 30 + 20


def test_unordered_branches_do_not_count(net: Any) -> None:
    """What some order has out of the way by then is not part of the bound."""
    net.input("x", 1)
    net.full("x", "a", 50)
    net.full("a", "small", 1)
    net.full("x", "b", 50)
    net.full("b", "little", 1)
    net.add("small", "little", "sum")
    assert lower_bound(net.problem("sum")) == 51


def test_inputs_and_outputs_count_together() -> None:
    """All inputs exist before the first step, all outputs after the last."""
    join = Step("join", ("x", "y"), ("a",), whole({0: 9, 1: 9}, {0: 1}))
    buffers = (Buffer("x", 9), Buffer("y", 9), Buffer("w", 9), Buffer("a", 1))
    assert lower_bound(Problem(buffers, (join,), ("x", "y", "w"), ("a",))) == 27
    assert lower_bound(Problem(buffers, (join,), ("x", "y", "w"), ("x", "y", "w", "a"))) == 28


def test_bytes_are_given_up_once() -> None:
    """Two results that may each take the place of the operand cannot both have it."""
    turns = np.array([[0, 9], [0, 0]])
    spread = Accesses({0: turns}, {0: turns[::-1], 1: turns[::-1]})
    buffers = tuple(Buffer(name, 9) for name in "xyz")
    assert lower_bound(Problem(buffers, (Step("s", ("x",), ("y", "z"), spread),), ("x",), ("y",))) == 18


def test_overlap_of_two_places() -> None:
    """The most bytes that two buffers share within a clearance, tried for every distance."""
    for first, second in ((5, 3), (3, 5), (4, 4)):
        a, b = Buffer("a", first), Buffer("b", second)
        assert overlap(disjoint(a, b), a, b) == 0
        for below in range(-second, first + 1):
            for above in range(-second, first + 1):
                allowed = Clearance(below, above)
                distances = [d for d in range(-second, first + 1) if allowed.allows(d)]
                shared = [len({*range(first)} & {*range(d, d + second)}) for d in distances]
                assert overlap(allowed, a, b) == max(shared), (first, second, allowed)
