"""The layers whose weights are pruned one by one, and shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import nn

from lichen.errors import InputError

Number = TypeVar("Number", int, float)


def weighted_layers(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights of dense layers and convolutions by the paths of their modules, in the network's order.

    Raises `InputError` for a network that has none, and for a weight that is not a finite number.
    """
    found = {
        path: module.weight
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)
    }
    if not found:
        raise InputError("the network has neither a dense layer nor a convolution, so there are no weights to compress")
    for path, weight in found.items():
        if not bool(weight.isfinite().all()):
            raise InputError(
                f"a weight of '{path}' is not a finite number; train the network anew, with a smaller learning rate"
            )
    return found


def for_each(layers: Mapping[str, object], given: Number | Mapping[str, Number], what: str) -> dict[str, Number]:
    """`given` for each of `layers`: one number for all, or one for each by its path. Raises `InputError` for paths that differ."""
    if not isinstance(given, Mapping):
        return dict.fromkeys(layers, given)
    differing = sorted(layers.keys() ^ given.keys())
    if differing:
        raise InputError(
            f"'{differing[0]}' is not both a layer and named by {what}; name all of {', '.join(layers)}, or give one number"
        )
    return {path: given[path] for path in layers}
