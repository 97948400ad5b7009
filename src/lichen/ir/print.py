"""The text form, written. `lichen.ir.parse` reads it back; printing what was read gives the same text."""

from __future__ import annotations

import base64

from lichen.ir.module import Array, Attribute, Function, Module, Operation, Value
from lichen.ir.types import TensorType


def print_module(module: Module) -> str:
    """The whole module as text, constants included."""
    lines = [f"module {module.name} {{"]
    lines += [f"  const {v.symbol} : {print_type(v.type)} = {_data(v.data)}" for v in module.constants()]
    lines += [f"  state {v.symbol} : {print_type(v.type)} = {_data(v.initial)}" for v in module.states()]
    for function in module.functions.values():
        lines += _function(function)
    return "\n".join([*lines, "}"]) + "\n"


def print_type(type_: TensorType) -> str:
    """`i8[1, 4]{scale = 0.5, zero = -128}`; per channel, scales and zeros are tuples and the axis is given."""
    text = f"{type_.dtype.value}[{', '.join(map(str, type_.shape))}]"
    q = type_.quantisation
    if q is None:
        return text
    if q.axis is None:
        return f"{text}{{scale = {_number(q.scale[0])}, zero = {_number(q.zero_point[0])}}}"
    return f"{text}{{scale = {_tuple(q.scale)}, zero = {_tuple(q.zero_point)}, axis = {q.axis}}}"


def print_operation(op: Operation) -> str:
    """One line, without indentation."""
    results = f"{', '.join(v.symbol for v in op.results)} = " if op.results else ""
    operands = ", ".join(v.symbol for v in op.operands)
    attributes = ", ".join(f"{key} = {_attribute(value)}" for key, value in sorted(op.attributes.items()))
    types = f" : {', '.join(print_type(v.type) for v in op.results)}" if op.results else ""
    return f"{results}{op.kind}({operands}){f' {{{attributes}}}' if attributes else ''}{types}"


def _function(function: Function) -> list[str]:
    def typed(value: Value) -> str:
        return f"{value.symbol} : {print_type(value.type)}"

    return [
        f"  func {function.name}({', '.join(map(typed, function.inputs))}) {{",
        *(f"    {print_operation(op)}" for op in function.operations),
        f"    return {', '.join(v.symbol for v in function.outputs)}",
        "  }",
    ]


def _attribute(value: Attribute) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    return _tuple(value) if isinstance(value, tuple) else _number(value)


def _tuple(values: tuple[int, ...] | tuple[float, ...]) -> str:
    return f"({', '.join(map(_number, values))})"


def _number(value: int | float) -> str:
    """As Python writes it, also if it is one of NumPy's: those say of what type they are."""
    return repr(float(value)) if isinstance(value, float) else str(int(value))


def _data(array: Array) -> str:
    """Constant data: a splat if all elements are the same bytes, else base64 of the little-endian bytes."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    raw = little.tobytes()
    first = raw[: array.dtype.itemsize]
    if len(raw) > len(first) and raw == first * array.size:
        return f'splat "{base64.b64encode(first).decode()}"'
    return f'"{base64.b64encode(raw).decode()}"'
