"""The PyTorch module of a network in the notation of `lichen.nn.notation`."""

from __future__ import annotations

import torch
from torch import nn

from lichen.nn.notation import Architecture, Block, Convolution
from lichen.nn.threads import single_threaded


class InvertedResidual(nn.Module):
    """A block: (n, incoming, H, W) -> (n, channels, H', W')."""

    def __init__(self, block: Block, incoming: int) -> None:
        super().__init__()
        expanded = block.expanded
        self.residual = block.residual
        self.layers = nn.Sequential(
            *(_convolution(incoming, expanded, 1) if expanded != incoming else ()),
            *_convolution(expanded, expanded, block.kernel, block.stride, groups=expanded),
            *_convolution(expanded, block.channels, 1, activation=False),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x)
        return x + y if self.residual else y


def build(architecture: Architecture, classes: int) -> nn.Sequential:
    """The network (n, inputs, H, W) -> logits (n, classes), its weights drawn from PyTorch's generator."""
    layers: list[nn.Module] = []
    for item, incoming in zip(architecture.items, architecture.incoming, strict=True):
        if isinstance(item, Convolution):
            layers += _convolution(incoming, item.channels, item.kernel, item.stride)
        else:
            layers.append(InvertedResidual(item, incoming))
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(architecture.channels, classes))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    return model


def random_images(count: int, channels: int, resolution: int, seed: int = 0) -> torch.Tensor:
    """Images (count, channels, resolution, resolution) about 0, with structure at every scale: what an untrained network can be shown.

    White noise would leave nothing after a global average pool; here each scale, doubling from one pixel, weighs the same.
    """
    random = torch.Generator().manual_seed(seed)
    images = torch.zeros(count, channels, resolution, resolution)
    size = resolution
    while size:
        noise = torch.randn(count, channels, size, size, generator=random)
        images += nn.functional.interpolate(noise, (resolution, resolution), mode="nearest")
        size //= 2
    return images / images.std()


def settle(model: nn.Module, images: torch.Tensor) -> nn.Module:
    """Sets the statistics of batch normalisations to those of `images` (n, C, H, W) and returns the model in evaluation mode.

    So the activations of an untrained network keep within the range that those of a trained one have, and can be quantised.
    """
    normalisations = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [m.momentum for m in normalisations]
    for normalisation in normalisations:
        normalisation.reset_running_stats()
        normalisation.momentum = None  # the mean over all batches
    with single_threaded(), torch.no_grad():
        model.train()(images)
    for normalisation, momentum in zip(normalisations, momenta, strict=True):
        normalisation.momentum = momentum
    return model.eval()


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, activation: bool = True
) -> list[nn.Module]:
    """Convolution without bias, batch normalisation, and ReLU6 unless it is a projection."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return [*layers, nn.ReLU6()] if activation else layers
