"""Post-training quantisation in one call: a float module becomes a PT2E program in int8."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.export import ExportedProgram

from lichen.errors import InputError
from lichen.nn.pt2e import convert_pt2e, prepare_pt2e
from lichen.nn.quantizer import LichenQuantizer, Observer, WeightScale
from lichen.nn.quiet import quiet
from lichen.nn.threads import single_threaded


def export(model: nn.Module, example_input: torch.Tensor) -> ExportedProgram:
    """The model in evaluation mode as a float `torch.export` program for the shape of `example_input` (1, …).

    Raises `InputError` if the model cannot be exported.
    """
    _require_single(example_input)
    with quiet(), single_threaded():
        try:
            return torch.export.export(model.eval(), (example_input,))
        except Exception as error:  # torch.export raises whatever the model's code runs into
            raise InputError(f"torch.export cannot export the model: {_first_line(error)}") from error


def quantize(
    model: nn.Module,
    example_input: torch.Tensor,
    calibration: Iterable[torch.Tensor],
    observer: Observer = "histogram",
    weight_scale: WeightScale = "channel",
    quantises: Callable[[str], bool] = lambda path: True,
) -> ExportedProgram:
    """The model in int8, its activation ranges calibrated on batches (n, …) of representative inputs.

    `example_input` (1, …) gives the shape. Weights are symmetric with a scale per output channel (with `weight_scale` "tensor" one
    per layer), activations asymmetric with one scale per tensor; what the quantizer does not know stays in floating point, and so do modules that
    `quantises` says no to, by their paths. The program can be saved with `torch.export.save`
    and lowered with `lichen.frontends.torch_export` and `lichen.passes.integerize`. The model itself is not changed. Raises
    `InputError` if the model cannot be exported or there is nothing to calibrate on.
    """
    graph = export(model, example_input).module()
    with quiet(), single_threaded(), torch.no_grad():
        prepared = prepare_pt2e(graph, LichenQuantizer(observer, weight_scale, quantises=quantises))
        seen = 0
        for batch in calibration:
            for sample in torch.split(batch, 1):
                _require_like(sample, example_input)
                prepared(sample)
                seen += 1
        if seen == 0:
            raise InputError("no calibration inputs were given; a hundred representative ones are enough")
        return torch.export.export(convert_pt2e(prepared), (example_input,))


def _require_single(example_input: torch.Tensor) -> None:
    if example_input.dim() == 0 or example_input.shape[0] != 1:
        raise InputError(
            f"the example input has shape {list(example_input.shape)}; give a single sample, with a leading dimension of 1"
        )


def _require_like(sample: torch.Tensor, example_input: torch.Tensor) -> None:
    if sample.shape != example_input.shape:
        raise InputError(
            f"a calibration sample has shape {list(sample.shape[1:])} where the example input has {list(example_input.shape[1:])}"
        )


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
