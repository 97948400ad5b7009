"""Bonsai: one shallow, sparse tree over a learned sparse projection.

Kumar, Goyal, Varma: Resource-efficient Machine Learning in 2 KB RAM for the Internet of Things, ICML 2017. A sample x is projected to z = Z x + b. Every
node k on its way through the tree, inner or leaf, adds (W_k z) * tanh(sigma V_k z) to the scores of the classes; which child comes next is told by the sign of
theta_k . z. The paper trains all of it together: the way is soft at first and sharpens, and in three phases weights are dense, then cut to
their budgets after every so many steps (iterative hard thresholding), then trained where they are left. The offset b stands for the constant that
the paper puts into x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from lichen.errors import InputError
from lichen.nn.train import Loss, Progress, Recipe, fit

_PARTS = ("projection", "weights", "gates", "branches")
"""The parameters Z, W, V and theta, by their names here."""


@dataclass(frozen=True)
class Budget:
    """The share of each matrix that may be other than zero, above 0 and at most 1."""

    projection: float = 0.2
    weights: float = 0.5
    gates: float = 0.5
    branches: float = 0.5


class Bonsai(nn.Module):
    """A tree of `depth` levels of inner nodes over `projected` numbers: x (n, …) -> scores (n, classes).

    Two classes share one row of weights a node, and have the scores -s and s. In training all nodes take part, weighted by how far a sample
    goes their way with `sharpness`; in evaluation the nodes on its way alone. Raises `InputError` for sizes that are none.
    """

    def __init__(self, features: int, classes: int, projected: int = 10, depth: int = 2, sigma: float = 1.0) -> None:
        super().__init__()
        if min(features, projected) < 1 or classes < 2 or depth < 0:
            raise InputError(
                f"a tree of depth {depth} from {features} features over {projected} projected ones to {classes} classes is none"
            )
        inner = 2**depth - 1
        nodes, rows = 2 ** (depth + 1) - 1, 1 if classes == 2 else classes
        self.classes, self.depth, self.sigma, self.sharpness = classes, depth, sigma, 1.0
        self.projection = nn.Parameter(torch.randn(projected, features) / math.sqrt(features))
        self.offset = nn.Parameter(torch.zeros(projected))
        self.weights = nn.Parameter(torch.randn(nodes, rows, projected) / math.sqrt(projected))
        self.gates = nn.Parameter(torch.randn(nodes, rows, projected) / math.sqrt(projected))
        self.branches = nn.Parameter(torch.randn(inner, projected) / math.sqrt(projected))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = x.flatten(1) @ self.projection.T + self.offset
        along = self._along(z @ self.branches.T)
        of_nodes = torch.einsum("nd,krd->nkr", z, self.weights)
        gates = torch.tanh(self.sigma * torch.einsum("nd,krd->nkr", z, self.gates))
        scores = (along[:, :, None] * of_nodes * gates).sum(dim=1)
        return torch.cat([-scores, scores], dim=1) if self.classes == 2 else scores

    def _along(self, sides: torch.Tensor) -> torch.Tensor:
        """How far each sample goes through each node (n, nodes), from theta . z (n, inner nodes); node k has children 2k + 1, where that is
        above zero, and 2k + 2.
        """
        above = 0.5 * (1 + torch.tanh(self.sharpness * sides)) if self.training else (sides > 0).to(sides.dtype)
        along = [sides.new_ones(len(sides))]
        for node in range(sides.shape[1]):
            along += [along[node] * above[:, node], along[node] * (1 - above[:, node])]
        return torch.stack(along, dim=1)


class HardThresholding:
    """Iterative hard thresholding along the paper's three phases of `steps` steps: dense in the first third, cut to `budget` after every `every`
    steps of the second, and after all of the last where only the weights that are left then are trained. The way sharpens all along.

    `step` is to be called after each step of the optimizer. Raises `InputError` for a budget that leaves nothing, or fewer than three steps.
    """

    def __init__(self, model: Bonsai, budget: Budget, steps: int, every: int = 10, sharpest: float = 30.0) -> None:
        for name in _PARTS:
            share = getattr(budget, name)
            if not 0 < share <= 1:
                raise InputError(f"a budget of {share} for '{name}' is no share above 0 and at most 1")
        if steps < 3:
            raise InputError(f"three phases need at least three steps of training, not {steps}")
        self._parts: Mapping[str, nn.Parameter] = {name: getattr(model, name) for name in _PARTS}
        self._model, self._budget, self._steps, self._every, self._sharpest = model, budget, steps, every, sharpest
        self._kept: dict[str, torch.Tensor] = {}
        self._step = 0

    def step(self) -> None:
        """Counts a step, sharpens the way, and makes zero what the phase asks for."""
        self._step += 1
        self._model.sharpness = self._sharpest ** (self._step / self._steps)
        second, third = self._steps // 3, 2 * self._steps // 3
        with torch.no_grad():
            if self._step == third:
                self._kept = {name: self._largest(name, part) for name, part in self._parts.items()}
            for name, part in self._parts.items():
                if self._kept:
                    part.mul_(self._kept[name])
                elif self._step > second and self._step % self._every == 0:
                    part.mul_(self._largest(name, part))

    def _largest(self, name: str, part: nn.Parameter) -> torch.Tensor:
        """1 at as many of the largest as the budget has room for, at least one, else 0."""
        count = max(int(getattr(self._budget, name) * part.numel()), min(1, part.numel()))
        marked = torch.zeros(part.numel(), dtype=part.dtype)
        marked[part.detach().abs().flatten().topk(count).indices] = 1
        return marked.view_as(part)


def train_bonsai(
    model: Bonsai,
    x: NDArray[Any],
    y: NDArray[Any],
    budget: Budget | None = None,
    recipe: Recipe | None = None,
    progress: Callable[[Progress], None] | None = None,
    loss: Loss | None = None,
) -> Bonsai:
    """Trains `model` in place on `x` (n, …) and classes `y` (n) by the paper's joint scheme, and returns it in evaluation mode.

    No matrix has more weights left than `budget` allows. Raises what `HardThresholding` and `fit` raise.
    """
    recipe = recipe or Recipe(epochs=60)
    steps = recipe.epochs * math.ceil(len(x) / recipe.batch_size)
    thresholding = HardThresholding(model, budget or Budget(), steps)
    fit(model, x, y, recipe, progress, loss, thresholding.step)
    return model
