"""Damaged operations: the verifier refuses them with a sentence, or they are sound after all."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from every_operator import EVERY
from lichen.errors import LichenError, UnsupportedError, VerifyError
from lichen.ir.interpret import Interpreter
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Attribute, Constant, Module, Operation, State, constant
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ir.verify import verify
from native_check import random_input

numbers = st.sampled_from([-(2**31), -129, -7, -1, 0, 1, 2, 3, 5, 127, 40000, 2**31 - 1])
reals = st.sampled_from([math.nan, math.inf, -math.inf, -1e300, -1.5, 0.0, 1e-300, 0.3, 1e30, 1e300])
strange: st.SearchStrategy[Attribute] = st.one_of(
    numbers,
    reals,
    st.booleans(),
    st.sampled_from(["", "relu", "none"]),
    st.lists(numbers, max_size=5).map(tuple),
    st.lists(reals, max_size=3).map(tuple),
)
zeros = st.sampled_from([-128, 0, 5, 127])
tensor_scales = st.sampled_from([1e-300, 1e-38, 1e-10, 1e-5, 0.1, 1 / 256, 1 / 128, 3.0, 1e5, 1e20, 1e38, 1e300])
quantisations = st.one_of(
    st.none(),
    st.builds(Quantisation.per_tensor, tensor_scales, zeros),
    st.lists(tensor_scales, min_size=1, max_size=4).flatmap(
        lambda s: st.builds(Quantisation, st.just(tuple(s)), st.just((0,) * len(s)), st.integers(-1, 4))
    ),
)


def damaged_type(draw: st.DrawFn, type_: TensorType) -> TensorType:
    """Another shape, element type or quantisation, where such a type exists."""
    try:
        match draw(st.integers(0, 3)):
            case 0:
                return replace(type_, shape=tuple(draw(st.lists(st.integers(0, 5), max_size=5))))
            case 1:
                shape = list(type_.shape) or [1]
                shape[draw(st.integers(0, len(shape) - 1))] += draw(st.sampled_from([-1, 1, 3]))
                return replace(type_, shape=tuple(shape))
            case 2:
                return TensorType(type_.shape, draw(st.sampled_from(DType)))
            case _:
                return replace(type_, quantisation=draw(quantisations))
    except VerifyError:
        return type_


@st.composite
def damaged(draw: st.DrawFn, kind: str) -> tuple[Module, Operation]:
    """A module of one operation with one to three things wrong."""
    module = draw(EVERY[kind])
    (operation,) = (op for op in module.infer.operations if op.kind == kind)
    for _ in range(draw(st.integers(1, 3))):
        match draw(st.integers(0, 4)):
            case 0 if operation.attributes:
                key = draw(st.sampled_from(sorted(operation.attributes)))
                operation.attributes[key] = draw(strange)
            case 1 if operation.results:
                value = draw(st.sampled_from(operation.results))
                value.type = damaged_type(draw, value.type)
            case 2 if operation.operands:
                index = draw(st.integers(0, len(operation.operands) - 1))
                damage_operand(draw, module, operation, index)
            case 3:
                operation.operands = draw(st.sampled_from([operation.operands[:-1], operation.operands * 2]))
            case _:
                operation.attributes.pop(draw(st.sampled_from([*sorted(operation.attributes), "none"])), None)
    return module, operation


def damage_operand(draw: st.DrawFn, module: Module, operation: Operation, index: int) -> None:
    """Another type; for a constant with data to match."""
    value = operation.operands[index]
    type_ = damaged_type(draw, value.type)
    if isinstance(value, Constant):
        data = np.zeros(type_.shape, type_.dtype.numpy)
        operation.operands[index] = constant(value.name, data, type_)
    elif not isinstance(value, State):
        value.type = type_


@pytest.mark.parametrize("kind", sorted(EVERY))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_the_verifier_accepts_can_be_computed_and_lowered(kind: str, data: st.DataObject) -> None:
    """No damage ends in anything but a `LichenError`; if the rule holds, interpreter, accesses and lowering agree with it."""
    module, operation = data.draw(damaged(kind))
    try:
        verify(module)
    except LichenError:
        return
    if any(v.type.elements > 1 << 20 for v in module.infer.values()):
        return
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        Interpreter(module).run([random_input(v.type, rng) for v in module.infer.inputs])
    operator(kind).macs(operation)
    operator(kind).accesses(operation)
    if not operator(kind).is_view:
        try:
            call = operator(kind).lower(operation, PLAIN)
        except UnsupportedError:
            return
        assert all(isinstance(v, float) or -(2**31) <= v < 2**31 for v in call.params.values())
