"""Operators read from `.tflite` compute what TensorFlow Lite Micro computes on the same file: same bytes, float32 to 1e-6.

Whole models are compared in `tests/test_same_bytes.py`.
"""

from __future__ import annotations

import multiprocessing
import struct
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain

import numpy as np
import pytest

from lichen.errors import LichenError
from lichen.frontends.tflite import import_tflite
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Module
from tflite_builder import tflm_sequence
from tflite_cases import CASES, GRAPHS
from tflite_damage import contradictions, mutations


def random_inputs(module: Module, rng: np.random.Generator) -> list[Array]:
    """Any bytes for integers, a few units around 0 for float32."""
    inputs = []
    for value in module.infer.inputs:
        if value.type.dtype.is_float:
            inputs.append(rng.normal(0, 2, value.type.shape).astype(np.float32))
        else:
            low, high = value.type.dtype.range
            inputs.append(rng.integers(low, high + 1, value.type.shape).astype(value.type.dtype.numpy))
    return inputs


def check(model: bytes, module: Module, batches: list[list[Array]]) -> None:
    """Both sides run the batches one after the other, keeping state, and agree on every output."""
    compare(module, batches, tflm_sequence(model, batches))


def compare(module: Module, batches: list[list[Array]], expected: list[list[Array]]) -> None:
    interpreter = Interpreter(module)
    for inputs, outputs in zip(batches, expected, strict=True):
        for ours_out, theirs_out in zip(interpreter.run(inputs), outputs, strict=True):
            assert ours_out.shape == theirs_out.shape and ours_out.dtype == theirs_out.dtype
            if ours_out.dtype == np.float32:
                np.testing.assert_allclose(ours_out, theirs_out, rtol=1e-6, atol=1e-6)
            else:
                np.testing.assert_array_equal(ours_out, theirs_out)


@pytest.mark.parametrize("name", CASES)
def test_operator(name: str) -> None:
    """Every supported operator, as a model of its own, gives the oracle's bytes on six inputs in a row."""
    model = CASES[name]()
    module = import_tflite(model, name)
    rng = np.random.default_rng(7)
    check(model, module, [random_inputs(module, rng) for _ in range(6)])


def test_damage_never_gives_a_wrong_program() -> None:
    """A damaged file that is read all the same computes what the oracle computes on the damaged file, if it reads it too.

    The oracle trusts files, so it runs in a process of its own.
    """
    compared = 0
    pool = oracle_process()
    rng = np.random.default_rng(3)
    for name, make in CASES.items():
        contradictory = (contradictions(GRAPHS[name](), rng) for _ in range(60))
        for model in chain(mutations(make(), 60, seed=len(name) + 1000), contradictory):
            try:
                module = import_tflite(model, "damaged")
            except LichenError:
                continue
            if sum(value.type.elements for value in module.infer.values()) > 10_000:
                continue
            batches = [random_inputs(module, rng) for _ in range(2)]
            try:
                expected = pool.submit(tflm_sequence, model, batches).result(timeout=20)
            except BrokenProcessPool:
                pool = oracle_process()
                continue
            except (RuntimeError, ValueError, struct.error, TypeError):  # how the oracle refuses
                continue
            compare(module, batches, expected)
            compared += 1
    pool.shutdown()
    assert compared > 150


def oracle_process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
