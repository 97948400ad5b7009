"""Bonsai's tree: C against the interpreter, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.errors import VerifyError
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.targets.folder import open_folder
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


@pytest.mark.parametrize(("board", "on"), [("mps2-an386", "qemu"), ("uno", "simavr")])
def test_chips_go_the_interpreters_way(board: str, on: str, needs: Callable[..., None], tmp_path: Path) -> None:
    """Scores of many samples on emulated chips: another way would give others altogether."""
    needs(*(("arm-none-eabi-gcc", "qemu-system-arm") if on == "qemu" else ("avr-gcc", "simavr")))
    rng = np.random.default_rng(0)
    parts = [
        fixed(rng.integers(-128, 128, shape).astype(np.int8), i8(*shape, scale=0.01), name)
        for name, shape in (("w", (15, 3, 8)), ("v", (15, 3, 8)), ("t", (7, 8)))
    ]
    module = one_op("bonsai_tree", [f32(1, 8), *parts], [f32(1, 3)], {"sigma": 1.5})
    x = rng.normal(size=(40, 1, 8)).astype(np.float32)
    expected = np.stack([run(module, sample)[0] for sample in x])
    assert len({tuple(row) for row in np.sign(expected).reshape(40, -1)}) > 4
    with open_executor(open_folder(compile_model(module, board, tmp_path / "tree").path), on) as executor:
        got = executor.run([x])[0]
    np.testing.assert_allclose(got.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


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
