"""From a label to its neuron; a label that is new gets one."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register
from lichen.ir.types import DType
from lichen.ops.class_map import NO_LABEL, NONE, capacity_params, check_class_map
from lichen.ops.params import in_arena
from lichen.ops.unquantised import check_one, check_plain


@register
class AssignClass(Operator):
    """label (one int32), $labels (capacity) -> the neuron (1) int32.

    A label that no neuron stands for takes the first free one. Where none is free the answer is -1 and nothing changes: the class is
    refused. A label below 0 is none, its answer -2. Both answers count and teach nothing in the operators that take a neuron.
    """

    kind = "assign_class"
    operands = (2, 2)
    updates = frozenset({1})

    def check(self, operation: Operation) -> None:
        label, labels = operation.operands
        check_one(label, "label", DType.INT32)
        check_class_map(labels)
        check_plain(operation.results[0], "result", DType.INT32, (1,))

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        label, labels = int(operands[0].ravel()[0]), operands[1].copy()
        if label < 0:
            return np.array([NO_LABEL], np.int32), labels
        for neuron, known in enumerate(labels):
            if known == label or known < 0:
                labels[neuron] = label
                return np.array([neuron], np.int32), labels
        return np.array([NONE], np.int32), labels

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        return KernelCall(
            "assign_class", capacity_params(operation, 1), (in_arena(operation, 0), Operand(1), Result(0))
        )
