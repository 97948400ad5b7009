"""Learning behind a quantised model: the frozen part stays what it was, to the byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lichen.errors import InputError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Module, Operation
from lichen.ir.operator import operator
from lichen.ir.samples import dequantise
from lichen.learning.choice import All, Biases, Choice, Head, Last
from lichen.learning.trainable import make_trainable
from lichen.passes.gradient_descent import GradientDescent
from lichen.reading import load
from native_check import assert_native_equals_interpreter, random_input

HOW = GradientDescent(0.05)


@pytest.fixture(scope="module")
def model(lichen_data: Path) -> Module:
    """MobileNet v1 that sees people, int8."""
    return load(lichen_data / "models" / "vww_96_int8.tflite")


def traced(module: Module, function: str, inputs: list[Array]) -> dict[str, Array]:
    """All that a function computes, by name."""
    found: dict[str, Array] = {}

    def observe(op: Operation, results: object) -> None:
        found.update(zip((v.name for v in op.results), results, strict=True))  # type: ignore[call-overload]

    Interpreter(module, function).run(inputs, observe)
    return found


@pytest.mark.parametrize("choice", [Last(1), Last(3), Head(5)], ids=str)
def test_frozen_part_is_the_same_bytes(model: Module, choice: Choice) -> None:
    """What comes out of every int8 operator that is left is what the model computed, in `infer` and in `learn`."""
    trainable = make_trainable(model, choice, "softmax_cross_entropy", HOW)
    x = random_input(model.infer.inputs[0].type, np.random.default_rng(0))
    label = np.array([1], np.int32)
    expected = traced(model, "infer", [x])
    for function, inputs in (("infer", [x]), ("learn", [x, label])):
        got = traced(trainable, function, inputs)
        frozen = [name for name, array in got.items() if array.dtype == np.int8]
        assert len(frozen) >= len(model.infer.operations) - 8
        for name in frozen:
            np.testing.assert_array_equal(got[name], expected[name])


def test_tail_in_float_is_the_quantised_tail_without_rounding(model: Module) -> None:
    """The prediction before any learning is within a few steps of the int8 model's."""
    trainable = make_trainable(model, Last(1), "softmax_cross_entropy", HOW)
    rng = np.random.default_rng(1)
    for _ in range(3):
        x = random_input(model.infer.inputs[0].type, rng)
        (stored,) = Interpreter(model).run([x])
        (real,) = Interpreter(trainable).run([x])
        assert np.abs(dequantise(stored, model.infer.outputs[0].type) - real).max() < 0.04


def test_a_head_costs_little(model: Module) -> None:
    """The operators that `last:1` adds to inference are below 5 % of its multiplications."""
    trainable = make_trainable(model, Last(1), "softmax_cross_entropy", HOW)
    infer, learn = (sum(operator(op.kind).macs(op) for op in f.operations) for f in trainable.functions.values())
    assert infer < learn < 1.05 * infer


def test_head_learns_in_c(model: Module) -> None:
    """Behind the whole quantised network, C learns what the interpreter learns."""
    trainable = make_trainable(model, Head(2), "mean_squared_error", HOW)
    assert_native_equals_interpreter([trainable], samples=2, rtol=1e-4, atol=1e-5, function="learn")


@pytest.mark.parametrize("choice", [All(), Biases()], ids=str)
def test_quantised_layers_cannot_learn(model: Module, choice: Choice) -> None:
    """The sentence says what to do instead."""
    with pytest.raises(InputError, match="is quantised; learn last:K or a head"):
        make_trainable(model, choice, "softmax_cross_entropy", HOW)


def test_unknown_tensors_of_a_head_are_refused(model: Module) -> None:
    """By name."""
    with pytest.raises(InputError, match="has no tensor 'nothing'"):
        make_trainable(model, Head(2, ("nothing",)), "softmax_cross_entropy", HOW)
