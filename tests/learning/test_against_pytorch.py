"""Learning against PyTorch: the same losses, predictions and parameters, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from learning_nets import mlp, samples
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Module
from lichen.learning.choice import All, Biases, Choice, Last
from lichen.learning.trainable import LOSSES, make_trainable
from lichen.passes.gradient_descent import GradientDescent

torch = pytest.importorskip("torch")


class Twin:
    """A dense network of `mlp` in PyTorch, with the losses that Lichen has."""

    def __init__(self, module: Module, loss: str, how: GradientDescent, learned: Choice) -> None:
        constants = module.constants()
        self.loss, self.how = loss, how
        self.parameters = {c.name: torch.tensor(c.data.copy(), requires_grad=True) for c in constants}
        self.activations = [
            op.attributes.get("activation", "none") for op in module.infer.operations if op.kind == "dense"
        ]
        layers = len(self.activations)
        chosen = [
            p
            for name, p in self.parameters.items()
            if isinstance(learned, All)
            or (isinstance(learned, Biases) and name[0] == "b")
            or (isinstance(learned, Last) and int(name[1:]) >= layers - learned.layers)
        ]
        self.optimiser = torch.optim.SGD(
            chosen, lr=how.learning_rate, momentum=how.momentum, weight_decay=how.weight_decay
        )
        self.done = 0

    def step(self, x: Array, target: Array) -> tuple[float, Array]:
        """Loss and prediction from before the update."""
        value: Any = torch.tensor(x)
        for i, activation in enumerate(self.activations):
            value = torch.nn.functional.linear(value, self.parameters[f"w{i}"], self.parameters[f"b{i}"])
            value = {"none": lambda v: v, "relu": torch.relu, "relu6": torch.nn.functional.relu6}[activation](value)
        functional = torch.nn.functional
        wanted = torch.tensor(target)
        match self.loss:
            case "softmax_cross_entropy":
                loss, value = functional.cross_entropy(value, wanted.long()), torch.softmax(value, -1)
            case "sigmoid_cross_entropy":
                loss = functional.binary_cross_entropy_with_logits(value, wanted)
                value = torch.sigmoid(value)
            case "mean_squared_error":
                loss = functional.mse_loss(value, wanted)
            case _:
                loss = functional.l1_loss(value, wanted)
        (loss / self.how.batch).backward()
        self.done += 1
        if self.done % self.how.batch == 0:
            self.optimiser.step()
            self.optimiser.zero_grad()
        return float(loss.detach()), value.detach().numpy()


def follow(module: Module, choice: Choice, loss: str, how: GradientDescent, steps: int, rtol: float = 1e-4) -> None:
    """Lichen and PyTorch learn from the same samples; losses, predictions and, in the end, parameters agree."""
    trainable = make_trainable(module, choice, loss, how)
    interpreter, twin = Interpreter(trainable, "learn"), Twin(module, loss, how, choice)
    for x, target in samples(trainable, steps):
        got_loss, got = interpreter.run([x, target])
        expected_loss, expected = twin.step(x, target)
        np.testing.assert_allclose(got_loss[0], expected_loss, rtol, 1e-6)
        np.testing.assert_allclose(got, expected, rtol, 1e-5)
    for state, value in interpreter.state.items():
        if state.name in twin.parameters:
            np.testing.assert_allclose(value, twin.parameters[state.name].detach().numpy(), rtol, 1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss: str) -> None:
    """Plain gradient descent of a small network."""
    follow(mlp([5, 7, 3]), All(), loss, GradientDescent(0.05), 40)


@pytest.mark.parametrize("end", [("softmax", "softmax_cross_entropy"), ("logistic", "sigmoid_cross_entropy")])
def test_loss_goes_around_the_activation_at_the_end(end: tuple[str, str]) -> None:
    """A model that ends in softmax learns by the cross-entropy of its logits."""
    follow(mlp([5, 7, 3], end=end[0]), All(), end[1], GradientDescent(0.05), 30)


@pytest.mark.parametrize("choice", [All(), Biases(), Last(1), Last(2)])
@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_every_choice(choice: Choice, activation: str) -> None:
    """What is not chosen stays what it was."""
    follow(mlp([4, 6, 6, 3], activation=activation), choice, "softmax_cross_entropy", GradientDescent(0.1), 30)


@pytest.mark.parametrize(
    "how",
    [
        GradientDescent(0.05, momentum=0.9),
        GradientDescent(0.05, weight_decay=0.1),
        GradientDescent(0.05, batch=4),
        GradientDescent(0.02, batch=3, momentum=0.8, weight_decay=0.05),
    ],
    ids=str,
)
def test_every_kind_of_descent(how: GradientDescent) -> None:
    """Momentum, weight decay and batches as in PyTorch's SGD, over whole batches and a part of one."""
    follow(mlp([4, 6, 3]), All(), "mean_squared_error", how, 31)


def test_training_curve_of_the_power_plant_network() -> None:
    """4-32-32-32-1: 2,000 samples of random data, losses within 1e-4 all along."""
    follow(mlp([4, 32, 32, 32, 1]), All(), "mean_squared_error", GradientDescent(0.01, batch=8), 2000)
