"""A network of one's own for a recipe: `name = "wide_digits:wide_cnn"`."""

from __future__ import annotations

from torch import nn


def wide_cnn(width: int = 16) -> nn.Module:
    """28x28x1 digits -> 10 logits: the layers of `lichen.nn.zoo.digits_cnn`, `width` channels in the first instead of 8."""
    layers: list[nn.Module] = []
    for inputs, outputs, kernel, stride, pool in (
        (1, width, 5, 2, False),
        (width, 2 * width, 3, 1, True),
        (2 * width, 4 * width, 3, 1, True),
    ):
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(), *([nn.MaxPool2d(2)] if pool else [])]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(9 * 4 * width, 10))
