"""What is trainable, as it is written on the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lichen.errors import InputError

_FORMS = "all, biases, last:K or head:classes=N[,inputs=TENSOR+…][,labels=LABEL+…][,forgetting=W][,good_enough=LOSS]"


@dataclass(frozen=True)
class All:
    """Weights and biases of every layer."""


@dataclass(frozen=True)
class Biases:
    """The biases of every layer; weights stay in flash."""


@dataclass(frozen=True)
class Last:
    """Weights and biases of the last `layers` layers with weights."""

    layers: int


@dataclass(frozen=True)
class Head:
    """A new dense layer with `classes` outputs on the tensors called `inputs`, or on what goes into the model's last layer."""

    classes: int
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sleep:
    """Learn until the running mean of the loss is `good_enough`; wake when loss or features drift.

    The mean takes `min_instances` samples at least, and the newest weighs no less than `forgetting`. `loss_drift` and `feature_drift`
    are thresholds of Page-Hinkley tests, of the loss in its own unit and of the features in standard deviations.
    """

    good_enough: float
    min_instances: int = 30
    forgetting: float = 0.01
    loss_drift: float = 10.0
    feature_drift: float = 50.0


@dataclass(frozen=True)
class OnlineLayer:
    """A head with `head.classes` outputs: with the softmax cross-entropy, room for so many classes, of which `labels` are known.

    `forgetting` is the least weight of the newest sample in the statistics of the features, 0 for plain means. With `sleep` the layer
    learns only when it must.
    """

    head: Head
    loss: str = "softmax_cross_entropy"
    labels: tuple[int, ...] = ()
    forgetting: float = 0.0
    sleep: Sleep | None = None


Choice = All | Biases | Last | Head


def parse_choice(text: str) -> All | Biases | Last | OnlineLayer:
    """`all`, `biases`, `last:2`, `head:classes=8,inputs=embedding+error`. Raises `InputError` for anything else.

    A head is that of an online layer: `labels=0+3` are the classes it begins with, `forgetting=0.01` is the least weight of the newest
    sample in its statistics, `good_enough=0.1` the loss at which it stops learning until something drifts.
    """
    kind, _, rest = text.partition(":")
    if kind == "all" and not rest:
        return All()
    if kind == "biases" and not rest:
        return Biases()
    if kind == "last":
        return Last(_count(text, rest))
    if kind == "head":
        fields = dict(part.partition("=")[::2] for part in rest.split(","))
        classes, inputs, labels = (fields.pop(name, "") for name in ("classes", "inputs", "labels"))
        forgetting, good_enough = fields.pop("forgetting", "0"), fields.pop("good_enough", None)
        if not fields:
            return OnlineLayer(
                Head(_count(text, classes), tuple(filter(None, inputs.split("+")))),
                labels=tuple(_count(text, label, least=0) for label in filter(None, labels.split("+"))),
                forgetting=_number(text, forgetting),
                sleep=None if good_enough is None else Sleep(_number(text, good_enough)),
            )
    raise InputError(f"'{text}' does not say what is to be learned; write {_FORMS}")


def _count(text: str, digits: str, least: int = 1) -> int:
    if not digits.isascii() or not digits.isdigit() or not 1 <= len(digits) <= 6 or int(digits) < least:
        raise InputError(f"'{text}' lacks a number from {least}; write {_FORMS}")
    return int(digits)


def _number(text: str, number: str) -> float:
    try:
        found = float(number)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"'{number}' in '{text}' is not a number; write {_FORMS}")
    return found
