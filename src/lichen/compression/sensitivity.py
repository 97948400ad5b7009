"""Which layer suffers from quantisation: the accuracy with that layer alone in int8, and with all but it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from lichen.compression.quantisation_aware import prepare_aware
from lichen.nn.pt2e import convert_pt2e
from lichen.nn.quiet import quiet
from lichen.nn.tensors import to_tensor
from lichen.nn.threads import single_threaded
from lichen.nn.train import accuracy, predict

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)
_BATCH = 64


@dataclass(frozen=True)
class LayerSensitivity:
    """`only` is the accuracy with nothing but this layer quantised, `all_but` with everything but it."""

    name: str
    only: float
    all_but: float


@dataclass(frozen=True)
class Sensitivity:
    """Accuracies from 0 to 1: in float32, all in int8, and layer by layer in the network's order."""

    accuracy_float: float
    accuracy_int8: float
    layers: tuple[LayerSensitivity, ...]

    def losing(self, more_than: float) -> tuple[str, ...]:
        """The layers that lose more than so much accuracy when they alone are quantised."""
        return tuple(layer.name for layer in self.layers if self.accuracy_float - layer.only > more_than)


def sensitivity(
    model: nn.Module,
    x: NDArray[Any],
    y: NDArray[Any],
    calibration: NDArray[Any],
    weight_bits: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> Sensitivity:
    """The layers with weights, one by one, judged in PyTorch's quantised arithmetic on `x` (n, …; images NHWC) and classes `y` (n).

    Ranges of activations are those of `calibration` (m, …). With a layer its input and output are quantised too. `progress` is called with the
    measurements done and their number. Raises `InputError` if the model cannot be exported for batches of any size.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, _LAYERS)]
    total, done = 2 * len(names) + 2, 0

    def judged(program: Callable[[torch.Tensor], torch.Tensor]) -> float:
        nonlocal done
        found = accuracy(predict(program, x), y)
        done += 1
        if progress is not None:
            progress(done, total)
        return found

    def with_int8(quantises: Callable[[str], bool]) -> float:
        batches = torch.split(to_tensor(calibration), _BATCH)
        prepared = prepare_aware(model, batches[0], weight_bits, quantises)
        with quiet(), single_threaded(), torch.no_grad():
            for batch in batches:
                prepared(batch)
            converted = convert_pt2e(prepared)
        return judged(converted)

    def alone(name: str) -> float:
        return with_int8(lambda path: path == name)

    def others(name: str) -> float:
        return with_int8(lambda path: path != name)

    accuracy_float = judged(model.eval())
    accuracy_int8 = with_int8(lambda path: True)
    layers = tuple(LayerSensitivity(name, alone(name), others(name)) for name in names)
    return Sensitivity(accuracy_float, accuracy_int8, layers)
