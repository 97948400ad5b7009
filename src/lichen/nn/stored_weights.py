"""A network takes the weights, and with them the sizes, that were stored of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from lichen.errors import InputError


def take_weights(model: nn.Module, stored: Mapping[str, torch.Tensor]) -> nn.Module:
    """Copies `stored`, a state dict, into `model`, whose layers become as wide as their weights in there. Returns `model`.

    So a network whose channels were pruned is that of its code again. Raises `InputError` if names or numbers of dimensions differ, and
    for a value that is not a finite number.
    """
    own = model.state_dict()
    if own.keys() != stored.keys():
        differing = sorted(own.keys() ^ stored.keys())
        raise InputError(f"the weights are those of another network: '{differing[0]}' is in one of them only")
    for name, tensor in stored.items():
        if tensor.dim() != own[name].dim() or tensor.dtype != own[name].dtype:
            raise InputError(
                f"the weights are those of another network: '{name}' is {list(tensor.shape)} instead of {list(own[name].shape)}"
            )
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise InputError(
                f"'{name}' of the weights holds a value that is not a finite number; train the network anew"
            )
    for path, module in model.named_modules():
        prefix = f"{path}." if path else ""
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(stored[prefix + name].detach().clone(), parameter.requires_grad))
        for name, _ in list(module.named_buffers(recurse=False)):
            if prefix + name in stored:
                setattr(module, name, stored[prefix + name].detach().clone())
        _resize(module)
    return model


def _resize(module: nn.Module) -> None:
    """The numbers that a layer keeps beside its weights."""
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.Conv1d | nn.Conv2d):
        outputs, per_group = module.weight.shape[:2]
        if module.groups > 1 and module.groups == module.in_channels:  # depthwise
            module.groups = outputs // (module.out_channels // module.in_channels)
        module.out_channels, module.in_channels = outputs, per_group * module.groups
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        assert module.running_mean is not None
        module.num_features = len(module.running_mean)
