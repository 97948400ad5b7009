"""Makes int8 operators of float operators that stand between `dequantize` and `quantize`, as PT2E programs have them.

How this works inside: quantisation is first moved past operators that only move elements, and activations are fused, so that
what belongs together is adjacent. Then each float operation whose operands come from `dequantize` and whose result goes into
`quantize` is replaced by its int8 counterpart. Last, inputs that are quantised at once and outputs that were dequantised at the end
change their type to int8, and so does state.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from lichen.ir.module import Constant, Function, Module, Namer, Operation, State, Value
from lichen.ir.operator import operator
from lichen.ir.types import TensorType
from lichen.ir.verify import verify
from lichen.passes.dead_code import dead_code
from lichen.passes.fuse_activation import fuse_activation
from lichen.passes.int8_operation import KINDS, Int8Names, int8_operations
from lichen.passes.move_quantisation import move_quantisation

_CONVERSIONS = ("quantize", "dequantize")


def integerize(module: Module) -> list[str]:
    """Rewrites `module` in place. Returns the names of operations that stay in floating point, in order.

    int8 results differ from those of the float graph by at most a step of their scale in each operator: biases become int32, and
    requantisation is in fixed point. A module without a single `quantize` is a float model: nothing is done and nothing reported.
    """
    if not any(op.kind == "quantize" for f in module.functions.values() for op in f.operations):
        return []
    fuse_activation(module)
    move_quantisation(module)
    left: list[str] = []
    constants = Namer(_shared_constants(module))
    for function in module.functions.values():
        names = Int8Names(Namer(v.name for v in function.values()), constants)
        for op in list(function.operations):
            _replace(function, op, names)
        for state in module.states():
            _integerize_state(function, state)
        _integerize_interface(function)
    dead_code(module)
    for function in module.functions.values():
        left += [op.name for op in function.operations if _is_float(op)]
    verify(module)
    return left


def _replace(function: Function, op: Operation, names: Int8Names) -> None:
    """Replaces `op` and the `quantize` behind it by int8 operations, if it has what it takes."""
    if op.kind not in KINDS or len(op.results) != 1 or not op.results[0].type.dtype.is_float:
        return
    wanted = _quantised_as(function, op.results[0])
    stored = [_stored(function, operand) for operand in op.operands]
    known = all(s is not None or isinstance(v, Constant) for s, v in zip(stored, op.operands, strict=True))
    if wanted is None or not known:
        return
    operations = int8_operations(op, stored, wanted, names)
    if operations is None:
        return
    for user in function.consumers(op.results[0]):
        function.replace_uses(user.results[0], operations[-1].results[0])
        function.operations.remove(user)
    position = function.operations.index(op)
    function.operations[position : position + 1] = operations


def _quantised_as(function: Function, value: Value) -> TensorType | None:
    """The int8 type that every user of a float value wants it in, if they agree and there is no other use."""
    users = function.consumers(value)
    types = {user.results[0].type for user in users if user.kind == "quantize"}
    if function.is_output(value) or len(types) != 1 or any(user.kind != "quantize" for user in users):
        return None
    return types.pop()


def _stored(function: Function, value: Value) -> Value | None:
    """The int8 value that a float value was dequantised from."""
    source = function.producer(value)
    return source.operands[0] if source is not None and source.kind == "dequantize" else None


def _integerize_interface(function: Function) -> None:
    """Inputs that are only quantised become int8, outputs that were dequantised are returned as they were before."""
    for index, value in enumerate(function.inputs):
        type_ = _quantised_as(function, value) if value.type.dtype.is_float else None
        if type_ is None:
            continue
        stored = Value(value.name, type_)
        for user in function.consumers(value):
            function.replace_uses(user.results[0], stored)
            function.operations.remove(user)
        function.inputs[index] = stored
    function.outputs = [_stored(function, value) or value for value in function.outputs]


def _integerize_state(function: Function, state: State) -> None:
    """State that is only ever read to be quantised, and written with such values dequantised, is kept in int8."""
    reads = [op for op in function.consumers(state) if op.kind == "read_state"]
    writes = [op for op in function.consumers(state) if op.kind == "write_state"]
    types = {_quantised_as(function, op.results[0]) for op in reads}
    sources = [_stored(function, op.operands[1]) for op in writes]
    type_ = types.pop() if len(types) == 1 else None
    if type_ is None or not all(source is not None and source.type == type_ for source in sources):
        return
    conversion = Operation("quantize", [state], [Value(state.name, type_)])
    (initial,) = operator("quantize").evaluate(conversion, state.initial)
    state.type, state.initial = type_, np.ascontiguousarray(initial)
    for op in reads:
        stored = Value(op.results[0].name, type_)
        for user in function.consumers(op.results[0]):
            function.replace_uses(user.results[0], stored)
            function.operations.remove(user)
        op.results = [stored]
    for op, source in zip(writes, sources, strict=True):
        assert source is not None
        op.operands[1] = source


def _shared_constants(module: Module) -> list[str]:
    """Names that may stay in use: a constant of several operations may be replaced in some of them only."""
    users = Counter(v.name for f in module.functions.values() for op in f.operations for v in op.operands)
    return [constant.name for constant in module.constants() if users[constant.name] > 1]


def _is_float(op: Operation) -> bool:
    if op.kind in _CONVERSIONS:
        return False
    return any(value.type.dtype.is_float for value in (*op.results, *op.operands))
