"""Networks of inverted residuals written as a line of text: `k3s2c16 16k3c8 48k3s2c16 48k3c16r`.

A *block* is `EXPANDED k KERNEL [s STRIDE] c CHANNELS [r]`: a 1x1 convolution to EXPANDED channels, a depthwise convolution, and a 1x1
projection to CHANNELS without activation, which is added to the block's input where there is an `r`. A block that expands to as
many channels as come in has no expansion. An item without a number in front is an ordinary *convolution*, `k KERNEL [s STRIDE] c
CHANNELS`: the stem, or the 1x1 layer at the end. A stride of 1 is not written. Padding is KERNEL // 2 on all sides; a global average
pool and a dense layer follow the last item.

Blocks: Sandler et al., MobileNetV2 (arXiv 1801.04381). Notation: Lin et al., MCUNet (arXiv 2007.10319).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lichen.errors import InputError

_ITEM = re.compile(
    r"(?P<expanded>[0-9]+)?k(?P<kernel>[0-9]+)(?:s(?P<stride>[0-9]+))?c(?P<channels>[0-9]+)(?P<residual>r)?"
)
_MOST_DIGITS = 5


@dataclass(frozen=True)
class Convolution:
    """An ordinary convolution with batch normalisation and ReLU6."""

    kernel: int
    stride: int
    channels: int

    def __str__(self) -> str:
        return f"k{self.kernel}{_stride(self.stride)}c{self.channels}"


@dataclass(frozen=True)
class Block:
    """An inverted residual: 1x1 to `expanded` channels, depthwise `kernel` with `stride`, 1x1 to `channels`."""

    expanded: int
    kernel: int
    stride: int
    channels: int
    residual: bool = False

    def __str__(self) -> str:
        return f"{self.expanded}k{self.kernel}{_stride(self.stride)}c{self.channels}{'r' if self.residual else ''}"


@dataclass(frozen=True)
class Layer:
    """A convolution of the network: `size` is height and width of its result."""

    size: int
    channels: int
    macs: int


@dataclass(frozen=True)
class Architecture:
    """The layers of a network on images of `inputs` channels. `str` writes the notation, `parse` reads it.

    Raises `InputError` where an item cannot stand: an even kernel, a zero, a residual that changes the shape.
    """

    items: tuple[Convolution | Block, ...]
    inputs: int = 3

    def __post_init__(self) -> None:
        if not self.items:
            raise InputError("a network needs at least one item such as k3s2c16 or 48k3s2c16r")
        for place, (item, incoming) in enumerate(zip(self.items, self.incoming, strict=True), 1):
            where = f"item {place}, {item},"
            if item.kernel % 2 == 0:
                raise InputError(f"{where} has an even kernel; padding on all sides needs an odd one")
            if item.stride < 1 or item.channels < 1 or (isinstance(item, Block) and item.expanded < 1):
                raise InputError(f"{where} has a zero; strides and channels start from 1")
            if isinstance(item, Block) and item.residual and (item.stride != 1 or item.channels != incoming):
                raise InputError(
                    f"{where} is to be added to its input of {incoming} channels; that takes stride 1 and as many channels"
                )

    def __str__(self) -> str:
        return " ".join(map(str, self.items))

    @property
    def incoming(self) -> tuple[int, ...]:
        """The channels that come into each item."""
        return (self.inputs, *(item.channels for item in self.items[:-1]))

    @property
    def channels(self) -> int:
        """The channels of the last item, the features of the dense layer."""
        return self.items[-1].channels

    def layers(self, resolution: int) -> Iterator[tuple[Layer, ...]]:
        """For each item its convolutions on square images of `resolution`."""
        size = resolution
        for item, incoming in zip(self.items, self.incoming, strict=True):
            small = _size(size, item)
            if isinstance(item, Convolution):
                yield (_layer(item.kernel, small, item.channels, incoming),)
            else:
                expansion = (_layer(1, size, item.expanded, incoming),) if item.expanded != incoming else ()
                depthwise = _layer(item.kernel, small, item.expanded, 1)
                yield *expansion, depthwise, _layer(1, small, item.channels, item.expanded)
            size = small

    def receptive_field(self, items: int | None = None) -> int:
        """Height and width in pixels of what a position sees that the first `items` compute, or all of them."""
        field, jump = 1, 1
        for item in self.items[:items]:
            field += (item.kernel - 1) * jump
            jump *= item.stride
        return field

    def macs(self, resolution: int, classes: int) -> int:
        """Multiplications of convolutions and dense layer on square images of `resolution`."""
        convolutions = sum(layer.macs for item in self.layers(resolution) for layer in item)
        return convolutions + self.channels * classes


def parse(text: str, inputs: int = 3) -> Architecture:
    """The network that `text` writes down, on images of `inputs` channels. Raises `InputError` naming the item that cannot be read."""
    return Architecture(tuple(_item(place, word) for place, word in enumerate(text.split(), 1)), inputs)


def _item(place: int, word: str) -> Convolution | Block:
    found = _ITEM.fullmatch(word)
    if found is None or any(len(digits) > _MOST_DIGITS for digits in re.findall("[0-9]+", word)):
        raise InputError(
            f"item {place}, {word[:40]}, is neither a block such as 48k3s2c16r (expanded channels, kernel, stride, channels, residual) "
            "nor a convolution such as k3s2c16"
        )
    kernel, stride, channels = int(found["kernel"]), int(found["stride"] or 1), int(found["channels"])
    if found["expanded"] is not None:
        return Block(int(found["expanded"]), kernel, stride, channels, found["residual"] is not None)
    if found["residual"] is not None:
        raise InputError(f"item {place}, {word}, is a convolution; only a block has a residual")
    return Convolution(kernel, stride, channels)


def _stride(stride: int) -> str:
    return "" if stride == 1 else f"s{stride}"


def _size(size: int, item: Convolution | Block) -> int:
    return (size + 2 * (item.kernel // 2) - item.kernel) // item.stride + 1


def _layer(kernel: int, size: int, channels: int, inputs: int) -> Layer:
    return Layer(size, channels, size * size * channels * kernel * kernel * inputs)
