"""Batch normalisation steps aside while weights are shared: its factors go into the weights, its shift into the bias.

On the chip each channel's weights are multiplied by its factor, and a few values that channels shared would be as many as there are channels. So sharing begins
with the multiplied weights. The network is that of its code again in the end: each normalisation is there, and changes nothing but, where its layer has no
bias, by a shift. Folded a second time, by quantisation, it multiplies all channels alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn
from torch.fx import Node
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights

from lichen.compression.layers import weighted_layers
from lichen.errors import InputError
from lichen.nn.quantize import export

_NORMALISATIONS = (torch.ops.aten.batch_norm.default, torch.ops.aten._native_batch_norm_legit_no_training.default)
_RUNNING_MEAN = 3  # among the arguments of both


def normalised_layers(model: nn.Module, example_input: torch.Tensor) -> dict[str, str]:
    """The layers with weights whose result is normalised, and the normalisation of each, by their paths, in the order of calls; `example_input` is (1, …).

    Raises `InputError` for a normalisation that would be folded into a layer which is used elsewhere too, and what `export` raises.
    """
    program = export(model, example_input)
    stored = {**program.graph_signature.inputs_to_parameters, **program.graph_signature.inputs_to_buffers}
    weights = {f"{path}.weight": path for path in weighted_layers(model)}
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    uses = Counter(_stored_argument(node, index, stored) for node in calls for index in range(len(node.args)))
    found: dict[str, str] = {}
    for node in calls:
        source = node.args[0]
        if node.target not in _NORMALISATIONS or not isinstance(source, Node):
            continue
        layer = weights.get(_stored_argument(source, 1, stored))
        if layer is None or not _is_of_channels(source, model.get_submodule(layer)):
            continue
        mean = _stored_argument(node, _RUNNING_MEAN, stored)
        normalisation = mean.rpartition(".")[0]
        if not mean or not isinstance(model.get_submodule(normalisation), BatchNorm):
            raise InputError(
                f"the batch normalisation behind '{layer}', whose weights are to be shared, is no module with running statistics; make it an nn.BatchNorm, or leave it out"
            )
        if len(source.users) > 1 or uses[f"{layer}.weight"] > 1 or uses[mean] > 1:
            raise InputError(
                f"the weights of '{layer}' cannot be shared, for the batch normalisation '{normalisation}' cannot be folded into them: one of the two is used elsewhere too; "
                "give each layer a normalisation of its own, or none"
            )
        found[layer] = normalisation
    return found


@contextmanager
def folded_normalisations(model: nn.Module, example_input: torch.Tensor) -> Iterator[None]:
    """In the block layers of `model` (for inputs (1, …) like `example_input`) have what normalises them in their weights and biases, and nothing stands behind them.

    Raises what `normalised_layers` raises.
    """
    normalised = normalised_layers(model, example_input)
    taken: list[tuple[nn.Module, BatchNorm, bool]] = []
    places: dict[str, BatchNorm] = {}
    for path, normalisation_path in normalised.items():
        layer, normalisation = model.get_submodule(path), model.get_submodule(normalisation_path)
        assert isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear) and isinstance(normalisation, BatchNorm)
        taken.append((layer, normalisation, layer.bias is not None))
        places |= {at: m for at, m in model.named_modules(remove_duplicate=False) if m is normalisation}
        assert normalisation.running_mean is not None and normalisation.running_var is not None
        layer.weight, layer.bias = fuse_conv_bn_weights(  # dense layers have their outputs in front as well
            layer.weight,
            layer.bias,
            normalisation.running_mean,
            normalisation.running_var,
            normalisation.eps,
            normalisation.weight,
            normalisation.bias,
        )
        layer.bias.requires_grad_(True)  # one that folding has made came without
    for place in places:
        model.set_submodule(place, nn.Identity())
    yield
    for place, normalisation in places.items():
        model.set_submodule(place, normalisation)
    for layer, normalisation, has_bias in taken:
        _make_neutral(normalisation)
        if not has_bias:
            assert normalisation.running_mean is not None and isinstance(layer.bias, torch.Tensor)
            normalisation.running_mean.copy_(-layer.bias.detach())
            layer.register_parameter("bias", None)


def _make_neutral(normalisation: BatchNorm) -> None:
    """Has the normalisation leave everything as it is."""
    normalisation.eval()
    assert normalisation.running_mean is not None and normalisation.running_var is not None
    with torch.no_grad():
        normalisation.running_mean.zero_()
        normalisation.running_var.fill_(1.0 - normalisation.eps)
        if normalisation.affine:
            normalisation.weight.fill_(1.0)
            normalisation.bias.zero_()


def _is_of_channels(source: Node, layer: nn.Module) -> bool:
    """Whether a normalisation of `source`, along axis 1, has a factor for each output of the layer that makes it."""
    return not isinstance(layer, nn.Linear) or len(source.meta["val"].shape) == 2


def _stored_argument(node: Node, index: int, stored: Mapping[str, str]) -> str:
    """The name in the state dict of an argument of `node`, or nothing."""
    argument = node.args[index] if index < len(node.args) else None
    return stored.get(argument.name, "") if isinstance(argument, Node) else ""
