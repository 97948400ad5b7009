"""The reconstruction error as a tensor: its value, what it leaves alone, and that a head learns from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from learning_nets import mlp
from lichen.compiler import prepare
from lichen.errors import InputError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Module
from lichen.ir.print import print_module
from lichen.ir.samples import dequantise
from lichen.learning.choice import Head, OnlineLayer
from lichen.learning.online import make_online
from lichen.learning.reconstruction_error import append_reconstruction_error
from lichen.nn.quantize import quantize
from lichen.passes.gradient_descent import GradientDescent
from lichen.reading import from_torch
from native_check import assert_native_equals_interpreter, random_input


def quantised() -> Module:
    """An int8 autoencoder, 10-3-10."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(10, 3), nn.Tanh(), nn.Linear(3, 10))
    return prepare(from_torch(quantize(network, torch.zeros(1, 10), [torch.randn(50, 10)]), "autoencoder"))


def plain() -> Module:
    """A float32 one, 6-2-6."""
    return mlp([6, 2, 6], seed=3, activation="none")


@pytest.mark.parametrize("module", [quantised(), plain()], ids=["int8", "float32"])
def test_value(module: Module) -> None:
    """The mean squared difference of the real numbers of output and input; the output itself is the same bytes as before."""
    text, watched = print_module(module), append_reconstruction_error(module, "error")
    assert print_module(module) == text
    given, made = module.infer.inputs[0].type, module.infer.outputs[0].type
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = random_input(given, rng)
        (expected,) = Interpreter(module).run([x])
        output, error = Interpreter(watched).run([x])
        np.testing.assert_array_equal(output, expected)
        real = [dequantise(a, t) if t.quantisation else a for a, t in ((expected, made), (x, given))]
        assert error.shape == (1,) and error.dtype == np.float32
        assert error[0] == pytest.approx(np.square(real[0] - real[1].reshape(real[0].shape)).mean(), rel=1e-5)
    assert watched.infer.outputs[1].name == "error"


def test_in_c() -> None:
    """Native C gives the interpreter's error, behind int8 and behind float32."""
    assert_native_equals_interpreter([append_reconstruction_error(quantised())], rtol=1e-5)
    assert_native_equals_interpreter([append_reconstruction_error(plain())], rtol=1e-5)


def test_a_head_learns_from_it() -> None:
    """Windows that only the error tells apart: a head on the error alone learns their two kinds."""
    module = append_reconstruction_error(quantised(), "error")
    online = make_online(module, OnlineLayer(Head(2, ("error",))), GradientDescent(0.2))
    learner, infer = Interpreter(online, "learn"), Interpreter(online)
    rng = np.random.default_rng(0)

    def window(kind: int) -> np.ndarray:
        return np.clip(rng.normal(0, 8 + 40 * kind, (1, 10)), -128, 127).astype(np.int8)

    for step in range(200):
        learner.run([window(step % 2), np.array([step % 2], np.int32)])
    infer.state = learner.state
    right = sum(int(infer.run([window(step % 2)])[1][0]) == step % 2 for step in range(100))
    assert right > 90


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (mlp([4, 6, 3], seed=1, activation="none"), r"makes \[1, 3\] of \[1, 4\]"),
        (append_reconstruction_error(plain()), "1 inputs and 2 outputs"),
    ],
)
def test_what_is_no_autoencoder(module: Module, sentence: str) -> None:
    """Another shape, or a second output, is refused by name and shape."""
    with pytest.raises(InputError, match=sentence):
        append_reconstruction_error(module)
