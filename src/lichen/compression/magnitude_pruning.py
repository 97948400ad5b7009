"""Magnitude pruning: the weights nearest to zero become zero, more and more of them while the others learn to do without.

Han, Pool, Tran, Dally, "Learning both weights and connections for efficient neural networks" (arXiv 1506.02626). The schedule is that of Zhu,
Gupta, "To prune, or not to prune" (arXiv 1710.01878).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import nn

from lichen.compression.layers import for_each, weighted_layers
from lichen.errors import InputError
from lichen.nn.train import Loss, Progress, Recipe, fit

Scope = Literal["layer", "global"]


@dataclass(frozen=True)
class CubicSchedule:
    """When zeros come, in shares of all steps: none before `begin`, all that there will be from `end` on, some more every `every` steps.

    Fast at first, when there is much that nobody needs, and slowly towards the end. Raises `InputError` for shares that do not ascend within 0 and 1.
    """

    begin: float = 0.0
    end: float = 0.6
    every: int = 10

    def __post_init__(self) -> None:
        if not 0 <= self.begin < self.end <= 1:
            raise InputError(f"pruning from {self.begin} to {self.end} of the steps is no span between 0 and 1")
        if self.every < 1:
            raise InputError(f"masks cannot be renewed every {self.every} steps; take 1 or more")

    def density(self, step: int, steps: int, final: float) -> float:
        """The share of weights that is left after `step` of `steps`: 1 - s, s = s_f - s_f (1 - t)³ where t runs from 0 to 1."""
        passed = min(max((step / steps - self.begin) / (self.end - self.begin), 0.0), 1.0)
        return final + (1.0 - final) * (1.0 - passed) ** 3


class MagnitudePruner:
    """Keeps the weights of a network pruned, step by step; `step` is for `fit(…, after_step=…)`.

    `density` is the share of weights that is left in the end, above 0 and at most 1: one for all, or one for each layer by its path. With scope
    "global", which takes one, all layers compete: the smallest weights of all become zero wherever they are. Biases stay. What is zero stays zero.
    Raises `InputError` for a density that is none and what `weighted_layers` raises.
    """

    def __init__(
        self,
        model: nn.Module,
        density: float | Mapping[str, float],
        steps: int,
        schedule: CubicSchedule | None = None,
        scope: Scope = "layer",
    ) -> None:
        self._weights = weighted_layers(model)
        self._density = for_each(self._weights, density, "density")
        self._steps, self._schedule, self._scope = steps, schedule or CubicSchedule(), scope
        self._kept = {path: torch.ones_like(weight, dtype=torch.bool) for path, weight in self._weights.items()}
        self._step = 0
        for path, share in self._density.items():
            if not 0 < share <= 1:
                raise InputError(f"a density of {share} for '{path}' is no share of its weights above 0 and at most 1")
        if scope == "global" and isinstance(density, Mapping):
            raise InputError("with scope global all layers share one density; give one number")
        if steps < 1:
            raise InputError(f"there is nothing to prune within {steps} steps")

    def step(self) -> None:
        """Counts a step of the optimizer, renews the masks where the schedule says so, and makes zero what they leave out."""
        self._step += 1
        if self._step % self._schedule.every == 0 or self._step == self._steps:
            self._renew()
        with torch.no_grad():
            for path, weight in self._weights.items():
                weight.mul_(self._kept[path])

    def _renew(self) -> None:
        if self._scope == "layer":
            for path, weight in self._weights.items():
                self._kept[path] = self._largest(weight, self._kept[path], self._density[path])
            return
        weights = torch.cat([weight.detach().flatten() for weight in self._weights.values()])
        kept = torch.cat([kept.flatten() for kept in self._kept.values()])
        together = self._largest(weights, kept, next(iter(self._density.values())))
        parts = torch.split(together, [weight.numel() for weight in self._weights.values()])
        self._kept = {path: part.view_as(w) for (path, w), part in zip(self._weights.items(), parts, strict=True)}

    def _largest(self, weights: torch.Tensor, kept: torch.Tensor, final: float) -> torch.Tensor:
        """Marks as many of the largest as are to be left by now, at least one, none of which was zero already."""
        count = max(round(self._schedule.density(self._step, self._steps, final) * weights.numel()), 1)
        magnitudes = torch.where(kept, weights.detach().abs(), -1.0).flatten()
        marked = torch.zeros_like(magnitudes, dtype=torch.bool)
        marked[magnitudes.topk(count).indices] = True
        return marked.view_as(kept) & kept


def prune_weights(
    model: nn.Module,
    x: NDArray[Any],
    y: NDArray[Any],
    density: float | Mapping[str, float],
    recipe: Recipe | None = None,
    progress: Callable[[Progress], None] | None = None,
    loss: Loss | None = None,
    schedule: CubicSchedule | None = None,
    scope: Scope = "layer",
) -> nn.Module:
    """Trains `model` in place as `fit` does, on `x` (n, …; images NHWC) and classes `y` (n), and prunes it on the way to `density`.

    Raises what `MagnitudePruner` and `fit` raise.
    """
    recipe = recipe or Recipe()
    steps = recipe.epochs * math.ceil(len(x) / recipe.batch_size)
    pruner = MagnitudePruner(model, density, max(steps, 1), schedule, scope)
    return fit(model, x, y, recipe, progress, loss, pruner.step)
