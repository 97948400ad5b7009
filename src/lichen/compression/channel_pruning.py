"""Structured pruning: channels and neurons go, and the network is really smaller.

What hangs together, such as the channels of two layers whose results are added, is found by the dependency graph of Fang et al., "DepGraph"
(arXiv 2301.12900), as the package torch-pruning has it, and goes together. How many go is searched for: as many as it takes until the network
needs no more of a resource than it may.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from lichen.compression.footprint import Resource
from lichen.errors import InputError, MissingToolError
from lichen.nn.quiet import quiet
from lichen.nn.threads import single_threaded

try:
    with quiet():
        import torch_pruning as tp
except ModuleNotFoundError as missing:
    raise MissingToolError(
        f"pruning channels needs the package {missing.name}, which is not installed: pip install 'lichen[compression]'"
    ) from missing

Measure = Callable[[nn.Module], int]


@dataclass(frozen=True)
class _Group:
    """Channels that can be taken one by one: each goes from every layer that has it. Layers by their paths, the least important channel first."""

    root: str
    importance: tuple[float, ...]
    order: tuple[int, ...]


class ChannelPruner:
    """Smaller versions of one network, each without the channels that matter least.

    A channel's importance is the sum of squares of all weights that go with it, in units of the mean of its group (L2 norm, as in the paper). No
    group of channels falls below `multiple`, and what is left of it is a multiple of that; channels of the network's result stay. Raises `InputError` for a
    network that cannot be traced or has no channel to take.
    """

    def __init__(self, model: nn.Module, example_input: torch.Tensor, multiple: int = 1) -> None:
        self._model = copy.deepcopy(model).eval()
        self._example, self._multiple = example_input, multiple
        with single_threaded(), torch.no_grad():
            self._result = self._model(example_input).shape
        self._groups = [group for group in self._find() if len(group.order) > multiple and self._can_lose(group)]
        ranked = [
            (value, number, place)
            for number, group in enumerate(self._groups)
            for place, value in enumerate(sorted(group.importance)[: len(group.order) - multiple])
        ]
        self._ranked = [number for _, number, _ in sorted(ranked)]
        if not self._ranked:
            raise InputError("the network has no channel that could be pruned")

    @property
    def most(self) -> int:
        """How many channels can be taken at most."""
        return len(self._ranked)

    def without(self, count: int) -> nn.Module:
        """A copy of the network without the `count` channels that matter least, in evaluation mode; a few fewer where a multiple wants it."""
        taken = [0] * len(self._groups)
        for number in self._ranked[:count]:
            taken[number] += 1
        pruned = copy.deepcopy(self._model)
        graph = self._graph(pruned)
        for group, wanted in zip(self._groups, taken, strict=True):
            left = -(-(len(group.order) - wanted) // self._multiple) * self._multiple
            going = len(group.order) - left
            if going > 0:
                _take(graph, pruned, group, going)
        return pruned

    def _find(self) -> list[_Group]:
        importance_of = tp.importance.GroupMagnitudeImportance(p=2)
        graph = self._graph(self._model)
        paths = {module: path for path, module in self._model.named_modules()}
        found = []
        with quiet():
            for group in graph.get_all_groups(root_module_types=[nn.Conv1d, nn.Conv2d, nn.Linear]):
                if any(_is_grouped(dep.target.module) for dep, _ in group):
                    continue  # its channels would have to go from all groups alike
                values = importance_of(group)
                if values is not None:
                    order = torch.argsort(values, stable=True).tolist()
                    found.append(_Group(paths[group[0].dep.target.module], tuple(values.tolist()), tuple(order)))
        return found

    def _can_lose(self, group: _Group) -> bool:
        """Whether the network works without a channel of the group, and gives results of the same shape."""
        pruned = copy.deepcopy(self._model)
        try:
            _take(self._graph(pruned), pruned, group, 1)
            with single_threaded(), torch.no_grad():
                return bool(pruned(self._example).shape == self._result)
        except RuntimeError:  # sizes that no longer go together, for instance where `forward` writes them out
            return False

    def _graph(self, model: nn.Module) -> tp.DependencyGraph:
        with quiet(), single_threaded():
            try:
                return tp.DependencyGraph().build_dependency(model, self._example, verbose=False)
            except Exception as error:  # tracing raises whatever the model's code runs into
                raise InputError(f"torch-pruning cannot trace the network: {error}") from error


def _take(graph: tp.DependencyGraph, model: nn.Module, group: _Group, count: int) -> None:
    """Takes the `count` least important channels of the group from `model`, of which `graph` is."""
    root = model.get_submodule(group.root)
    with quiet():
        going = graph.get_pruning_group(
            root, graph.get_pruner_of_module(root).prune_out_channels, list(group.order[:count])
        )
        going.prune()


def prune_to(
    model: nn.Module,
    example_input: torch.Tensor,
    limits: Mapping[Resource, int],
    measures: Mapping[Resource, Measure],
    multiple: int = 1,
) -> nn.Module:
    """`model` without as few channels as it takes to keep within all `limits`; a copy. `example_input` is (1, …).

    Raises `ImpossibleTargetError`, with what can be reached, if no pruning is enough.
    """
    if _exceeded(model, limits, measures) is None:
        return copy.deepcopy(model).eval()
    pruner = ChannelPruner(model, example_input, multiple)
    _require_reachable(pruner, limits, measures)
    enough, too_few = pruner.most, 0
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if _exceeded(pruner.without(middle), limits, measures) is None:
            enough = middle
        else:
            too_few = middle
    return pruner.without(enough)


def require_reachable(
    model: nn.Module,
    example_input: torch.Tensor,
    limits: Mapping[Resource, int],
    measures: Mapping[Resource, Measure],
    multiple: int = 1,
) -> None:
    """Raises `ImpossibleTargetError` if the network does not keep within `limits` when all is pruned that can be; weights do not matter for that."""
    if _exceeded(model, limits, measures) is not None:
        _require_reachable(ChannelPruner(model, example_input, multiple), limits, measures)


class ImpossibleTargetError(InputError):
    """However much is pruned, the network needs more; `smallest` is the least of `resource` that can be reached."""

    def __init__(self, resource: Resource, limit: int, smallest: int) -> None:
        super().__init__(
            f"no pruning brings the network to {limit:,} {_UNITS[resource]}; the smallest it can reach is {smallest:,}"
        )
        self.resource, self.smallest = resource, smallest


_UNITS: Mapping[Resource, str] = {"macs": "MACs", "ram": "bytes of RAM", "flash": "bytes of flash"}


def _require_reachable(
    pruner: ChannelPruner, limits: Mapping[Resource, int], measures: Mapping[Resource, Measure]
) -> None:
    smallest = pruner.without(pruner.most)
    resource = _exceeded(smallest, limits, measures)
    if resource is not None:
        raise ImpossibleTargetError(resource, limits[resource], measures[resource](smallest))


def _exceeded(
    model: nn.Module, limits: Mapping[Resource, int], measures: Mapping[Resource, Measure]
) -> Resource | None:
    """The first resource of which the network needs more than it may."""
    return next((resource for resource, limit in limits.items() if measures[resource](model) > limit), None)


def _is_grouped(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv1d | nn.Conv2d) and 1 < module.groups < module.in_channels
