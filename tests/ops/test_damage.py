"""Damaged operations: whatever is changed in types, constants and attributes, the verifier refuses it or the operation still works."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lichen.errors import LichenError
from lichen.ir.interpret import Interpreter
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Constant, Function, Module, Operation, State, Value
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ir.verify import verify
from native_check import random_input
from online_strategies import STRATEGIES
from strategies import (
    conv2d_modules,
    dense_modules,
    depthwise_modules,
    mean_modules,
    pad_modules,
    pool_modules,
    resize_modules,
)

modules = st.sampled_from(["int8", "float32"]).flatmap(
    lambda dtype: st.one_of(
        conv2d_modules(dtype),
        depthwise_modules(dtype),
        dense_modules(dtype),
        pool_modules("avg_pool2d", dtype),
        pool_modules("max_pool2d", dtype),
        pad_modules(dtype),
        resize_modules(dtype),
        mean_modules(dtype),
    )
) | st.one_of(*STRATEGIES.values())
MUTATIONS = 20  # of each module
LARGEST = 10**5  # elements of a tensor that is still computed


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(modules, st.randoms(use_true_random=False))
def test_damage_is_refused_or_harmless(module: Module, random: Random) -> None:
    """No exception but ours, from verifying to evaluating; what passes has accesses inside its tensors."""
    for _ in range(MUTATIONS):
        damaged = damage(module.infer.operations[0], random)
        (operation,) = damaged.infer.operations
        rule = operator(operation.kind)
        try:
            verify(damaged)
            rule.lower(operation, PLAIN)
        except LichenError:
            continue
        if max(v.type.elements for v in (*operation.operands, *operation.results)) > LARGEST:
            continue
        accesses = rule.accesses(operation)
        for accessed, tensors in ((accesses.reads, operation.operands), (accesses.writes, operation.results)):
            for index, intervals in accessed.items():
                assert 0 <= intervals.min() <= intervals.max() <= tensors[index].type.bytes
        rng = np.random.default_rng(0)
        with np.errstate(all="ignore"):
            Interpreter(damaged).run([random_input(v.type, rng) for v in damaged.infer.inputs])


def damage(operation: Operation, random: Random) -> Module:
    """A module of the operation with some of its types, biases and attributes changed."""
    operands: list[Value] = []
    for value in operation.operands:
        type_ = damaged_type(value.type, random) if random.random() < 0.3 else value.type
        if isinstance(value, Constant):
            data = np.resize(value.data, type_.shape).astype(type_.dtype.numpy)
            if type_.dtype is DType.INT32 and random.random() < 0.2:
                data = np.full_like(data, random.choice([2**31 - 1, -(2**31)]))
            operands.append(Constant(value.name, type_, data))
        elif isinstance(value, State):
            operands.append(State(value.name, type_, np.resize(value.initial, type_.shape).astype(type_.dtype.numpy)))
        else:
            operands.append(Value(value.name, type_))
    results = [
        Value(v.name, damaged_type(v.type, random) if random.random() < 0.4 else v.type) for v in operation.results
    ]
    attributes = {
        k: damaged_attribute(v, random) if random.random() < 0.3 else v for k, v in operation.attributes.items()
    }
    inputs = [v for v in operands if not isinstance(v, Constant | State)]
    damaged = Operation(operation.kind, operands, results, attributes)
    return Module("m", {"infer": Function("infer", inputs, [damaged], results or inputs)})


def damaged_type(type_: TensorType, random: Random) -> TensorType:
    shape, dtype, q = list(type_.shape), type_.dtype, type_.quantisation
    change = random.randrange(5)
    if change == 0 and shape:
        axis = random.randrange(len(shape))
        shape[axis] = random.choice([1, 2, shape[axis] + 1, 255, 70000])
    elif change == 1:
        shape = shape[1:] if random.random() < 0.5 else [*shape, 1]
    elif change == 2:
        dtype = random.choice(list(DType))
    elif change == 3:
        q = None
    else:
        scale, zero = random.choice([1.2e-38, 1e-30, 1.0, 1e38, 3.4e38]), random.choice([-128, 0, 1, 127])
        q = (
            Quantisation((scale,) * shape[-1], (zero,) * shape[-1], len(shape) - 1)
            if random.random() < 0.3 and shape
            else None
        )
        q = q or Quantisation.per_tensor(scale, zero)
    try:
        return TensorType(tuple(shape), dtype, q)
    except LichenError:
        return type_


def damaged_attribute(value: Any, random: Random) -> Any:
    if isinstance(value, tuple):
        changed = list(value)
        if changed:
            changed[random.randrange(len(changed))] = random.choice([-1, 0, 1, 7, 40000, 2**70, 1.5, math.nan, True])
        return tuple(changed[: random.randint(len(changed) - 1, len(changed))] if changed else [1])
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return random.choice([math.nan, math.inf, 1e39, -129.0, 0.5, 3])
    return random.choice(["relu", "bad", ""])
