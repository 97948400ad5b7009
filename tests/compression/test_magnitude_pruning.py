"""Magnitude pruning: the schedule, which weights go and how many, and that they stay away."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lichen.compression.magnitude_pruning import CubicSchedule, MagnitudePruner, prune_weights
from lichen.errors import InputError
from lichen.nn.train import Recipe, accuracy, fit, predict


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))


def density_of(weight: torch.Tensor) -> float:
    return float((weight != 0).double().mean())


def test_schedule_is_that_of_the_paper() -> None:
    """Sparsity s_f - s_f (1 - t)³ between begin and end, by hand; nothing before, all after."""
    schedule = CubicSchedule(begin=0.2, end=0.6)
    for step, sparsity in ((0, 0.0), (20, 0.0), (40, 0.9 * (1 - 0.125)), (60, 0.9), (100, 0.9)):
        assert 1 - schedule.density(step, 100, 0.1) == pytest.approx(sparsity)


@given(st.floats(0, 0.9), st.floats(0.05, 1), st.floats(0.01, 1), st.integers(1, 1000), st.integers(1, 50))
def test_schedule_never_gives_back(begin: float, span: float, final: float, steps: int, every: int) -> None:
    """Density begins at 1, never rises, and ends at what is asked for."""
    schedule = CubicSchedule(begin, min(begin + span, 1.0), every)
    densities = [schedule.density(step, steps, final) for step in range(steps + 1)]
    assert densities[0] == 1 and densities[-1] == pytest.approx(final)
    assert all(b <= a for a, b in pairwise(densities))


def test_the_smallest_go() -> None:
    """With a single step the largest magnitudes of each layer are left as they were, whatever their signs, and all others are zero."""
    model = net()
    before = [model[0].weight.detach().clone(), model[3].weight.detach().clone()]
    MagnitudePruner(model, 0.25, steps=1).step()
    for was, layer in zip(before, (model[0], model[3]), strict=True):
        threshold = was.abs().flatten().sort().values[-round(0.25 * was.numel())]
        assert torch.equal(layer.weight, torch.where(was.abs() >= threshold, was, 0.0))


def test_global_scope_lets_layers_compete() -> None:
    """The threshold is one for all layers, so a layer of small weights loses most of its own."""
    model = net()
    with torch.no_grad():
        model[3].weight.mul_(0.01)
    weights = torch.cat([model[i].weight.detach().abs().flatten() for i in (0, 3, 5)])
    MagnitudePruner(model, 0.1, steps=1, scope="global").step()
    left = torch.cat([model[i].weight.detach().abs().flatten() for i in (0, 3, 5)])
    count = round(0.1 * len(weights))
    assert int((left > 0).sum()) == count
    assert left[left > 0].min() >= weights.sort().values[-count]
    assert density_of(model[3].weight) < 0.02 < density_of(model[5].weight)


@given(st.integers(0, 1000), st.floats(0.01, 1), st.integers(1, 30))
def test_what_is_zero_stays_zero(seed: int, density: float, every: int) -> None:
    """Whatever an optimizer does to the weights between steps, none comes back, and in the end as many are left as were asked for."""
    model, random = net(), torch.Generator().manual_seed(seed)
    pruner = MagnitudePruner(model, density, 40, CubicSchedule(0, 0.8, every))
    weight, gone = model[3].weight, torch.zeros(model[3].weight.shape, dtype=torch.bool)
    for _ in range(40):
        with torch.no_grad():
            weight.add_(torch.randn(weight.shape, generator=random))
        pruner.step()
        assert not (gone & (weight != 0)).any()
        gone |= weight == 0
    assert int((weight != 0).sum()) == max(round(density * weight.numel()), 1)


def test_densities_by_layer_while_training() -> None:
    """`prune_weights` trains to exactly the densities asked for, the network learns on, and training it further with its zeros is up to the caller."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    x = rng.normal(size=(300, 6, 6, 1)).astype(np.float32)
    x[:, 2:4, 2:4] += 2 * y[:, None, None, None].astype(np.float32)
    model = fit(net(), x, y, Recipe(epochs=5))
    prune_weights(model, x, y, {"0": 0.5, "3": 0.1, "5": 1.0}, Recipe(epochs=8))
    assert [round(density_of(model[i].weight), 2) for i in (0, 3, 5)] == [0.5, 0.1, 1.0]
    assert accuracy(predict(model, x), y) > 0.95
    assert math.isclose(density_of(model[3].bias), 1)


def test_impossible_wishes_are_refused() -> None:
    """Densities that are none, layers that do not exist, and schedules that do not ascend."""
    for density in (0.0, 1.5, math.nan):
        with pytest.raises(InputError, match="no share"):
            MagnitudePruner(net(), density, 10)
    with pytest.raises(InputError, match="named by density"):
        MagnitudePruner(net(), {"7": 0.5}, 10)
    with pytest.raises(InputError, match="one number"):
        MagnitudePruner(net(), {"0": 0.5, "3": 0.1, "5": 1.0}, 10, scope="global")
    with pytest.raises(InputError, match="no span"):
        CubicSchedule(0.6, 0.5)
    with pytest.raises(InputError, match="every 0 steps"):
        CubicSchedule(every=0)
    with pytest.raises(InputError, match="0 steps"):
        MagnitudePruner(net(), 0.5, 0)
