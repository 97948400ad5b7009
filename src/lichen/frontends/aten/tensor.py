"""A PyTorch tensor as the graph holds it: where each of its dimensions lies in memory.

PyTorch numbers dimensions N, C, H, W; the graph keeps images as N, H, W, C. Instead of transposing between the two, each tensor
carries its `layout`. A permutation, a squeeze or an unsqueeze is then another layout of the same value and costs nothing, and
operators say in PyTorch's dimensions what they mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lichen.ir.module import Array, Value

Layout = tuple[int | None, ...]
"""For each dimension of a value the PyTorch dimension it holds; `None` for a dimension of 1 that PyTorch does not have.

PyTorch's dimensions of size 1 may be missing.
"""

CHANNELS_LAST = (0, 2, 3, 1)
CHANNELS_LAST_1D = (0, None, 2, 1)  # a signal (N, C, L) is an image of height 1


@dataclass(frozen=True)
class Flattened:
    """How elements that were flattened in memory order must be reordered to stand as PyTorch flattens them."""

    sizes: tuple[int, ...]  # in memory
    permutation: tuple[int, ...]  # PyTorch's order of those dimensions

    def order(self) -> NDArray[np.intp]:
        """For each element in memory, the index PyTorch gives it."""
        in_memory = np.arange(math.prod(self.sizes)).reshape(self.sizes).transpose(self.permutation).ravel()
        return np.argsort(in_memory)


@dataclass(frozen=True)
class Tensor:
    """A value of the graph with the PyTorch tensor it stands for."""

    value: Value
    shape: tuple[int, ...]  # PyTorch's
    layout: Layout
    flattened: Flattened | None = None  # then the value's shape is `shape`

    @property
    def rank(self) -> int:
        return len(self.shape)

    def memory_order(self) -> tuple[int, ...]:
        """PyTorch's dimensions larger than 1, in the order they have in memory."""
        return tuple(d for d in self.layout if d is not None and self.shape[d] > 1)


@dataclass(frozen=True)
class QuantisedConstant:
    """A constant that the program stores quantised and dequantises before use: `real = scale * (stored - zero_point)`."""

    stored: NDArray[np.int8]
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None

    @property
    def real(self) -> NDArray[np.float32]:
        """The values the program computes with, in float32 as PyTorch dequantises them."""
        shape = [1] * self.stored.ndim
        if self.axis is not None:
            shape[self.axis] = -1
        zero = np.array(self.zero_point, np.float32).reshape(shape)
        scale = np.array(self.scale, np.float32).reshape(shape)
        real: NDArray[np.float32] = (self.stored.astype(np.float32) - zero) * scale
        return real


Constant = torch.Tensor | QuantisedConstant
"""What is known when the program is read."""


def array(constant: Constant) -> Array:
    """A constant's real values as NumPy array."""
    return constant.real if isinstance(constant, QuantisedConstant) else constant.detach().numpy()


def identity(rank: int) -> Layout:
    return tuple(range(rank))
