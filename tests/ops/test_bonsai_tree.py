"""Bonsai's tree: C against the interpreter, the interpreter against the formula in real numbers, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.errors import VerifyError
from lichen.ir.module import Constant, Module
from lichen.ir.operator import operator
from lichen.targets.folder import open_folder
from native_check import AVR, assert_native_equals_interpreter
from ops_oracle import f32, fixed, i8, i32, one_op, run
from strategies import bonsai_tree_modules


@settings(max_examples=3, deadline=None)
@given(st.lists(bonsai_tree_modules(), min_size=10, max_size=10))
def test_native_equals_the_interpreter(modules: list[Module]) -> None:
    """The same bytes for any depth, classes, features and slope of tanh, from one that opens no gate to one that opens all; also as on AVR."""
    for core in (None, AVR):
        extra = {} if core is None else {"core": core}
        assert_native_equals_interpreter(modules, **extra)


@pytest.mark.parametrize(("board", "on"), [("mps2-an386", "qemu"), ("uno", "simavr")])
@pytest.mark.parametrize("rows", [1, 3])
def test_chips_give_the_same_bytes(board: str, on: str, rows: int, needs: Callable[..., None], tmp_path: Path) -> None:
    """Scores of many samples on emulated chips, which go different ways, of classes with a row each and of two that share one."""
    needs(*(("arm-none-eabi-gcc", "qemu-system-arm") if on == "qemu" else ("avr-gcc", "simavr")))
    rng = np.random.default_rng(0)
    parts = [
        fixed(rng.integers(-128, 128, shape).astype(np.int8), i8(*shape, scale=0.01), name)
        for name, shape in (("w", (15, rows, 8)), ("v", (15, rows, 8)), ("t", (7, 8)))
    ]
    scores = i32(1, 2 if rows == 1 else rows, scale=0.02 * 0.01)
    module = one_op("bonsai_tree", [i8(1, 8, scale=0.02), *parts], [scores], {"sigma": 1.5})
    x = rng.integers(-128, 128, (40, 1, 8)).astype(np.int8)
    expected = np.stack([run(module, sample)[0] for sample in x])
    assert len({tuple(row) for row in np.sign(expected).reshape(40, -1)}) > (1 if rows == 1 else 4)
    with open_executor(open_folder(compile_model(module, board, tmp_path / "tree").path), on) as executor:
        got = executor.run([x])[0]
    np.testing.assert_array_equal(got.reshape(expected.shape), expected)


@settings(max_examples=50, deadline=None)
@given(bonsai_tree_modules(), st.integers(0, 99))
def test_whole_numbers_follow_the_formula(module: Module, seed: int) -> None:
    """Each score is that of the paper in real numbers, within what tanh by 33 points may miss and the rounding of each node's part."""
    operation = module.infer.operations[0]
    z, weights = operation.operands[0].type, operation.operands[1].type
    w, v, t = (
        value.data.astype(np.int64) * value.type.scale
        for value in operation.operands[1:]
        if isinstance(value, Constant)
    )
    x = np.random.default_rng(seed).integers(-128, 128, z.shape).astype(np.int8)
    real = x[0].astype(np.int64) * z.scale
    expected, most, node = np.zeros(weights.shape[1]), 0.0, 0
    while True:
        expected += (w[node] @ real) * np.tanh(operation.float_attribute("sigma") * (v[node] @ real))
        most += 0.0017 * np.abs(w[node] @ real).max() + z.scale * weights.scale
        if node >= len(t):
            break
        node = 2 * node + (1 if t[node] @ real > 0 else 2)
    scores = operation.results[0].type
    if scores.shape[1] > len(expected):
        expected = np.array([-expected[0], expected[0]])
    np.testing.assert_allclose(run(module, x)[0][0] * scores.scale, expected, rtol=0, atol=most)


def tree(
    nodes: int = 3,
    inner: int = 1,
    features: int = 2,
    rows: int = 2,
    sigma: float = 1.0,
    classes: int = 2,
    scale: float = 0.25,
    z: Any = None,
) -> Module:
    weights = np.arange(nodes * rows * features, dtype=np.int8).reshape(nodes, rows, features)
    branches = np.ones((inner, features), np.int8)
    operands = [
        z or i8(1, features, scale=0.5),
        fixed(weights, i8(*weights.shape, scale=0.5), "w"),
        fixed(weights, i8(*weights.shape, scale=0.5), "v"),
        fixed(branches, i8(*branches.shape, scale=0.5), "t"),
    ]
    return one_op("bonsai_tree", operands, [i32(1, classes, scale=scale)], {"sigma": sigma})


def test_only_the_nodes_on_the_way_count() -> None:
    """By hand: the root and one of two leaves, and no more multiplications than that."""
    module = tree()
    for x, leaf in (([1, 2], 1), ([-1, -2], 2)):
        expected = np.zeros(2)
        for node in (0, leaf):
            rows = np.arange(12).reshape(3, 2, 2)[node]
            expected += np.rint((rows @ x) * np.tanh(rows @ x / 4))
        np.testing.assert_allclose(run(module, np.array([x], np.int8))[0][0], expected, atol=1)
    assert operator("bonsai_tree").macs(module.infer.operations[0]) == 2 * (2 * 2 * 2 + 1)


def test_two_classes_share_a_row() -> None:
    """The second has its sum, and the first the same with the other sign."""
    x = np.array([[1, 2]], np.int8)
    second = run(tree(rows=1, classes=1), x)[0][0]
    assert second > 0
    np.testing.assert_array_equal(run(tree(rows=1), x)[0][0], [-second[0], second[0]])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"nodes": 4}, "those of 3 nodes"),
        ({"inner": 2, "nodes": 5}, "not those of a tree"),
        ({"sigma": float("nan")}, "not a finite number"),
        ({"sigma": -1.0}, "above zero"),
        ({"sigma": 1e38}, "too large"),
        ({"classes": 3}, "2 rows of weights do not give"),
        ({"scale": 0.3}, "scale of the input times"),
        ({"z": f32(1, 2)}, "the input must be i8"),
        ({"z": i8(1, 2, scale=0.5, zero=3)}, "zero point 0"),
        ({"features": 2**16, "nodes": 3, "rows": 1}, "overflow 32 bits"),
    ],
)
def test_what_is_no_tree_is_refused(change: dict[str, Any], sentence: str) -> None:
    """Each contradiction has its sentence."""
    with pytest.raises(VerifyError, match=sentence):
        tree(**change)
