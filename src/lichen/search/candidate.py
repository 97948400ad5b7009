"""The graph of a network that nobody has trained yet, so that what it would need can be planned and run."""

from __future__ import annotations

from lichen.compiler import prepare
from lichen.ir.module import Module
from lichen.nn.inverted_residual import random_images
from lichen.nn.notation import Architecture
from lichen.nn.quantize import quantize
from lichen.nn.zoo import untrained
from lichen.reading import from_torch

CALIBRATION_IMAGES = 4


def candidate(architecture: Architecture, resolution: int, classes: int, name: str = "candidate") -> Module:
    """The int8 graph of the network with random weights, for images of `resolution`: ready to be planned.

    Order, shapes and multiplications are those of the trained network, so memory and time are as well.
    """
    images = random_images(CALIBRATION_IMAGES, architecture.inputs, resolution, seed=1)
    program = quantize(untrained(architecture, resolution, classes), images[:1], [images], observer="minmax")
    return prepare(from_torch(program, name))
