"""A trained Bonsai as the chip runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lichen.compiler import compile_model
from lichen.data.digits import load_digits
from lichen.device.executor import open_executor
from lichen.errors import InputError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Constant
from lichen.ir.samples import to_batch
from lichen.nn.bonsai import Bonsai, Budget, train_bonsai
from lichen.nn.bonsai_graph import bonsai_module
from lichen.nn.train import Recipe, accuracy, predict
from lichen.targets.folder import open_folder


def test_a_tree_of_two_kilobytes_on_the_uno(lichen_data: Path, needs: Callable[..., None], tmp_path: Path) -> None:
    """Even against odd digits: at most 2 kB of tables, as good in int8 as in float32, the interpreter's bytes on the emulated ATmega328P."""
    needs("avr-gcc", "simavr")
    digits = load_digits()
    torch.manual_seed(0)
    model = Bonsai(784, 2, projected=10, depth=2)
    train_bonsai(model, digits.train_x, digits.train_y % 2, Budget(0.08, 0.5, 0.5, 0.5), Recipe(epochs=12))
    as_float = accuracy(predict(model, digits.test_x), digits.test_y % 2)
    module = bonsai_module(model, digits.train_x[:500])
    x, _ = to_batch(digits.test_x.reshape(len(digits.test_x), -1), module.infer.inputs[0], "digits")
    interpreter = Interpreter(module)
    scores = np.stack([interpreter.run([sample])[0] for sample in x])
    assert accuracy(scores, digits.test_y % 2) > as_float - 0.01
    built = compile_model(module, "uno", tmp_path / "bonsai", weights="coded")
    assert built.weights <= 2048 and built.fits
    for on, count in (("native", 100), ("simavr", 3)):
        with open_executor(open_folder(built.path), on) as executor:
            np.testing.assert_array_equal(executor.run([x[:count]])[0].reshape(count, -1), scores[:count, 0])


@pytest.mark.parametrize("classes", [2, 3])
def test_scores_are_those_of_the_trained_tree(classes: int) -> None:
    """With weights, offset and inputs that 8 bits hold well, 95 of 100 scores are within a fiftieth of the largest; the others go another way."""
    torch.manual_seed(1)
    model = Bonsai(6, classes, projected=4, depth=2).eval()
    torch.nn.init.normal_(model.offset, std=0.5)
    x = np.random.default_rng(0).uniform(-1, 1, (200, 6)).astype(np.float32)
    module = bonsai_module(model, x)
    stored, _ = to_batch(x, module.infer.inputs[0], "samples")
    got = np.stack([Interpreter(module).run([sample])[0][0] for sample in stored]) * module.infer.outputs[0].type.scale
    expected = predict(model, x)
    off = np.abs(got - expected).max(axis=1) / np.abs(expected).max()
    assert np.quantile(off, 0.95) < 0.02


def test_fewer_bits_leave_fewer_values() -> None:
    """A projection of three bits has seven values at most, and the scale that makes the largest fit."""
    torch.manual_seed(0)
    model = Bonsai(20, 2)
    projection = bonsai_module(model, np.ones((2, 20)), projection_bits=3).infer.operations[0].operands[1]
    assert isinstance(projection, Constant)
    assert set(np.unique(projection.data)) <= set(range(-3, 4)) and np.abs(projection.data).max() == 3
    largest = float(model.projection.detach().abs().max())
    assert projection.type.scale * 3 == pytest.approx(largest)


def test_samples_that_tell_no_range_are_refused() -> None:
    """And a tree that is none."""
    for samples in (np.zeros((3, 4)), np.full((3, 4), np.nan), np.zeros((0, 4))):
        with pytest.raises(InputError, match="all zero"):
            bonsai_module(Bonsai(4, 2), samples)
    with pytest.raises(InputError, match="samples of 5 numbers do not calibrate a tree over 4"):
        bonsai_module(Bonsai(4, 2), np.ones((3, 5)))
    with pytest.raises(InputError, match="depth of at least 1"):
        bonsai_module(Bonsai(4, 2, depth=0), np.ones((3, 4)))
    with pytest.raises(InputError, match="projection of 9 bits"):
        bonsai_module(Bonsai(4, 2), np.ones((3, 4)), projection_bits=9)
