"""Weight sharing: what k-means finds, what a centroid's gradient is, and that int8 keeps no more values than were shared."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from lichen.compression.weight_sharing import LARGEST, k_means, nearest, settle_weights, share_weights
from lichen.errors import InputError
from lichen.ir.module import Constant
from lichen.nn.quantize import quantize
from lichen.nn.train import Recipe, fit
from lichen.passes.integerize import integerize
from lichen.reading import from_torch

NUMBERS = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=60).map(np.array)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))


def prune(model: nn.Sequential) -> None:
    """Every other weight becomes zero."""
    with torch.no_grad():
        for index in (0, 3, 5):
            model[index].weight.view(-1)[::2] = 0


def squared_error(values: NDArray[np.float64], centroids: NDArray[np.float64]) -> float:
    return float(((values[:, None] - centroids) ** 2).min(axis=1).sum())


@given(NUMBERS, st.integers(1, 12))
def test_k_means_comes_to_rest(values: NDArray[np.float64], k: int) -> None:
    """At most k ascending centroids, each the mean of the values nearest to it, none without members, all within the values' range."""
    centroids = k_means(values, k)
    assert 1 <= len(centroids) <= min(k, len(np.unique(values)))
    assert (np.diff(centroids) > 0).all()
    assert centroids.min() >= values.min() and centroids.max() <= values.max()
    members = nearest(values, centroids)
    for index, centroid in enumerate(centroids):
        assert centroid == pytest.approx(values[members == index].mean(), abs=1e-4)


@given(NUMBERS, st.integers(1, 12))
def test_members_belong_to_the_nearest(values: NDArray[np.float64], k: int) -> None:
    """No other centroid is nearer to a value than its own."""
    centroids = k_means(values, k)
    own = np.abs(values - centroids[nearest(values, centroids)])
    assert (own <= np.abs(values[:, None] - centroids).min(axis=1) + 1e-9).all()


@given(NUMBERS, st.integers(1, 12))
def test_k_means_is_no_worse_than_where_it_began(values: NDArray[np.float64], k: int) -> None:
    """The squared error is at most that of the linear start."""
    start = np.linspace(values.min(), values.max(), k) if k > 1 else values[:1]
    assert squared_error(values, k_means(values, k)) <= squared_error(values, start) + 1e-6


def test_as_many_centroids_as_values_are_the_values() -> None:
    """Values in equal steps are their own centroids; nothing is lost."""
    values = np.repeat(np.arange(-3.0, 4.0), 5)
    np.testing.assert_array_equal(k_means(values, 7), np.arange(-3.0, 4.0))


def test_values_only_from_the_codebook() -> None:
    """A shared layer computes with at most k values beside zero, the weights' own means, and zeros are where they were."""
    model = net()
    prune(model)
    before = copy.deepcopy(model)
    share_weights(model, {"0": 3, "3": 5, "5": 2})
    for index, k in ((0, 3), (3, 5), (5, 2)):
        was, now = before[index].weight.detach(), model[index].weight.detach()
        assert torch.equal(was == 0, now == 0)
        values = now[now != 0].unique()
        assert len(values) <= k
        for value in values:
            assert value.item() == pytest.approx(was[now == value].double().mean().item(), abs=1e-6)


def test_gradient_of_a_centroid_is_the_sum_of_its_members() -> None:
    """By hand: the gradient of the same weights as ordinary parameters, summed over those that share a value."""
    model = net()
    prune(model)
    share_weights(model, 4)
    plain = net()
    with torch.no_grad():
        for index in (0, 3, 5):
            plain[index].weight.copy_(model[index].weight)
            plain[index].bias.copy_(model[index].bias)
    x = torch.randn(7, 1, 6, 6)
    for each in (model, plain):
        each(x).square().sum().backward()
    for index in (0, 3, 5):
        centroids = model[index].parametrizations.weight.original
        expected = [plain[index].weight.grad[plain[index].weight == c].sum() for c in centroids]
        torch.testing.assert_close(centroids.grad, torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_training_moves_centroids_together() -> None:
    """After training, members of a centroid are still equal, zeros are still zeros, and only codebook and bias are parameters."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 6, 6, 1)).astype(np.float32), np.arange(100) % 2
    model = net()
    prune(model)
    share_weights(model, 4)
    before = model[3].weight.detach().clone()
    assert sum(p.numel() for p in model.parameters()) == 3 * 4 + 4 + 8 + 2
    fit(model, x, y, Recipe(epochs=2))
    after = model[3].weight.detach()
    assert not torch.equal(before, after)
    assert torch.equal(before == 0, after == 0)
    for value in before.unique():
        assert len(after[before == value].unique()) == 1
    fit(settle_weights(model), x, y, Recipe(epochs=1))  # an ordinary network again
    assert len(model[3].weight.unique()) > 5


@pytest.mark.parametrize("k", [1, 4, 15])
def test_int8_has_no_more_values_than_were_shared(k: int) -> None:
    """Settled, quantised with one scale a layer and lowered, int8 weights are the settled ones in steps of their largest: at most k values and zero."""
    model = net()
    prune(model)
    settle_weights(share_weights(model, k))
    assert type(model[3]) is nn.Linear and isinstance(model[3].weight, nn.Parameter)
    program = quantize(model, torch.zeros(1, 1, 6, 6), [torch.randn(8, 1, 6, 6)], weight_scale="tensor")
    module = from_torch(program, "net")
    assert not integerize(module)
    layers = [op for op in module.infer.operations if op.kind in ("conv2d", "dense")]
    for operation, index in zip(layers, (0, 3, 5), strict=True):
        weights = operation.operands[1]
        assert isinstance(weights, Constant) and weights.type.quantisation is not None
        assert len(weights.type.quantisation.scale) == 1
        values = np.unique(weights.data[weights.data != 0])
        assert len(values) <= k and np.abs(values).max() == LARGEST
        settled = model[index].weight.detach().double().flatten(1)  # the graph has taps in another order
        steps = (settled / settled.abs().max() * LARGEST).sort(1).values
        np.testing.assert_allclose(np.sort(weights.data.reshape(len(settled), -1), axis=1), steps, atol=1e-4)


def test_layers_of_zeros_are_left() -> None:
    """A layer that was pruned away has nothing to share, and stays."""
    model = net()
    with torch.no_grad():
        model[3].weight.zero_()
    settle_weights(share_weights(model, 3))
    assert not model[3].weight.any()


def test_impossible_wishes_are_refused() -> None:
    """No centroids, no values, sharing twice."""
    with pytest.raises(InputError, match="'0' cannot share 0 values"):
        share_weights(net(), 0)
    with pytest.raises(InputError, match="shared out among 3 centroids"):
        k_means(np.zeros(0), 3)
    with pytest.raises(InputError, match="shared already"):
        share_weights(share_weights(net(), 3), 3)
