"""The residual block of He et al. (arXiv 1512.03385), two convolutions beside a shortcut."""

from __future__ import annotations

import torch
from torch import nn


class Residual(nn.Module):
    """(n, inputs, H, W) -> (n, outputs, H / stride, W / stride), through ReLU.

    Two 3x3 convolutions with batch normalisation, to whose result the input is added; where it has another shape, a 1x1 convolution of it.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.activation = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.activation(self.layers(x) + self.shortcut(x))
        return y
