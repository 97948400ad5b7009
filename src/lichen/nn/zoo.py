"""Small models to start from. All take (n, C, H, W) float tensors and return logits (n, classes)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from lichen.nn.train import Recipe

DIGITS_CNN = Recipe(epochs=12, shift=2)
"""How to train `digits_cnn`: 98 % of the test digits in a few seconds."""

DIGITS_MLP = Recipe(epochs=60, shift=1)
"""How to train `digits_mlp`: 95 % in a few seconds."""


def digits_cnn(seed: int = 0) -> nn.Module:
    """28x28x1 digits -> 10 logits: three convolutions and a dense layer, about 9,000 weights and 490,000 MACs."""
    return _seeded(
        seed,
        lambda: nn.Sequential(
            *_convolution(1, 8, kernel=5, stride=2),
            *_convolution(8, 16),
            nn.MaxPool2d(2),
            *_convolution(16, 32),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(288, 10),
        ),
    )


def digits_mlp(seed: int = 0) -> nn.Module:
    """14x14x1 digits (`lichen.data.digits.shrink` by 2) -> 10 logits: a dense network for 2 KB of RAM, about 13,200 weights."""
    return _seeded(seed, lambda: nn.Sequential(nn.Flatten(), nn.Linear(196, 64), nn.ReLU(), nn.Linear(64, 10)))


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """Convolution without bias, batch normalisation, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def _seeded(seed: int, build: Callable[[], nn.Module]) -> nn.Module:
    """What `build` makes when the random numbers start from `seed`; the caller's random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
