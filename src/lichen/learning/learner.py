"""From a model that infers to one that learns, by what is said on the command line."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lichen.ir.module import Module
from lichen.learning.choice import OnlineLayer, parse_choice
from lichen.learning.online import make_online
from lichen.learning.trainable import make_trainable
from lichen.passes.gradient_descent import GradientDescent


@dataclass(frozen=True)
class Learning:
    """What is learned on the device (see `parse_choice`), which loss is lowered, and how (see `GradientDescent`)."""

    what: str
    loss: str = "softmax_cross_entropy"
    learning_rate: float = 0.01
    batch: int = 1
    momentum: float = 0.0
    weight_decay: float = 0.0


def make_learner(module: Module, learning: Learning) -> Module:
    """A copy of `module` that learns: a head becomes an online layer, all else trains where it is.

    Raises what `parse_choice`, `make_online`, `make_trainable` and `GradientDescent` raise.
    """
    how = GradientDescent(learning.learning_rate, learning.batch, learning.momentum, learning.weight_decay)
    what = parse_choice(learning.what)
    if isinstance(what, OnlineLayer):
        return make_online(module, replace(what, loss=learning.loss), how)
    return make_trainable(module, what, learning.loss, how)
