"""Bonsai's tree against the formula of its paper, and its training against its budgets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.data.digits import load_digits
from lichen.errors import InputError
from lichen.ir.module import Array
from lichen.nn.bonsai import Bonsai, Budget, HardThresholding, train_bonsai
from lichen.nn.train import Recipe, accuracy, predict

PARTS = ("projection", "weights", "gates", "branches")


def scores_of(model: Bonsai, x: Array) -> Array:
    """What the paper's prediction gives for one sample: the nodes on its way, one after the other."""
    z_matrix, weights, gates, branches = (getattr(model, name).detach().double().numpy() for name in PARTS)
    z = z_matrix @ x + model.offset.detach().double().numpy()
    scores, node = np.zeros(weights.shape[1]), 0
    while True:
        scores += (weights[node] @ z) * np.tanh(model.sigma * (gates[node] @ z))
        if node >= len(branches):
            return np.array([-scores[0], scores[0]]) if model.classes == 2 else scores
        node = 2 * node + 1 if branches[node] @ z > 0 else 2 * node + 2


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(2, 4), st.integers(1, 5), st.integers(0, 3), st.integers(0, 99))
def test_evaluation_is_the_papers_formula(features: int, classes: int, projected: int, depth: int, seed: int) -> None:
    """Of any size, also a tree that is a single leaf, and of two classes that share a row."""
    torch.manual_seed(seed)
    model = Bonsai(features, classes, projected, depth, sigma=1.5).eval()
    torch.nn.init.normal_(model.offset)
    x = np.random.default_rng(seed).normal(size=(6, features))
    got = model(torch.from_numpy(x).float()).detach().numpy()
    np.testing.assert_allclose(got, [scores_of(model, sample) for sample in x], rtol=1e-4, atol=1e-5)


def test_the_way_that_is_sharp_in_training_is_that_of_evaluation() -> None:
    """Where no sample lies on a border, all nodes off the way count for nothing."""
    torch.manual_seed(0)
    model, x = Bonsai(5, 3, 4, 3), torch.randn(20, 5)
    model.sharpness = 1e7
    soft = model.train()(x)
    torch.testing.assert_close(soft, model.eval()(x))


def test_every_node_shares_the_sample_in_training() -> None:
    """The leaves' shares add up to one, and so does each level."""
    torch.manual_seed(0)
    model = Bonsai(5, 2, 4, 2).train()
    along = model._along(torch.randn(7, 3))
    for level in (slice(0, 1), slice(1, 3), slice(3, 7)):
        torch.testing.assert_close(along[:, level].sum(dim=1), torch.ones(7))


def test_budgets_hold_and_support_stays() -> None:
    """After the second phase no matrix has more left than it may; after it nothing comes back, and what is left goes on learning."""
    torch.manual_seed(0)
    model = Bonsai(20, 2, 6, 2)
    budget = Budget(0.1, 0.3, 0.5, 1.0)
    thresholding = HardThresholding(model, budget, steps=30, every=3)
    parts = {name: getattr(model, name) for name in PARTS}
    supports = []
    for _ in range(30):
        with torch.no_grad():
            for part in parts.values():
                part.add_(torch.randn_like(part))
        thresholding.step()
        supports.append({name: part != 0 for name, part in parts.items()})
    assert all(bool(mask.all()) for mask in supports[8].values())
    for name, part in parts.items():
        assert int(supports[-1][name].sum()) == int(getattr(budget, name) * part.numel())
        for support in supports[20:]:
            assert torch.equal(support[name], supports[19][name])
    assert model.sharpness == pytest.approx(30)


def test_a_tree_learns_what_no_line_divides(lichen_data: object) -> None:
    """Even against odd digits, from a tenth of a projection of 784 numbers to 10: better than nine in ten of unseen ones."""
    digits = load_digits()
    torch.manual_seed(0)
    model = Bonsai(784, 2, projected=10, depth=2)
    budget = Budget(0.1, 0.5, 0.5, 0.5)
    train_bonsai(model, digits.train_x, digits.train_y % 2, budget, Recipe(epochs=12, learning_rate=1e-2))
    assert accuracy(predict(model, digits.test_x), digits.test_y % 2) > 0.9
    assert int((model.projection != 0).sum()) <= 784


def test_what_is_no_tree_is_refused() -> None:
    """Sizes, budgets and steps that make no sense, each with a sentence."""
    with pytest.raises(InputError, match="depth 2 from 0 features"):
        Bonsai(0, 2)
    with pytest.raises(InputError, match=r"1\.5 for 'gates'"):
        HardThresholding(Bonsai(2, 2), Budget(gates=1.5), steps=9)
    with pytest.raises(InputError, match="at least three steps"):
        HardThresholding(Bonsai(2, 2), Budget(), steps=2)
