"""The registry of rules: for each built-in operator of TensorFlow Lite, what it becomes in our graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lichen.errors import InputError, VerifyError
from lichen.frontends.tflite.graph import Graph
from lichen.frontends.tflite.node import Node
from lichen.frontends.tflite.schema import OperatorRecord


@dataclass(frozen=True)
class Rule:
    """How to import one built-in operator.

    `options` names its table of options, which may be absent; `newest` is the latest version of the operator whose meaning is
    known; `inputs` and `outputs` are the fewest and most.
    """

    run: Callable[[Node], None]
    options: str
    newest: int
    inputs: tuple[int, int]
    outputs: tuple[int, int]


_RULES: dict[str, Rule] = {}

MANY = 1 << 16


def rule(
    builtin: str,
    options: str = "",
    newest: int = 1,
    inputs: tuple[int, int] = (1, 1),
    outputs: tuple[int, int] = (1, 1),
) -> Callable[[Callable[[Node], None]], Callable[[Node], None]]:
    """Decorator of the function that imports `builtin`; the arguments are those of `Rule`."""

    def decorate(run: Callable[[Node], None]) -> Callable[[Node], None]:
        assert builtin not in _RULES
        _RULES[builtin] = Rule(run, options, newest, inputs, outputs)
        return run

    return decorate


def supported_operators() -> list[str]:
    """The names of the built-in operators that can be imported, sorted."""
    return sorted(_RULES)


def import_operator(record: OperatorRecord, graph: Graph) -> None:
    """Imports one operator. Raises `UnsupportedError` or `InputError` with its place in the model."""
    node = Node(record, graph)
    found = _RULES.get(record.builtin)
    if found is None:
        node.unsupported("this operator is not supported")
    if not 1 <= record.version <= found.newest:
        node.unsupported(f"version {record.version} of the operator is not supported, up to {found.newest} is")
    _check_options(node, found.options)
    for role, indices, (fewest, most) in (
        ("inputs", record.inputs, found.inputs),
        ("outputs", record.outputs, found.outputs),
    ):
        if not fewest <= len(indices) <= most:
            node.contradiction(f"it has {len(indices)} {role} where {fewest} to {most} are expected")
    try:
        found.run(node)
    except VerifyError as error:  # a type that the rule itself made or asked for a scale
        raise InputError(f"{node.where}: {error}") from error


def _check_options(node: Node, expected: str) -> None:
    record = node.record
    if record.options_type not in ("NONE", expected):
        node.contradiction(f"its options are {record.options_type}, which belong to another operator")
    if record.has_other_options or (record.options is not None and record.options.has_unknown_fields):
        node.unsupported("it has options that are not known; convert the model with an older converter")
