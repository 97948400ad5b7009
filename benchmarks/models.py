"""What `make bench` measures: the shared models, the zoo with random weights, and small dense networks; and which of them on which board.

MobileNetV2 is the one of width 0.35 at 96x96: the full one does not fit the emulated flash when others compile it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from emlearn_peer import dense
from lichen.ir.module import Module
from lichen.nn import zoo
from lichen.nn.quantize import export, quantize
from lichen.reading import from_torch, load
from lichen.search.candidate import candidate


@dataclass(frozen=True)
class Case:
    """A model in int8; `network` is the float32 network that it was made of, where emlearn can compile that."""

    name: str
    read: Callable[[], Module]
    network: Callable[[], nn.Sequential] | None = None


def shared(name: str) -> Module:
    """One of the models in `LICHEN_DATA`."""
    return load(Path(os.environ["LICHEN_DATA"]) / "models" / f"{name}.tflite")


def quantised(make: Callable[[], nn.Module], shape: tuple[int, ...], name: str) -> Module:
    """The int8 graph of an untrained network, calibrated on noise of `shape`."""
    noise = torch.rand(16, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return from_torch(quantize(make().eval(), noise[:1], [noise], observer="minmax"), name)


def in_float(make: Callable[[], nn.Module], shape: tuple[int, ...], name: str) -> Module:
    """The float32 graph of the same network."""
    return from_torch(export(make(), torch.zeros(1, *shape)), name)


def _dense(name: str, *sizes: int) -> Case:
    make = partial(dense, *sizes)
    return Case(name, partial(quantised, make, (sizes[0],), name), make)


CASES = {
    case.name: case
    for case in (
        *(
            Case(name, partial(shared, name))
            for name in (
                "resnet8_int8",
                "vww_96_int8",
                "person_detect",
                "micro_speech_quantized",
                "hello_world_int8",
            )
        ),
        Case("mcunet_vww1", partial(candidate, zoo.MCUNET_VWW1, 80, 2, "mcunet_vww1")),
        Case("mobilenet_v2", partial(candidate, zoo.mobilenet_v2_architecture(0.35), 96, 1000, "mobilenet_v2")),
        Case("cifar_mobilenet", partial(candidate, zoo.CIFAR_MOBILENET, 32, 10, "cifar_mobilenet")),
        Case("digits_cnn", partial(quantised, zoo.digits_cnn, (1, 28, 28), "digits_cnn")),
        Case("digits_mlp", partial(quantised, zoo.digits_mlp, (1, 14, 14), "digits_mlp")),
        _dense("dense_64_32_10", 64, 32, 10),
        _dense("dense_16_8_3", 16, 8, 3),
    )
}

_LARGE = ("resnet8_int8", "vww_96_int8", "mcunet_vww1", "dense_64_32_10")
_SMALL = ("micro_speech_quantized", "hello_world_int8", "digits_cnn", "digits_mlp", "dense_64_32_10", "dense_16_8_3")

BOARDS: dict[str, tuple[str, ...]] = {
    "mps2-an386": tuple(CASES),
    "stm32f746-disco": _LARGE,
    "mps2-an505": _LARGE,
    "mps3-an547": _LARGE,
    "mps2-an385": _LARGE,
    "pico": _LARGE,
    "microbit": _SMALL,
    "uno": ("hello_world_int8", "digits_mlp", "dense_64_32_10", "dense_16_8_3"),
}
"""Board -> models. One board for each emulated core: M4, M7, M33, M55, M3, M0+, M0, AVR."""
