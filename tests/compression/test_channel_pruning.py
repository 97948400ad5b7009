"""Structured pruning: what goes hangs together and matters least, targets are kept, the impossible is refused."""

from __future__ import annotations

import copy
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lichen.compression.channel_pruning import ChannelPruner, ImpossibleTargetError, prune_to, require_reachable
from lichen.errors import InputError
from lichen.nn.notation import parse
from lichen.nn.residual import Residual
from lichen.nn.stored_weights import take_weights
from lichen.nn.zoo import untrained
from torch_nets import Net, randomise

IMAGE = torch.zeros(1, 3, 8, 8)


def residual_net(seed: int = 0) -> nn.Module:
    return randomise(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), Residual(8, 8), Residual(8, 12, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5),
        ),
        seed,
    )  # fmt: skip


def widths(model: nn.Module) -> list[int]:
    return [m.weight.shape[0] for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 100), st.integers(0, 40), st.sampled_from([1, 2, 4]))
def test_any_number_of_channels_can_go(seed: int, count: int, multiple: int) -> None:
    """A residual network and one of depthwise layers work without any number of channels; the result keeps its shape, layers are multiples, the original is as it was."""
    nets = residual_net(seed), untrained(parse("k3s2c8 16k3c8r 16k3s2c12"), 8, 5, seed)
    for model in nets:
        before = copy.deepcopy(model.state_dict())
        pruner = ChannelPruner(model, IMAGE, multiple)
        pruned = pruner.without(min(count, pruner.most))
        assert pruned(IMAGE).shape == (1, 5)
        assert all(width % multiple == 0 and width >= 1 for width in widths(pruned)[:-1])
        assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
        if count >= pruner.most:
            assert min(widths(pruned)[:-1]) == max(widths(pruned)[:-1]) == multiple


def test_channels_that_do_nothing_go_first() -> None:
    """Channels with zero weights on every side are taken before any other, and the function stays the same."""
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Flatten(), nn.Linear(64, 5))
    randomise(model)
    with torch.no_grad():
        for channel in (1, 4):
            model[0].weight[channel] = model[0].bias[channel] = 0.0
            model[2].weight[:, channel] = 0.0
    pruned = ChannelPruner(model, IMAGE).without(2)
    assert widths(pruned) == [4, 4, 5]
    x = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pruned(x), model(x))


def test_more_channels_are_never_fewer() -> None:
    """Each further channel is taken beside those before it: widths only fall, and MACs with them."""
    pruner = ChannelPruner(residual_net(), IMAGE)
    seen = [widths(pruner.without(count)) for count in range(pruner.most + 1)]
    for wide, narrow in pairwise(seen):
        assert sum(wide) > sum(narrow) and all(a >= b for a, b in zip(wide, narrow, strict=True))
    assert seen[0] == widths(residual_net())


def parameters(model: nn.Module) -> int:
    """Something that pruning makes less of, and that is counted at once."""
    return sum(p.numel() for p in model.parameters())


@settings(deadline=None, max_examples=15)
@given(st.floats(0.05, 1.0), st.floats(0.5, 1.0))
def test_targets_are_kept_and_not_by_far(flash: float, ram: float) -> None:
    """All limits are kept, and with one channel more one of them would not be; what is within its limits is left alone."""
    model = residual_net()
    measures = {"flash": parameters, "ram": lambda m: max(widths(m))}
    limits = {"flash": int(flash * parameters(model)), "ram": int(ram * 12)}
    pruned = prune_to(model, IMAGE, limits, measures)
    assert all(measures[key](pruned) <= limit for key, limit in limits.items())
    pruner = ChannelPruner(model, IMAGE)
    count = next(n for n in range(pruner.most + 1) if widths(pruner.without(n)) == widths(pruned))
    if count:
        assert any(measures[key](pruner.without(count - 1)) > limit for key, limit in limits.items())
    else:
        assert flash == 1.0 and ram == 1.0


def test_the_impossible_names_what_is_possible() -> None:
    """A target below what is left when each layer has one channel is refused, with that figure, which can be had."""
    measures = {"flash": parameters}
    with pytest.raises(
        ImpossibleTargetError, match="no pruning brings the network to 10 bytes of flash; the smallest it can reach is"
    ) as caught:
        require_reachable(residual_net(), IMAGE, {"flash": 10}, measures)
    smallest = caught.value.smallest
    assert parameters(prune_to(residual_net(), IMAGE, {"flash": smallest}, measures)) == smallest


def test_what_cannot_be_pruned_stays() -> None:
    """Channels whose number the code writes out are not touched; where nothing else is, that is said."""
    fixed = Net(
        lambda x, f, g: g(f(x).view(-1, 4, 4, 3, 6).mean((1, 2, 3, 4), keepdim=False)[:, None]),
        nn.Conv2d(3, 8, 3),
        nn.Linear(1, 5),
    )
    with pytest.raises(InputError, match="no channel that could be pruned"):
        ChannelPruner(randomise(fixed), IMAGE)


def test_pruned_weights_find_back_into_the_code() -> None:
    """The network of the original code takes the weights of a pruned one and computes the same, depthwise layers included."""
    model = untrained(parse("k3s2c8 16k3c8r 16k3s2c12"), 8, 5)
    pruned = ChannelPruner(model, IMAGE).without(12)
    again = take_weights(untrained(parse("k3s2c8 16k3c8r 16k3s2c12"), 8, 5, seed=1), pruned.state_dict())
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(x), pruned(x))
    assert [m.groups for m in again.modules() if isinstance(m, nn.Conv2d)] == [
        m.groups for m in pruned.modules() if isinstance(m, nn.Conv2d)
    ]
