"""Quantisation-aware training: better than rounding afterwards, to the same int8 graph."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from compression_cases import three_patterns
from lichen.compression.quantisation_aware import prepare_aware, quantise_aware
from lichen.errors import InputError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Module
from lichen.ir.samples import quantise
from lichen.ir.types import DType
from lichen.nn.residual import Residual
from lichen.nn.tensors import to_tensor
from lichen.nn.train import Recipe, accuracy, fit
from lichen.reading import from_torch
from native_check import assert_native_equals_interpreter
from torch_nets import Net

TRAINING = Recipe(epochs=4, batch_size=16, learning_rate=3e-3)
X, Y = three_patterns(240)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), Residual(6, 8, 2), nn.Dropout(0.1),
        nn.Flatten(), nn.Linear(32, 3),
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    return fit(network(), X[:160], Y[:160], Recipe(epochs=8, batch_size=16))


def judged(module: Module) -> float:
    """Accuracy of the int8 graph on samples that nobody was trained on."""
    interpreter, source = Interpreter(module), module.infer.inputs[0].type
    return accuracy(np.stack([interpreter.run([quantise(x[None], source)])[0] for x in X[160:]]), Y[160:])


def test_everything_is_int8_and_runs(trained: nn.Module) -> None:
    """The program becomes the same kind of int8 graph as after quantisation afterwards, and its C gives the interpreter's bytes; the model is as it was."""
    before = copy.deepcopy(trained.state_dict())
    module = from_torch(quantise_aware(trained, X[:160], Y[:160], Recipe(epochs=1, learning_rate=1e-3)))
    assert {v.type.dtype for op in module.infer.operations for v in op.results} == {DType.INT8}
    assert_native_equals_interpreter([module])
    assert all(torch.equal(before[key], value) for key, value in trained.state_dict().items())


def test_training_helps_where_rounding_is_coarse(trained: nn.Module) -> None:
    """With weights of two bits, -1, 0 and 1, a few epochs bring back what rounding alone loses."""
    rounded = judged(from_torch(quantise_aware(trained, X[:160], Y[:160], Recipe(epochs=1, learning_rate=1e-9), 2)))
    learned = judged(
        from_torch(quantise_aware(trained, X[:160], Y[:160], Recipe(epochs=20, batch_size=16, learning_rate=1e-2), 2))
    )
    assert learned > rounded + 0.05 and learned > 0.7


def test_zeros_stay_zero(trained: nn.Module) -> None:
    """Half of the dense layer's weights are zero before; no more than the other half, and most of it, is something else in the int8 graph."""
    model = copy.deepcopy(trained)
    with torch.no_grad():
        model[6].weight[:, ::2] = 0.0
    module = from_torch(quantise_aware(model, X[:160], Y[:160], Recipe(epochs=1, learning_rate=1e-2)))
    (weights,) = (op.operands[1] for op in module.infer.operations if op.kind == "dense")
    data = weights.data.reshape(3, -1)  # type: ignore[attr-defined]
    assert 30 < np.count_nonzero(data) <= 48


def test_biases_are_trained(trained: nn.Module) -> None:
    """Biases that come from folding batch normalisation learn like any other parameter."""
    prepared = prepare_aware(trained, to_tensor(X[:8]))
    assert sum(p.dim() == 1 for p in prepared.parameters()) == 4
    assert all(p.requires_grad for p in prepared.parameters())
    before = [p.detach().clone() for p in prepared.parameters()]
    fit(prepared, X[:160], Y[:160], Recipe(epochs=1))
    assert not any(torch.equal(a, b) for a, b in zip(before, prepared.parameters(), strict=True))


def test_misuse_is_refused(trained: nn.Module) -> None:
    """A number of bits that int8 has not, and code that writes the batch out."""
    with pytest.raises(InputError, match="weights of 9 bits"):
        quantise_aware(trained, X, Y, TRAINING, weight_bits=9)
    fixed = Net(lambda x, f: f(x.reshape(64, 64)), nn.Linear(64, 3))
    with pytest.raises(InputError, match="batches of any size"):
        quantise_aware(fixed, X, Y, TRAINING)
