"""From a neuron to the label it stands for."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register
from lichen.ir.types import DType
from lichen.ops.class_map import NONE, capacity_params, check_class_map
from lichen.ops.params import in_arena
from lichen.ops.unquantised import check_one, check_plain


@register
class LabelOf(Operator):
    """neuron (one int32), $labels (capacity) -> the label (1) int32, -1 where there is no such neuron or it is free."""

    kind = "label_of"
    operands = (2, 2)
    reads_state = frozenset({1})

    def check(self, operation: Operation) -> None:
        neuron, labels = operation.operands
        check_one(neuron, "neuron", DType.INT32)
        check_class_map(labels)
        check_plain(operation.results[0], "result", DType.INT32, (1,))

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        neuron, labels = int(operands[0].ravel()[0]), operands[1]
        return (np.array([max(labels[neuron], NONE) if 0 <= neuron < len(labels) else NONE], np.int32),)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        return KernelCall(
            "label_of", capacity_params(operation, 1), (in_arena(operation, 0), in_arena(operation, 1), Result(0))
        )
