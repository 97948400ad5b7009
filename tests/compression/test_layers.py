"""Which weights are compressed, and numbers that are given for all layers or for each."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lichen.compression.layers import for_each, weighted_layers
from lichen.errors import InputError


def test_weights_of_dense_layers_and_convolutions() -> None:
    """Nested layers are found by their paths, normalisations and biases are left alone."""
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), nn.Conv1d(2, 3, 1), nn.Linear(3, 4))
    assert {path: tuple(w.shape) for path, w in weighted_layers(model).items()} == {
        "0.0": (2, 1, 3, 3),
        "1": (3, 2, 1),
        "2": (4, 3),
    }


def test_nothing_to_compress_is_refused() -> None:
    """A network without weights, and weights that are no numbers, named with their layer."""
    with pytest.raises(InputError, match="neither a dense layer nor a convolution"):
        weighted_layers(nn.Sequential(nn.ReLU()))
    model = nn.Sequential(nn.Linear(2, 2))
    with torch.no_grad():
        model[0].weight[0, 1] = float("nan")
    with pytest.raises(InputError, match="weight of '0' is not a finite number"):
        weighted_layers(model)


def test_one_number_or_one_for_each() -> None:
    """One number serves all layers; names have to be exactly theirs."""
    layers = {"a": None, "b": None}
    assert for_each(layers, 3, "clusters") == {"a": 3, "b": 3}
    assert for_each(layers, {"b": 1, "a": 2}, "clusters") == {"a": 2, "b": 1}
    for given in ({"a": 1}, {"a": 1, "b": 2, "c": 3}):
        with pytest.raises(InputError, match="named by clusters; name all of a, b"):
            for_each(layers, given, "clusters")
