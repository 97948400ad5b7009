"""Gradient descent over batches, with momentum, as coefficients."""

from __future__ import annotations

import math

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Operation, State
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.parameter_update import check_float
from lichen.ops.params import int32_params


@register
class SgdBatch(Operator):
    """$count (1), $rate (1), loss (1) -> coefficients (2) of three updates: `accumulate`, `decay`, `step`.

    Each parameter has an accumulator, which is its velocity at the same time. For every sample `accumulate` adds the gradient to it,
    (momentum, 1 / batch) at the first of a batch, (1, 1 / batch) afterwards; with the last of a batch `decay` adds the parameter
    itself, (1, weight_decay), and `step` takes the accumulator off the parameter, (1, -rate); until then both are (1, 0), no change.
    That is PyTorch's `SGD` with `dampening=0`. `count` (int32) is how many samples of the batch are accumulated. Where loss or rate
    is not a finite number nothing changes, the count included.
    """

    kind = "sgd_batch"
    operands = (3, 3)
    results = 3
    attributes = {"batch": int, "momentum": float, "weight_decay": float}
    updates = frozenset({0})
    reads_state = frozenset({1})

    def check(self, operation: Operation) -> None:
        count, rate, loss = operation.operands
        check_float(Operation("sgd_batch", [rate, loss], operation.results))
        require(count.type.dtype is DType.INT32, f"the count must be i32, not {count.type.dtype.value}")
        require(isinstance(rate, State), "the learning rate must be state")
        require(all(v.type.elements == 1 for v in operation.operands), "count, rate and loss are one number each")
        require(all(v.type.elements == 2 for v in operation.results), "each update has two coefficients")
        batch, momentum, decay = (operation.attributes[key] for key in ("batch", "momentum", "weight_decay"))
        require(isinstance(batch, int) and 1 <= batch < 2**31, f"batch is {batch}, but must be at least 1")
        require(isinstance(momentum, int | float) and 0 <= momentum < 1, f"momentum is {momentum}, not in [0, 1)")
        require(isinstance(decay, int | float) and 0 <= decay < math.inf, f"weight_decay is {decay}, not from 0")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        count, rate, loss = int(operands[0].ravel()[0]), *(np.float32(x.ravel()[0]) for x in operands[1:])
        batch, shapes = operation.int_attribute("batch"), [v.type.shape for v in operation.results]
        pairs: list[tuple[float, float]] = [(1, 0)] * 3
        if np.isfinite(rate) and np.isfinite(loss):
            first, last = count <= 0, count + 1 >= batch
            pairs[0] = operation.float_attribute("momentum") if first else 1, 1 / batch
            if last:
                pairs[1:] = (1, operation.float_attribute("weight_decay")), (1, -float(rate))
            count = 0 if last else max(count, 0) + 1
        coefficients = (np.array(pair, np.float32).reshape(s) for pair, s in zip(pairs, shapes, strict=True))
        return (*coefficients, np.full(operands[0].shape, count, np.int32))

    def accesses(self, operation: Operation) -> Accesses:
        return Accesses({2: np.array([[0, 4]], np.int64)}, {i: np.array([[0, 8]], np.int64) for i in range(3)})

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        batch = operation.int_attribute("batch")
        shares = {"share": 1 / batch}
        shares |= {key: operation.float_attribute(key) for key in ("momentum", "weight_decay")}
        params = int32_params(operation, batch=batch) | {k: float(np.float32(v)) for k, v in shares.items()}
        arguments = Operand(0), Operand(1), Operand(2), Result(0), Result(1), Result(2)
        return KernelCall("sgd_batch", params, arguments)
