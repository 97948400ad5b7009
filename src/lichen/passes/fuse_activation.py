"""Gives an activation to the operation in front of it."""

from __future__ import annotations

from lichen.ir.module import Function, Module, Operation

FUSED = {"relu": "relu", "relu6": "relu6"}
"""Operator -> the fused activation it becomes."""


def fuse_activation(module: Module) -> bool:
    """`relu(conv2d(x))` becomes `conv2d(x) {activation = "relu"}` where the convolution has no activation and no other user.

    int8: only where both results have the same quantisation; clamping once or twice is then the same.
    """
    changed = False
    for function in module.functions.values():
        for op in list(function.operations):
            producer = function.producer(op.operands[0]) if op.kind in FUSED else None
            if producer is not None and _fusible(function, producer, op):
                producer.attributes["activation"] = FUSED[op.kind]
                producer.results = op.results
                function.operations.remove(op)
                changed = True
    return changed


def _fusible(function: Function, producer: Operation, op: Operation) -> bool:
    between = producer.results[0]
    return (
        producer.attributes.get("activation") == "none"
        and between.type == op.results[0].type
        and len(function.consumers(between)) == 1
        and not function.is_output(between)
    )
