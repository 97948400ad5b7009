"""The tree of Bonsai, behind its projection."""

from __future__ import annotations

import math

import numpy as np

from lichen.ir.accesses import Accesses, whole
from lichen.ir.kernel import Core, KernelCall, Result, Table
from lichen.ir.module import Array, Constant, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.fixed_point import INT32_MAX, multiply, quantize_multiplier, saturating_rounding_doubling_high_mul
from lichen.ops.params import in_arena, int16_params

_STEPS = 2048
"""Into how many steps the argument of tanh is divided, from one whole number to the next; 256 of them lie between two entries of the table."""
_TANH = np.rint(np.tanh(np.arange(33) / 8) * 2**15).astype(np.int16)
"""tanh of 0, 1/8, … 4 in Q0.15. A straight line between two entries is at most 0.0017 off, and tanh at most 0.0007 more than the last one."""
_ROLES = ("weights", "gates", "branches")


@register
class BonsaiTree(Operator):
    """z (1, D) int8, weights and gates (nodes, rows, D), branches (inner nodes, D), int8 -> scores (1, classes) int32.

    Scores are the sum of (W_k z) * tanh(sigma V_k z) over the nodes k on the way from the root, node 0, to a leaf; node k has children 2k + 1,
    where theta_k . z is above zero, and 2k + 2 (Kumar, Goyal, Varma, ICML 2017). Only these nodes are computed. A tree has 2^d - 1 inner nodes,
    d of 1 or more, and 2^d leaves. A row is a class; a single row may tell two classes apart, whose scores are then -s and s. The scale of the
    scores is that of z times that of the weights. All of it is whole numbers, the same ones everywhere; tanh is linear between 33 points.
    """

    kind = "bonsai_tree"
    operands = (4, 4)
    attributes = {"sigma": float}

    def check(self, operation: Operation) -> None:
        z, weights, gates, branches = (value.type for value in operation.operands)
        result = operation.results[0].type
        require(not isinstance(operation.operands[0], Constant), "the input must not be constant")
        require(z.rank == 2 and z.shape[0] == 1, f"the input must be (1, features), not {list(z.shape)}")
        for value, role in zip(operation.operands, ("the input", *_ROLES), strict=True):
            q = value.type.quantisation
            require(value.type.dtype is DType.INT8, f"{role} must be i8, not {value.type.dtype.value}")
            require(
                q is not None and q.axis is None and not any(q.zero_point), f"{role} must have one scale, zero point 0"
            )
        for value, role in zip(operation.operands[1:], _ROLES, strict=True):
            require(isinstance(value, Constant), f"{role} must be constant")
        inner, features = branches.shape if branches.rank == 2 else (0, 0)
        is_tree = inner >= 1 and (inner + 1) & inner == 0
        require(
            is_tree and features == z.shape[1],
            f"branches {list(branches.shape)} are not those of a tree over {z.shape[1]}",
        )
        require(
            weights.rank == 3 and weights.shape[0] == 2 * inner + 1 and weights.shape[2] == features,
            f"weights {list(weights.shape)} are not those of {2 * inner + 1} nodes over {features} features",
        )
        require(gates.shape == weights.shape, f"gates {list(gates.shape)} for weights {list(weights.shape)}")
        rows = weights.shape[1]
        require(
            result.dtype is DType.INT32 and result.shape in ((1, rows), (1, 2 if rows == 1 else rows)),
            f"{rows} rows of weights do not give {result.dtype.value} {list(result.shape)}",
        )
        require(
            result.quantisation is not None
            and math.isclose(result.scale, z.scale * weights.scale, rel_tol=1e-6)
            and result.zero_point == 0,
            "the scores must have the scale of the input times that of the weights, and zero point 0",
        )
        sigma = operation.float_attribute("sigma")
        require(math.isfinite(sigma) and sigma > 0, f"sigma is {sigma}, not a finite number above zero")
        most = 2**14 * features * (inner + 1).bit_length()
        require(most <= INT32_MAX, f"sums over {features} features and their nodes overflow 32 bits")
        quantize_multiplier(_slope(operation))

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        z, weights, gates, branches = (operand.astype(np.int64) for operand in operands)
        scores, node = np.zeros(weights.shape[1], np.int64), 0
        while True:
            sums = gates[node] @ z[0]
            parts = saturating_rounding_doubling_high_mul(weights[node] @ z[0], _tanh(operation, np.abs(sums)) << 16)
            scores += np.where(sums < 0, -parts, parts)
            if node >= len(branches):
                break
            node = 2 * node + (1 if branches[node] @ z[0] > 0 else 2)
        if len(scores) < operation.results[0].type.shape[1]:
            scores = np.array([-scores[0], scores[0]])
        return (scores.astype(np.int32)[None],)

    def macs(self, operation: Operation) -> int:
        weights, branches = operation.operands[1].type.shape, operation.operands[3].type.shape
        inner = (branches[0] + 1).bit_length() - 1
        return weights[2] * (2 * weights[1] * (inner + 1) + inner)

    def accesses(self, operation: Operation) -> Accesses:
        return whole({0: operation.operands[0].type.bytes}, {0: operation.results[0].type.bytes})

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        nodes, rows, features = operation.operands[1].type.shape
        to_steps = quantize_multiplier(_slope(operation))
        params = int16_params(
            operation,
            inner=nodes // 2,
            rows=rows,
            classes=operation.results[0].type.shape[1],
            features=features,
            shift=to_steps.shift,
        )
        tables = (
            Table(role, value.data.reshape(-1))
            for value, role in zip(operation.operands[1:], _ROLES, strict=True)
            if isinstance(value, Constant)
        )
        members = {**params, "multiplier": to_steps.mantissa, "limit": _limit(operation)}
        return KernelCall("bonsai_tree_s8", members, (in_arena(operation, 0), *tables, Table("tanh", _TANH), Result(0)))


def _tanh(operation: Operation, sums: Array) -> Array:
    """tanh of sums of gates that are not negative, in Q0.15."""
    to_steps = quantize_multiplier(_slope(operation))
    inside = sums < _limit(operation)
    x = multiply(np.where(inside, sums, 0), to_steps.mantissa, to_steps.shift)
    table = _TANH.astype(np.int64)
    below = table[x >> 8]
    between = below + (((table[(x >> 8) + 1] - below) * (x & 255)) >> 8)
    return np.asarray(np.where(inside, between, table[-1]))


def _limit(operation: Operation) -> int:
    """The first sum of gates that is taken for more than the table has: all below it come to fewer steps than the last entry."""
    return max(1, int(min((len(_TANH) - 1) * 256 - 1, _slope(operation) * INT32_MAX) / _slope(operation)))


def _slope(operation: Operation) -> float:
    """Steps of the argument of tanh for each unit of a sum of gates."""
    z, gates = operation.operands[0].type, operation.operands[2].type
    return float(operation.float_attribute("sigma") * gates.scale * z.scale * _STEPS)
