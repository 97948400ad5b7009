"""The tree of Bonsai, behind its projection."""

from __future__ import annotations

import math

import numpy as np

from lichen.ir.accesses import Accesses, whole
from lichen.ir.kernel import Core, KernelCall, Result, Table
from lichen.ir.module import Array, Constant, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.params import in_arena, int16_params
from lichen.ops.unquantised import check_plain


@register
class BonsaiTree(Operator):
    """z (1, D) float32, weights and gates (nodes, classes, D), branches (inner nodes, D), int8 -> scores (1, classes) float32.

    Scores are the sum of (W_k z) * tanh(sigma V_k z) over the nodes k on the way from the root, node 0, to a leaf; node k has children 2k + 1,
    where theta_k . z is above zero, and 2k + 2 (Kumar, Goyal, Varma, ICML 2017). Only these nodes are computed. A tree has 2^d - 1 inner nodes,
    d of 1 or more, and 2^d leaves. Sums are float32, in order, and the same everywhere, so that the way is; tanh within 1e-6.
    """

    kind = "bonsai_tree"
    operands = (4, 4)
    attributes = {"sigma": float}

    def check(self, operation: Operation) -> None:
        z, weights, gates, branches = (value.type for value in operation.operands)
        result = operation.results[0].type
        require(not isinstance(operation.operands[0], Constant), "the input must not be constant")
        require(z.rank == 2 and z.shape[0] == 1, f"the input must be (1, features), not {list(z.shape)}")
        check_plain(operation.operands[0], "input", DType.FLOAT32, z.shape)
        for value, role in zip(operation.operands[1:], ("weights", "gates", "branches"), strict=True):
            q = value.type.quantisation
            require(isinstance(value, Constant) and value.type.dtype is DType.INT8, f"{role} must be constant int8")
            require(
                q is not None and q.axis is None and not any(q.zero_point), f"{role} must have one scale, zero point 0"
            )
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
        check_plain(operation.results[0], "result", DType.FLOAT32, (1, weights.shape[1]))
        require(result.rank == 2, "the result must be (1, classes)")
        sigma = operation.float_attribute("sigma")
        require(math.isfinite(sigma), f"sigma is {sigma}, not a finite number")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        z, weights, gates, branches = operands
        scale, slope = _scale_and_slope(operation)
        scores, node = np.zeros(weights.shape[1], np.float32), 0
        while True:
            gate = np.tanh((slope * _products(gates[node], z[0])).astype(np.float64))
            scores = scores + scale * _products(weights[node], z[0]) * gate.astype(np.float32)
            if node >= len(branches):
                return (scores[None],)
            node = 2 * node + (1 if _products(branches[node], z[0]) > 0 else 2)

    def macs(self, operation: Operation) -> int:
        weights, branches = operation.operands[1].type.shape, operation.operands[3].type.shape
        inner = (branches[0] + 1).bit_length() - 1
        return weights[2] * (2 * weights[1] * (inner + 1) + inner)

    def accesses(self, operation: Operation) -> Accesses:
        return whole({0: operation.operands[0].type.bytes}, {0: operation.results[0].type.bytes})

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        nodes, classes, features = operation.operands[1].type.shape
        scale, slope = _scale_and_slope(operation)
        params = int16_params(operation, inner=nodes // 2, classes=classes, features=features)
        tables = (
            Table(role, value.data.reshape(-1))
            for value, role in zip(operation.operands[1:], ("weights", "gates", "branches"), strict=True)
            if isinstance(value, Constant)
        )
        members = {**params, "scale": float(scale), "slope": float(slope)}
        return KernelCall("bonsai_tree_f32", members, (in_arena(operation, 0), *tables, Result(0)))


def _products(rows: Array, z: Array) -> Array:
    """The sums of products of int8 `rows` (…, D) with `z` (D,), in float32 and in order."""
    total = np.zeros(rows.shape[:-1], np.float32)
    for i in range(len(z)):
        total = total + rows[..., i].astype(np.float32) * z[i]
    return np.asarray(total, np.float32)


def _scale_and_slope(operation: Operation) -> tuple[np.float32, np.float32]:
    """What sums of weights and of gates are multiplied by."""
    weights, gates = operation.operands[1].type, operation.operands[2].type
    return np.float32(weights.scale), np.float32(operation.float_attribute("sigma") * gates.scale)
