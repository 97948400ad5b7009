"""What is trainable, as it is written on the command line."""

from __future__ import annotations

from dataclasses import dataclass

from lichen.errors import InputError

_FORMS = "all, biases, last:K or head:classes=N[,inputs=TENSOR+TENSOR…]"


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


Choice = All | Biases | Last | Head


def parse_choice(text: str) -> Choice:
    """`all`, `biases`, `last:2`, `head:classes=8,inputs=embedding+error`. Raises `InputError` for anything else."""
    kind, _, rest = text.partition(":")
    if kind == "all" and not rest:
        return All()
    if kind == "biases" and not rest:
        return Biases()
    if kind == "last":
        return Last(_count(text, rest))
    if kind == "head":
        fields = dict(part.partition("=")[::2] for part in rest.split(","))
        classes, inputs = fields.pop("classes", ""), fields.pop("inputs", "")
        if not fields:
            return Head(_count(text, classes), tuple(filter(None, inputs.split("+"))))
    raise InputError(f"'{text}' does not say what is to be learned; write {_FORMS}")


def _count(text: str, digits: str) -> int:
    if not digits.isascii() or not digits.isdigit() or not 1 <= len(digits) <= 6 or int(digits) < 1:
        raise InputError(f"'{text}' lacks a number from 1; write {_FORMS}")
    return int(digits)
