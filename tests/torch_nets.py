"""What the tests of the PyTorch front end share: modules of one line, and running a graph beside PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lichen.ir.module import Module


class Net(nn.Module):
    """A module whose forward pass is a function of its layers and its input."""

    def __init__(self, forward: Callable[..., torch.Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.function = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, *self.layers)


def memory_order(x: torch.Tensor, shape: tuple[int, ...]) -> NDArray[Any]:
    """A PyTorch tensor as the graph's input or output of `shape` holds it."""
    array = x.detach().numpy()
    if array.ndim == 4:
        array = array.transpose(0, 2, 3, 1)
    elif array.ndim == 3 and len(shape) == 4:
        array = array.transpose(0, 2, 1)[:, None]
    return np.ascontiguousarray(array)


def random_input(module: Module, shape: tuple[int, ...], seed: int = 0) -> tuple[torch.Tensor, NDArray[Any]]:
    """A normally distributed input for PyTorch, and the same for the graph."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x, memory_order(x, module.infer.inputs[0].type.shape)


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Weights drawn anew from the seed, random statistics in batch normalisations, so that they do something; evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
                module.reset_parameters()
    random = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor in (module.running_mean, module.weight.data, module.bias.data):
                tensor.copy_(torch.randn(tensor.shape, generator=random))
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=random) + 0.5)
    return model.eval()
