"""Small models to start from. All take (n, C, H, W) float tensors and return logits (n, classes)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from lichen.errors import InputError
from lichen.nn.inverted_residual import build, random_images, settle
from lichen.nn.notation import Architecture, Block, Convolution, parse
from lichen.nn.residual import Residual
from lichen.nn.train import Recipe

DIGITS_CNN = Recipe(epochs=12, shift=2)
"""How to train `digits_cnn`: 98 % of the test digits in a few seconds."""

DIGITS_MLP = Recipe(epochs=60, shift=1)
"""How to train `digits_mlp`: 95 % in a few seconds."""

LENET_300_100 = Recipe(epochs=60, learning_rate=1e-3, shift=1)
"""How to train `lenet_300_100`: 97 % from 3,000 digits in ten seconds."""

LENET_5 = Recipe(epochs=12, learning_rate=3e-3, shift=2)
"""How to train `lenet_5`: 98 % from 3,000 digits in half a minute."""

MCUNET_VWW1 = parse(
    "k3s2c16 16k3c8 48k3s2c16 48k3c16r 48k3c16r 48k7s2c24 144k3c24r 120k5c24r 144k7s2c40 240k7c40r 240k3c48 192k3c48r "
    "240k5s2c96 480k3c96r 384k3c96r 288k7c160"
)
"""MCUNet for visual wake words on images of 80x80x3 (Lin et al., arXiv 2007.10319)."""

CIFAR_MOBILENET = parse("k3s2c16 16k3c16r 64k3s2c24 96k3c24r 96k3s2c40 160k3c40r 160k3c64")
"""A MobileNetV2 for images of 32x32x3, ten classes."""

CIFAR_MOBILENET_RECIPE = Recipe(epochs=30, shift=3, mirror=True)
"""How to train `cifar_mobilenet`: 73 % from 10,000 images in three minutes."""


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


def resnet8(width: float = 1.0, seed: int = 0) -> nn.Module:
    """32x32x3 images -> 10 logits: MLPerf Tiny's network for image classification, untrained.

    16, 32 and 64 channels times `width`; 1.0 has about 77,000 weights and 12.5 million MACs. Raises `InputError` if `width` leaves none.
    """
    channels = [round(width * c) for c in (16, 32, 64)]
    if channels[0] < 1:
        raise InputError(f"a width of {width} leaves no channels; widths are above 0.04, such as 0.5 or 2.0")
    first, second, third = channels
    return _seeded(
        seed,
        lambda: nn.Sequential(
            *_convolution(3, first),
            Residual(first, first),
            Residual(first, second, stride=2),
            Residual(second, third, stride=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(third, 10),
        ),
    )


def lenet_300_100(seed: int = 0) -> nn.Module:
    """28x28x1 digits -> 10 logits: the dense network of LeCun et al. (1998), 266,610 parameters."""
    return _seeded(
        seed,
        lambda: nn.Sequential(
            *(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)),
        ),
    )


def lenet_5(seed: int = 0) -> nn.Module:
    """28x28x1 digits -> 10 logits: LeNet-5 as Caffe has it, with ReLU after the convolutions, 431,080 parameters."""
    return _seeded(
        seed,
        lambda: nn.Sequential(
            *(nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10)),
        ),
    )


def cifar_mobilenet(seed: int = 0) -> nn.Module:
    """32x32x3 images -> 10 logits: `CIFAR_MOBILENET`, untrained, about 47,000 weights and 1.7 million MACs."""
    return _seeded(seed, lambda: build(CIFAR_MOBILENET, classes=10))


def mcunet_vww1(seed: int = 0) -> nn.Module:
    """80x80x3 images -> 2 logits: `MCUNET_VWW1`, untrained, about 430,000 weights and 11.6 million MACs."""
    return untrained(MCUNET_VWW1, resolution=80, classes=2, seed=seed)


def mobilenet_v2(width: float = 1.0, resolution: int = 224, classes: int = 1000, seed: int = 0) -> nn.Module:
    """`resolution` x `resolution` x 3 images -> `classes` logits: MobileNetV2, untrained; 1.0 at 224 has 301 million MACs."""
    return untrained(mobilenet_v2_architecture(width), resolution, classes, seed)


def mobilenet_v2_architecture(width: float = 1.0) -> Architecture:
    """Table 2 of Sandler et al., arXiv 1801.04381, channels times `width` rounded as the authors' code does.

    The last layer keeps its 1280 channels where `width` is below 1. Raises `InputError` if `width` is not above 0.
    """
    if not 0 < width < math.inf:
        raise InputError(f"a width of {width} leaves no channels; widths are above 0, such as 0.35 or 1.0")
    incoming = _rounded(32 * width)
    items: list[Convolution | Block] = [Convolution(3, 2, incoming)]
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for expansion, channels, blocks, stride in stages:
        outgoing = _rounded(channels * width)
        for block in range(blocks):
            step = stride if block == 0 else 1
            residual = step == 1 and incoming == outgoing
            items.append(Block(expansion * incoming, 3, step, outgoing, residual))
            incoming = outgoing
    return Architecture((*items, Convolution(1, 1, _rounded(1280 * max(width, 1.0)))))


def _rounded(channels: float) -> int:
    """The nearest multiple of 8, at least 8, that is not more than a tenth below."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def untrained(architecture: Architecture, resolution: int, classes: int, seed: int = 0) -> nn.Module:
    """The network with random weights, its activations kept sane: (n, inputs, `resolution`, `resolution`) -> logits (n, `classes`)."""
    model = _seeded(seed, lambda: build(architecture, classes))
    return settle(model, random_images(4, architecture.inputs, resolution, seed))


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """Convolution without bias, batch normalisation, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def _seeded(seed: int, build: Callable[[], nn.Module]) -> nn.Module:
    """What `build` makes when the random numbers start from `seed`; the caller's random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
