"""Modules of one operator that keeps statistics or classes in state, and Hypothesis strategies for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import strategies as st

import lichen.ops  # noqa: F401  registers the operators
from lichen.ir.module import Array, Attribute, Function, Module, Operation, State, Value
from lichen.ir.types import DType, TensorType
from lichen.ir.verify import verify
from ops_oracle import f32


def i32(*shape: int) -> TensorType:
    """An int32 type."""
    return TensorType(shape, DType.INT32)


def with_state(
    kind: str,
    operands: Sequence[TensorType | Array],
    results: Sequence[TensorType],
    attributes: Mapping[str, Attribute] | None = None,
) -> Module:
    """A verified module of one operation, which returns its results and then all state as the operation leaves it.

    Operands given as arrays become state, with the array as its initial value; the others become inputs.
    """
    values: list[Value] = []
    for index, operand in enumerate(operands):
        if isinstance(operand, TensorType):
            values.append(Value(f"x{index}", operand))
        else:
            values.append(State(f"s{index}", TensorType(operand.shape, DType.of(operand.dtype)), operand))
    outputs = [Value(f"y{index}", type_) for index, type_ in enumerate(results)]
    operations = [Operation(kind, values, outputs, dict(attributes or {}))]
    for value in values:
        if isinstance(value, State):
            outputs = [*outputs, Value(f"{value.name}_after", value.type)]
            operations.append(Operation("read_state", [value], outputs[-1:]))
    inputs = [value for value in values if not isinstance(value, State)]
    module = Module("one", {"infer": Function("infer", inputs, operations, outputs)})
    verify(module)
    return module


def zeros(*shape: int) -> Array:
    """The initial value of a float32 state."""
    return np.zeros(shape, np.float32)


def counts(*shape: int) -> Array:
    """The initial value of an int32 state."""
    return np.zeros(shape, np.int32)


def class_map(*labels: int, capacity: int = 0) -> Array:
    """The state of a class map with these labels, and free neurons up to `capacity`."""
    return np.array([*labels, *[-1] * (capacity - len(labels))], np.int32)


def standardise(*shape: int, forgetting: float = 0.0) -> Module:
    """A standardiser that has seen nothing; it returns the scores, then count, mean, variance and what is lost."""
    state = [counts(1), zeros(*shape), zeros(*shape), zeros(2, *shape)]
    return with_state("standardise", [f32(*shape), *state], [f32(*shape)], {"forgetting": forgetting})


def standard_score(mean: Array, variance: Array) -> Module:
    """Scores by given statistics."""
    return with_state("standard_score", [f32(*mean.shape), mean, variance], [f32(*mean.shape)])


def track_error(*shape: int, forgetting: float = 0.0) -> Module:
    """Errors of predictions (the first input) of a shape; it returns errors and count."""
    return with_state("track_error", [zeros(2, 2), counts(1), f32(*shape), f32(*shape)], [], {"forgetting": forgetting})


def page_hinkley(*shape: int, **settings: Attribute) -> Module:
    """A detector that has seen nothing, with river's settings unless others are given; it returns flags, counts and sums."""
    attributes = {"min_instances": 30, "delta": 0.005, "threshold": 50.0, "alpha": 1 - 0.0001} | settings
    return with_state("page_hinkley", [f32(*shape), counts(*shape), zeros(6, *shape)], [i32(*shape)], attributes)


def learning_gate(detectors: int, min_instances: int = 5, good_enough: float = 0.1, forgetting: float = 0.0) -> Module:
    """A gate that learns; it returns whether to, the loss to learn from, then count, mean and whether it sleeps."""
    return with_state(
        "learning_gate",
        [f32(1), i32(detectors), counts(1), zeros(2), counts(1)],
        [i32(1), f32(1)],
        {"min_instances": min_instances, "good_enough": good_enough, "forgetting": forgetting},
    )


def assign_class(labels: Array) -> Module:
    """A class map; it returns the neuron, then the map."""
    return with_state("assign_class", [i32(1), labels], [i32(1)])


def label_of(labels: Array) -> Module:
    """A class map, asked for a neuron's label."""
    return with_state("label_of", [i32(1), labels], [i32(1)])


def best_class(*shape: int) -> Module:
    """The class of scores of a shape."""
    return with_state("best_class", [f32(*shape)], [i32(1)])


def mask_classes(labels: Array, *shape: int, fill: float = -1e30) -> Module:
    """A mask of values of a shape."""
    return with_state("mask_classes", [f32(*shape), labels], [f32(*shape)], {"fill": fill})


def count_confusion(classes: int) -> Module:
    """An empty confusion matrix; it takes the true class and the predicted one and returns the matrix."""
    return with_state("count_confusion", [counts(classes, classes), i32(1), i32(1)], [])


_shapes = st.sampled_from([(1,), (5,), (1, 4), (2, 1, 3)])
_forgetting = st.sampled_from([0.0, 0.01, 0.5])
_maps = st.lists(st.integers(0, 9), max_size=4, unique=True).map(lambda labels: class_map(*labels, capacity=4))

STRATEGIES: dict[str, st.SearchStrategy[Module]] = {
    "standardise": st.builds(lambda shape, f: standardise(*shape, forgetting=f), _shapes, _forgetting),
    "standard_score": _shapes.map(
        lambda shape: standard_score(zeros(*shape) + 1, np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
    ),
    "track_error": st.builds(lambda shape, f: track_error(*shape, forgetting=f), _shapes, _forgetting),
    "page_hinkley": st.builds(
        lambda shape, least, threshold: page_hinkley(*shape, min_instances=least, threshold=threshold),
        _shapes,
        st.integers(1, 3),
        st.sampled_from([0.5, 50.0]),
    ),
    "learning_gate": st.builds(
        lambda detectors, good_enough, f: learning_gate(detectors, 2, good_enough, f),
        st.integers(1, 3),
        st.sampled_from([0.0, 1.0]),
        _forgetting,
    ),
    "assign_class": _maps.map(assign_class),
    "label_of": _maps.map(label_of),
    "best_class": _shapes.map(lambda shape: best_class(*shape)),
    "mask_classes": st.builds(
        lambda labels, shape: mask_classes(labels, *shape), _maps, st.sampled_from([(4,), (1, 4)])
    ),
    "count_confusion": st.integers(1, 4).map(count_confusion),
}
"""By the kind of the operator."""
