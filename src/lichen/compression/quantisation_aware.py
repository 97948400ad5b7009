"""Quantisation-aware training: the network sees its own rounding while it learns (Jacob et al., arXiv 1712.05877), by torchao's PT2E flow.

Batch normalisations are folded into the convolutions before them, as they are on the chip, and training goes on with what is left: weights
and biases. So what is trained is what is rounded.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule

from lichen.errors import InputError
from lichen.nn.pt2e import allow_exported_model_train_eval, convert_pt2e, fold_normalisations, prepare_qat_pt2e
from lichen.nn.quantizer import LichenQuantizer
from lichen.nn.quiet import quiet
from lichen.nn.tensors import to_tensor
from lichen.nn.threads import single_threaded
from lichen.nn.train import Loss, Progress, Recipe, fit

_CALIBRATION_BATCH = 64


def quantise_aware(
    model: nn.Module,
    x: NDArray[Any],
    y: NDArray[Any],
    recipe: Recipe | None = None,
    weight_bits: int = 8,
    quantises: Callable[[str], bool] = lambda path: True,
    calibration: int = 256,
    loss: Loss | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ExportedProgram:
    """The model in int8, trained further on `x` (n, …; images NHWC) and classes `y` (n) with its rounding; like the program of `quantize`.

    Weights are whole numbers of `weight_bits` bits, which int8 stores and coding makes small. A weight that is zero stays so: what pruning took
    away does not come back. Ranges of activations begin with those of the first `calibration` samples. Modules that `quantises` says no to, by their
    paths, stay in floating point. The model itself is not changed. Raises `InputError` if the model cannot be exported for batches of any size, and what
    `fit` raises.
    """
    batches = torch.split(to_tensor(x[:calibration]), _CALIBRATION_BATCH)
    prepared = prepare_aware(model, batches[0], weight_bits, quantises)
    with single_threaded(), torch.no_grad():
        for batch in batches:
            prepared(batch)
    taken = [(p, p == 0) for p in prepared.parameters() if p.dim() > 1]

    def keep_zeros() -> None:
        with torch.no_grad():
            for parameter, zero in taken:
                parameter.masked_fill_(zero, 0.0)

    fit(prepared, x, y, recipe, progress, loss, keep_zeros)
    prepared.eval()
    with quiet(), single_threaded(), torch.no_grad():
        prepared(batches[0])  # the scales of the weights of the last step
        return torch.export.export(convert_pt2e(prepared), (to_tensor(x[:1]),))


def prepare_aware(
    model: nn.Module,
    batch: torch.Tensor,
    weight_bits: int = 8,
    quantises: Callable[[str], bool] = lambda path: True,
) -> GraphModule:
    """A copy of the model as a graph for batches (n, …) like `batch`, that rounds as int8 does; its modes are those of `train` and `eval`."""
    with quiet(), single_threaded():
        try:
            program = torch.export.export(copy.deepcopy(model).eval(), (batch,), dynamic_shapes=({0: Dim.AUTO},))
            with torch.no_grad():
                program.module()(batch[:1])
        except Exception as error:  # torch.export raises whatever the model's code runs into
            first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise InputError(f"torch.export cannot export the model for batches of any size: {first}") from error
        graph = program.module()
        assert isinstance(graph, GraphModule)
        fold_normalisations(graph)
        prepared: GraphModule = prepare_qat_pt2e(
            graph, LichenQuantizer("training", weight_bits=weight_bits, quantises=quantises)
        )
        for parameter in prepared.parameters():
            parameter.requires_grad_(True)  # a bias that folding has made came without
        allow_exported_model_train_eval(prepared)
        return prepared
