"""The network that a recipe names: of the zoo, or of a function of the user's."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lichen.errors import InputError
from lichen.frontends.pt2_archive import read_program
from lichen.nn import zoo
from lichen.nn.stored_weights import take_weights

ZOO: Mapping[str, Callable[..., nn.Module]] = {
    build.__name__: build
    for build in (
        *(zoo.digits_cnn, zoo.digits_mlp, zoo.lenet_300_100, zoo.lenet_5),
        *(zoo.cifar_mobilenet, zoo.resnet8, zoo.mcunet_vww1, zoo.mobilenet_v2),
    )
}


def build_network(name: str, arguments: Mapping[str, Any], weights: Path | None, seed: int, folder: Path) -> nn.Module:
    """What the function called `name` makes of `arguments`, with the weights of the `.pt2` file `weights` if given; in evaluation mode.

    `name` is one of the `ZOO` or `package.module:function`, looked for in `folder` first. `seed` is passed on where the function takes one, and its
    random numbers start from it. Raises `InputError` for a function that is not to be had or makes no `nn.Module`, and what `take_weights` raises.
    """
    build = ZOO.get(name) or _function(name, folder)
    given = dict(arguments)
    try:
        if "seed" in inspect.signature(build).parameters:
            given.setdefault("seed", seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = build(**given)
    except TypeError as error:
        raise InputError(f"{name} cannot be called with {_listed(given)}: {error}") from error
    if not isinstance(model, nn.Module):
        raise InputError(f"{name} makes a {type(model).__name__}, not a torch.nn.Module")
    if weights is not None:
        try:
            take_weights(model, read_program(weights).state_dict)
        except InputError as error:
            raise InputError(f"{weights}: {error}") from error
    for path, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise InputError(f"{name} begins with '{path}', which holds a value that is not a finite number")
    return model.eval()


def _function(name: str, folder: Path) -> Callable[..., Any]:
    module, colon, function = name.partition(":")
    if not colon:
        raise InputError(
            f"there is no network '{name}'; there are {', '.join(ZOO)}, and your own as package.module:function"
        )
    with _found_in(folder):
        try:
            found = getattr(importlib.import_module(module), function, None)
        except ImportError as error:
            raise InputError(
                f"the module {module} cannot be imported ({error}); it is looked for in {folder} first"
            ) from error
    if not callable(found):
        raise InputError(f"the module {module} has no function '{function}'")
    return found  # type: ignore[no-any-return]


@contextmanager
def _found_in(folder: Path) -> Iterator[None]:
    """Modules in `folder` can be imported."""
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))


def _listed(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items()) or "no arguments"
