"""What a recipe works with, loaded and looked at before anything is trained: data, network, teacher, targets."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lichen.compression import toml_lines
from lichen.compression.batch_normalisation import normalised_layers
from lichen.compression.footprint import Resource, footprints
from lichen.compression.network import build_network
from lichen.compression.recipe import DataTable, ModelTable, PruneStage, Recipe, ShareStage, TeacherTable
from lichen.data.digits import shrink
from lichen.data.labelled import KNOWN, Labelled, check_labelled, read_labelled
from lichen.errors import InputError
from lichen.nn.tensors import to_tensor
from lichen.nn.threads import single_threaded


@dataclass(frozen=True)
class Materials:
    """Data and networks of a recipe. `network()` and `teacher()` make new ones each time; `digest` is of all that they begin with."""

    recipe: Recipe
    data: Labelled
    digest: str

    @property
    def example_input(self) -> torch.Tensor:
        """Zeros (1, …) in the shape of a sample, channels first."""
        return torch.zeros_like(to_tensor(self.data.train_x[:1]))

    def network(self) -> nn.Module:
        """The network as the recipe begins with it."""
        return _built(self.recipe, self.recipe.model)

    def teacher(self) -> nn.Module:
        """The teacher as it begins, or trained where the recipe has its weights."""
        assert self.recipe.teacher is not None
        return _built(self.recipe, self.recipe.teacher)

    def limits(self, stage: PruneStage, model: nn.Module) -> dict[Resource, int]:
        """The targets of `stage` for `model`, shares turned into numbers."""
        measures = footprints(self.example_input, self.recipe.board, self.recipe.optimize)
        given: Mapping[Resource, int | float | None] = {"macs": stage.macs, "ram": stage.ram, "flash": stage.flash}
        return {
            resource: int(amount * measures[resource](model)) if amount <= 1 else int(amount)
            for resource, amount in given.items()
            if amount is not None
        }


def gather(recipe: Recipe) -> Materials:
    """Loads the data, builds the networks and tries them on a sample; nothing is trained.

    Raises `InputError` with the recipe's line for data that cannot teach, networks that do not fit the data, weights that are no numbers, normalisations that
    cannot be folded into weights to be shared, and targets that no pruning reaches.
    """
    data = _load(recipe)
    found = Materials(recipe, data, "")
    network = found.network()
    _require_logits(recipe, "model", network, data)
    states = [network.state_dict()]
    if recipe.teacher is not None:
        teacher = found.teacher()
        _require_logits(recipe, "teacher", teacher, data)
        if _logits(teacher, data) != _logits(network, data):
            raise recipe.error(("teacher", "name"), "the teacher has other classes than the network")
        states.append(teacher.state_dict())
    _require_modules(recipe, network, found.teacher() if recipe.teacher is not None else None)
    _require_foldable(found, network)
    _require_reachable(found, network)
    return dataclasses.replace(found, digest=_digest(recipe, data, states))


def digest_of(*parts: object) -> str:
    """SHA-256 of what `json` makes of `parts`; paths count by their names, their contents have to be among the parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_described).encode()).hexdigest()


def _described(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return Path(value).name if isinstance(value, Path) else str(value)


def _load(recipe: Recipe) -> Labelled:
    table = recipe.data
    key = ("data", "file" if table.file is not None else "name")
    try:
        if table.file is not None:
            data = read_labelled(table.file, table.test, recipe.seed)
        else:
            assert table.name is not None
            data = KNOWN[table.name]()
        changed = _changed(data, table)
        check_labelled(changed, str(table.file or table.name))
        return changed
    except InputError as error:
        raise recipe.error(key, error).with_traceback(None) from error


def _changed(data: Labelled, table: DataTable) -> Labelled:
    """Fewer samples, smaller images, other values, as the table wants them."""

    def values(x: np.ndarray[Any, Any]) -> Any:
        if table.shrink > 1:
            if x.ndim != 4:
                raise InputError(f"'shrink' is for images (n, H, W, C), and the samples are {list(x.shape[1:])} each")
            x = shrink(x, table.shrink)
        return x * np.float32(table.scale) + np.float32(table.offset)

    count = table.samples
    return Labelled(values(data.train_x[:count]), data.train_y[:count], values(data.test_x), data.test_y)


def _built(recipe: Recipe, table: ModelTable) -> nn.Module:
    section = "teacher" if isinstance(table, TeacherTable) else "model"
    folder = recipe.source.file.parent if recipe.source else Path()
    try:
        return build_network(table.name, table.arguments, table.weights, recipe.seed, folder)
    except InputError as error:
        key = "weights" if table.weights is not None and str(table.weights) in str(error) else "name"
        raise recipe.error((section, key), error) from error


def _logits(model: nn.Module, data: Labelled) -> torch.Size:
    with single_threaded(), torch.no_grad():
        shape: torch.Size = model.eval()(to_tensor(data.train_x[:2])).shape
    return shape


def _require_logits(recipe: Recipe, section: str, model: nn.Module, data: Labelled) -> None:
    try:
        shape = _logits(model, data)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        first = str(error).splitlines()[0]
        raise recipe.error(
            (section, "name"), f"the network cannot take samples of {list(data.train_x.shape[1:])}: {first}"
        ) from error
    if len(shape) != 2 or shape[0] != 2 or shape[1] < data.classes:
        raise recipe.error(
            (section, "name"),
            f"the network makes {list(shape)} of two samples where {data.classes} logits of each are needed",
        )


def _require_modules(recipe: Recipe, network: nn.Module, teacher: nn.Module | None) -> None:
    """Raises `InputError` for a module that the recipe names and the network, or the teacher, does not have."""
    named: list[tuple[toml_lines.Path, str, nn.Module]] = [
        (("stage", place, "keep_float"), path, network)
        for place, stage in enumerate(recipe.stage)
        for path in getattr(stage, "keep_float", ())
    ]
    if recipe.teacher is not None and teacher is not None:
        for ours, theirs in recipe.teacher.hints:
            named += [(("teacher", "hints"), ours, network), (("teacher", "hints"), theirs, teacher)]
    for key, path, model in named:
        known = [name for name, _ in model.named_modules() if name]
        if path not in known:
            whose = "network" if model is network else "teacher"
            raise recipe.error(key, f"the {whose} has no module '{path}'; it has {', '.join(known)}")


def _require_foldable(materials: Materials, network: nn.Module) -> None:
    """Raises `InputError` for a stage that shares weights into which a normalisation cannot be folded."""
    recipe = materials.recipe
    for place, stage in enumerate(recipe.stage):
        if isinstance(stage, ShareStage):
            try:
                normalised_layers(network, materials.example_input)
            except InputError as error:
                raise recipe.error(("stage", place), error) from error


def _require_reachable(materials: Materials, network: nn.Module) -> None:
    """Raises `InputError` for a target of a stage that cannot be reached; what can be does not depend on training."""
    recipe = materials.recipe
    stages = [(place, stage) for place, stage in enumerate(recipe.stage) if isinstance(stage, PruneStage)]
    if not stages:
        return
    from lichen.compression.channel_pruning import ImpossibleTargetError, require_reachable

    measures = footprints(materials.example_input, recipe.board, recipe.optimize)
    for number, (place, stage) in enumerate(stages):
        limits = materials.limits(stage, network)
        if number > 0:  # shares are of what earlier stages leave
            limits = {key: limit for key, limit in limits.items() if getattr(stage, key) > 1}
        try:
            require_reachable(network, materials.example_input, limits, measures, stage.multiple)
        except ImpossibleTargetError as error:
            raise recipe.error(
                ("stage", place, error.resource), f"{error}; ask for no less than that, or begin with another network"
            ) from error
        except InputError as error:
            raise recipe.error(("stage", place), error) from error


def _digest(recipe: Recipe, data: Labelled, states: list[dict[str, torch.Tensor]]) -> str:
    networks = hashlib.sha256()
    for state in states:
        for name, tensor in state.items():
            networks.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
            networks.update(tensor.contiguous().numpy().tobytes())
    return digest_of(data.digest, networks.hexdigest())
