"""Classes that appear in the field, in a head whose capacity is reserved at compile time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lichen.errors import InputError
from lichen.ir.module import Function, Value
from lichen.ir.types import DType, TensorType
from lichen.learning.append import compute, state
from lichen.ops.class_map import NO_SCORE, NONE

_INDEX = TensorType((1,), DType.INT32)


class ClassMap:
    """Which label each of `capacity` neurons stands for; the functions of a module share it.

    A new class starts from a neuron of zeros. Softmax does not notice what is added to all logits alike, and the gradient of its
    cross-entropy sums to zero over the classes that exist: in a head that began with zeros the neurons go on adding up to zero, so the
    logit of a neuron of zeros is the mean of the others', and favours nobody.

    `labels` are those of the first neurons, known before the device learns. Raises `InputError` for labels that are no labels, are not
    different or do not fit.
    """

    def __init__(self, name: str, capacity: int, labels: Sequence[int] = ()) -> None:
        if len(labels) > capacity:
            raise InputError(f"{len(labels)} classes do not fit a head with room for {capacity}")
        if len(set(labels)) < len(labels) or not all(0 <= label < 2**31 for label in labels):
            raise InputError(f"labels {list(labels)} must be different numbers from 0 to {2**31 - 1}")
        self.name = name
        self.labels = state(f"{name}_labels", np.array([*labels, *[NONE] * (capacity - len(labels))], np.int32))

    def mask(self, function: Function, logits: Value) -> Value:
        """The logits, those of free neurons so low that softmax makes them 0."""
        results = {f"{self.name}_masked": logits.type}
        return compute(function, "mask_classes", (logits, self.labels), results, fill=NO_SCORE)[0]

    def assign(self, function: Function, label: Value) -> Value:
        """The neuron of a label, which a new label gets now; negative where it is refused (see the operator `assign_class`)."""
        return compute(function, "assign_class", (label, self.labels), {f"{self.name}_neuron": _INDEX})[0]

    def best(self, function: Function, masked: Value) -> Value:
        """The neuron with the highest of the masked scores; -1 where no class exists yet."""
        return compute(function, "best_class", (masked,), {f"{self.name}_best": _INDEX})[0]

    def label_of(self, function: Function, neuron: Value) -> Value:
        """The label of a neuron; -1 where it has none."""
        return compute(function, "label_of", (neuron, self.labels), {f"{self.name}_label": _INDEX})[0]
