"""Weight sharing: the weights of a layer that are not zero take one of a few values, which are then trained instead of them.

Han, Mao, Dally, "Deep compression: compressing deep neural networks with pruning, trained quantization and Huffman coding" (arXiv 1510.00149).

How this works inside: a shared layer keeps its class, and its weight is computed from a codebook by a parametrization of PyTorch, so that the
gradient of a centroid is the sum of those of its members. Zeros belong to no centroid and stay zero. In the end the centroids are
rounded to 127 equal steps on each side of zero: those of int8 with one scale for the layer, which `quantize(…, weight_scale="tensor")` finds again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import parametrize

from lichen.compression.layers import for_each, weighted_layers
from lichen.errors import InputError

LARGEST = 127  # steps of an int8 weight on each side of zero

_MOST_ROUNDS = 100


def k_means(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """At most `k` centroids, ascending, of `values` (n,), by Lloyd's algorithm from centroids in equal steps from the smallest to the largest.

    The linear start leaves centroids to the few large weights, which matter more than their number says. A centroid that loses
    all its members vanishes. Raises `InputError` if there are no values or k is below 1.
    """
    if k < 1 or len(values) == 0:
        raise InputError(f"{len(values)} values cannot be shared out among {k} centroids; there must be one of each")
    ordered = np.sort(values.astype(np.float64))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centroids = np.unique(np.linspace(ordered[0], ordered[-1], k)) if k > 1 else ordered[:1]
    for _ in range(_MOST_ROUNDS):
        edges = np.concatenate([[0], np.searchsorted(ordered, _borders(centroids), side="right"), [len(ordered)]])
        members = np.diff(edges)
        means = np.diff(sums[edges])[members > 0] / members[members > 0]
        means = np.clip(means, ordered[0], ordered[-1])  # sums of the many are rounded
        if np.array_equal(means, centroids):
            break
        centroids = means
    return centroids


def nearest(values: NDArray[np.float64], centroids: NDArray[np.float64]) -> NDArray[np.int64]:
    """The index of the nearest of ascending `centroids` (k,) for each of `values` (n,)."""
    found: NDArray[np.int64] = np.searchsorted(_borders(centroids), values, side="left").astype(np.int64)
    return found


def share_weights(model: nn.Module, clusters: int | Mapping[str, int]) -> nn.Module:
    """Gives the weights of each layer at most so many values beside zero, in place: one number for all layers, or one for each by its path.

    Training then moves the values; which weight has which stays. `settle_weights` makes an ordinary network of it again. Returns `model`. Raises
    `InputError` for a layer that is shared already and what `k_means` and `weighted_layers` raise.
    """
    weights = weighted_layers(model)
    numbers = for_each(weights, clusters, "clusters")
    for path, k in numbers.items():
        if k < 1:
            raise InputError(f"'{path}' cannot share {k} values; give it 1 or more")
        if parametrize.is_parametrized(model.get_submodule(path), "weight"):
            raise InputError(f"the weights of '{path}' are shared already; settle them first")
    for path, k in numbers.items():
        layer, weight = model.get_submodule(path), weights[path].detach()
        if bool(weight.any()):
            parametrize.register_parametrization(layer, "weight", Codebook(weight, k), unsafe=True)
    return model


def settle_weights(model: nn.Module) -> nn.Module:
    """Makes ordinary layers of shared ones, in place, their values rounded to `LARGEST` equal steps on each side of zero. Returns `model`."""
    for module in list(model.modules()):
        shared = module.parametrizations["weight"] if parametrize.is_parametrized(module, "weight") else None  # type: ignore[index]
        if isinstance(shared, parametrize.ParametrizationList) and isinstance(shared[0], Codebook):
            with torch.no_grad():
                shared.original.copy_(_on_grid(shared.original))
            shared.original.grad = None  # has the codebook's shape
            parametrize.remove_parametrizations(module, "weight")
    return model


class Codebook(nn.Module):
    """A weight of at most `k` values beside zero: centroids (k,) -> the weight."""

    positions: torch.Tensor
    members: torch.Tensor

    def __init__(self, weight: torch.Tensor, k: int) -> None:
        super().__init__()
        self.shape = weight.shape
        positions = weight.flatten().nonzero().flatten()
        values = weight.flatten()[positions].double().numpy()
        self._centroids = torch.from_numpy(k_means(values, k))
        self.register_buffer("positions", positions)
        self.register_buffer("members", torch.from_numpy(nearest(values, self._centroids.numpy())))

    def forward(self, centroids: torch.Tensor) -> torch.Tensor:
        zeros = torch.zeros(self.shape.numel(), dtype=centroids.dtype)
        return zeros.scatter(0, self.positions, centroids.index_select(0, self.members)).view(self.shape)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """What stands for the weight at the beginning: the centroids that k-means found."""
        return self._centroids.to(weight.dtype)


def _on_grid(centroids: torch.Tensor) -> torch.Tensor:
    """The nearest multiples of the step with which the largest is `LARGEST` of them."""
    step = centroids.abs().max().double() / LARGEST
    return centroids if step == 0 else (centroids.double() / step).round().mul(step).to(centroids.dtype)


def _borders(centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half way between neighbours."""
    return centroids[:-1] + (centroids[1:] - centroids[:-1]) / 2
