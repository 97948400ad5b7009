"""Bonsai's tree: C against the interpreter, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import VerifyError
from lichen.ir.module import Module
from lichen.ir.operator import operator
from native_check import AVR, assert_native_equals_interpreter
from ops_oracle import f32, fixed, i8, one_op, run
from strategies import bonsai_tree_modules


@settings(max_examples=3, deadline=None)
@given(st.lists(bonsai_tree_modules(), min_size=10, max_size=10))
def test_native_equals_the_interpreter(modules: list[Module]) -> None:
    """Any depth, classes and features: the same way, and scores within the tolerance of tanh; also with tables read as on AVR."""
    for core in (None, AVR):
        extra = {} if core is None else {"core": core}
        assert_native_equals_interpreter(modules, rtol=1e-4, atol=1e-4, **extra)


def tree(
    nodes: int = 3, inner: int = 1, features: int = 2, sigma: float = 1.0, q: float = 0.5, results: int = 2
) -> Module:
    weights = np.arange(nodes * 2 * features, dtype=np.int8).reshape(nodes, 2, features)
    branches = np.ones((inner, features), np.int8)
    operands = [
        f32(1, features),
        fixed(weights, i8(*weights.shape, scale=q), "w"),
        fixed(weights, i8(*weights.shape, scale=q), "v"),
        fixed(branches, i8(*branches.shape, scale=q), "t"),
    ]
    return one_op("bonsai_tree", operands, [f32(1, results)], {"sigma": sigma})


def test_only_the_nodes_on_the_way_count() -> None:
    """By hand: the root and one of two leaves, and no more multiplications than that."""
    module = tree()
    for x, leaf in ((np.array([[1.0, 2.0]]), 1), (np.array([[-1.0, -2.0]]), 2)):
        expected = np.zeros(2)
        for node in (0, leaf):
            rows = np.arange(12).reshape(3, 2, 2)[node] * 0.5
            expected += (rows @ x[0]) * np.tanh(rows @ x[0])
        np.testing.assert_allclose(run(module, x.astype(np.float32))[0][0], expected, rtol=1e-5)
    assert operator("bonsai_tree").macs(module.infer.operations[0]) == 2 * (2 * 2 * 2 + 1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"nodes": 4}, "those of 3 nodes"),
        ({"inner": 2, "nodes": 5}, "not those of a tree"),
        ({"sigma": float("nan")}, "not a finite number"),
        ({"results": 3}, "result must be"),
    ],
)
def test_what_is_no_tree_is_refused(change: dict[str, float], sentence: str) -> None:
    """Each contradiction has its sentence."""
    with pytest.raises(VerifyError, match=sentence):
        tree(**change)  # type: ignore[arg-type]
