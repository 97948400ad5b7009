"""Weights that are coded, for tests: random ones, and programs in which each layer is decoded where a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from lichen.backend.program import Program, plan_module
from lichen.coded_weights import Layer, codable_layers
from lichen.coding.weights import Key, Place, Way, code_weights
from lichen.ir.kernel import Core
from lichen.ir.module import Array, Constant, Function, Module, Operation, Value
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.plan.rows import Region


@st.composite
def weights(draw: st.DrawFn, most: int = 500) -> Array:
    """Up to `most` weights, from few zeros to nothing else, of few values or many."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return some_weights(rng, draw(st.integers(1, most)), *draw(st.tuples(SHARES, SPREADS)))


SHARES = st.sampled_from([0.0, 0.02, 0.1, 0.5, 0.9, 1.0])
SPREADS = st.sampled_from([1, 4, 30, 60])


def some_weights(rng: np.random.Generator, count: int, share: float, spread: float) -> Array:
    """Rounded normal weights of so wide a spread, of which about this share is not set to zero."""
    values = np.clip(np.rint(rng.normal(0, spread, count)), -127, 127)
    return np.where(rng.random(count) < share, values, 0).astype(np.int8)


def dense_module(sizes: list[int], share: float, batch: int = 1, spread: float = 20) -> Module:
    """Fully connected int8 layers with so many neurons, of whose weights about this share is not zero; `spread` tells how
    large those are."""
    rng = np.random.default_rng(len(sizes))
    values = [_value("x", (batch, sizes[0]))]
    operations = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        data = some_weights(rng, outputs * inputs, share, spread).reshape(outputs, inputs)
        scales = Quantisation(tuple(float(s) for s in rng.uniform(0.001, 0.01, outputs)), (0,) * outputs, 0)
        weights = Constant(f"w{index}", TensorType(data.shape, DType.INT8, scales), data)
        bias = Constant(
            f"b{index}", TensorType((outputs,), DType.INT32), rng.integers(-500, 500, outputs).astype(np.int32)
        )
        values.append(_value(f"h{index}", (batch, outputs)))
        operands: list[Value] = [values[-2], weights, bias]
        operations.append(Operation("dense", operands, [values[-1]], {"activation": "relu"}))
    return Module("mlp", {"infer": Function("infer", [values[0]], operations, [values[-1]])})


def _value(name: str, shape: tuple[int, ...]) -> Value:
    return Value(name, TensorType(shape, DType.INT8, Quantisation((0.05,), (-3,), None)))


Chosen = Callable[[Layer, Core], Place]
"""Which of its places a layer is decoded at."""


def coded_somewhere(choose: Chosen) -> Callable[[Module, Core, Sequence[Region]], Program]:
    """Plans with all weights coded that can be, each layer decoded where `choose` says."""

    def lowered(module: Module, core: Core, regions: Sequence[Region]) -> Program:
        plain = plan_module(module, core, regions)
        places: dict[Key, Place] = {}
        offset = 0
        for key, layer in codable_layers(plain, core).items():
            place = choose(layer, core)
            if place.way is Way.START:
                place, offset = Place(Way.START, 0, offset), offset + -(-layer.packing.table.nbytes // 4) * 4
            places[key] = place
        steps = [step for planned in plain.functions.values() for step in planned.steps]
        calls = [pair for step in steps for pair in zip(step.operations, step.calls, strict=True)]
        return plan_module(module, core, regions, code_weights(calls, places, core, None))

    return lowered


def anywhere(seed: int) -> Chosen:
    """Any of a layer's places; tiles of any size that its kernel computes."""
    rng = np.random.default_rng(seed)

    def choose(layer: Layer, core: Core) -> Place:
        places = layer.places(core)
        place = places[rng.integers(len(places))]
        if place.way is not Way.TILE:
            return place
        return Place(Way.TILE, layer.channels(float(rng.integers(1, 2 * layer.packing.table.nbytes + 2))))

    return choose
