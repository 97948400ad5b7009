"""The verifier: what every pass may rely on, and must leave behind."""

from __future__ import annotations

import re

import numpy as np

from lichen.errors import LichenError, VerifyError
from lichen.ir.module import Attribute, Constant, Function, Module, Operation, State, Value
from lichen.ir.operator import operator

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def verify(module: Module) -> None:
    """Raises `VerifyError` naming the operation unless the module is well formed.

    Values are defined once and before use, names are unique identifiers, data matches its type, and every operation obeys the
    type rule of its operator.
    """
    _require_name(module.name, "module")
    globals_: dict[str, Value] = {}
    tensors = [(v, v.data) for v in module.constants()] + [(v, v.initial) for v in module.states()]
    for value, data in tensors:
        _require_name(value.name, value.symbol)
        if globals_.setdefault(value.symbol, value) is not value:
            raise VerifyError(f"{value.symbol} names two different tensors")
        if data.shape != value.type.shape or data.dtype != value.type.dtype.numpy:
            raise VerifyError(f"{value.symbol} is of {data.dtype} {list(data.shape)} but its type says otherwise")
        if value.type.dtype.is_float and not np.isfinite(data).all():
            raise VerifyError(f"{value.symbol} holds a value that is not a finite number")
    for function in module.functions.values():
        _verify_function(function)


def _verify_function(function: Function) -> None:
    _require_name(function.name, "function")
    defined: set[int] = set()
    names: set[str] = set()

    def define(value: Value, where: str) -> None:
        _require_name(value.name, where)
        if isinstance(value, Constant | State) or id(value) in defined or value.name in names:
            raise VerifyError(f"{where}: {value.symbol} is defined twice")
        defined.add(id(value))
        names.add(value.name)

    for value in function.inputs:
        define(value, f"inputs of {function.name}")
    for op in function.operations:
        where = f"{op.kind} '{op.name}'" if op.results or op.operands else op.kind
        for value in op.operands:
            if not isinstance(value, Constant | State) and id(value) not in defined:
                raise VerifyError(f"{where}: {value.symbol} is used before it is defined")
        verify_operation(op, where)
        for value in op.results:
            define(value, where)
    if not function.outputs:
        raise VerifyError(f"function {function.name} returns nothing")
    for value in function.outputs:
        if id(value) not in defined:
            raise VerifyError(f"output {value.symbol} of {function.name} is not computed by it")


def verify_operation(op: Operation, where: str) -> None:
    """Raises `VerifyError` that begins with `where` unless one operation obeys its operator; names are left to `verify`."""
    rule = operator(op.kind)
    fewest, most = rule.operands
    if not fewest <= len(op.operands) <= most:
        raise VerifyError(f"{where}: {len(op.operands)} operands where {fewest} to {most} are expected")
    if rule.results is not None and len(op.results) != rule.results:
        raise VerifyError(f"{where}: {len(op.results)} results where {rule.results} are expected")
    if set(op.attributes) != set(rule.attributes):
        wrong = ", ".join(sorted(set(op.attributes) ^ set(rule.attributes)))
        raise VerifyError(f"{where}: attributes missing or unknown: {wrong}")
    for key, expected in rule.attributes.items():
        if not _is_of(op.attributes[key], expected):
            raise VerifyError(f"{where}: attribute {key} is not of type {expected.__name__}")
    for index, value in enumerate(op.operands):
        if index in rule.updates and not isinstance(value, State):
            raise VerifyError(f"{where}: {value.symbol} is to be changed, but is not state")
        if isinstance(value, State) and index not in rule.updates | rule.reads_state:
            raise VerifyError(
                f"{where}: {value.symbol} is state, which {op.kind} cannot read; read it by read_state first"
            )
    try:
        rule.check(op)
    except LichenError as error:
        raise VerifyError(f"{where}: {error}") from error


def _is_of(value: Attribute, expected: type) -> bool:
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if expected is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if expected is tuple:  # every operator's tuples are of integers
        return isinstance(value, tuple) and all(_is_of(item, int) for item in value)
    return isinstance(value, expected)


def _require_name(name: str, where: str) -> None:
    if not _NAME.match(name):
        raise VerifyError(
            f"{where}: '{name}' is not a name (letters, digits and underscores, not starting with a digit)"
        )
