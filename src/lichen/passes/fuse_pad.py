"""Gives the zeros of a pad to the window that slides over them."""

from __future__ import annotations

from lichen.ir.module import Function, Module, Operation

WINDOWS = ("conv2d", "depthwise_conv2d")
"""Operators whose own padding is of real zeros. Poolings are not among them: they leave padding out of their sums and maxima."""


def fuse_pad(module: Module) -> bool:
    """`conv2d(pad(x))` becomes `conv2d(x)` with more padding where the pad is spatial, of real zeros, and has no other user."""
    changed = False
    for function in module.functions.values():
        for op in list(function.operations):
            producer = function.producer(op.operands[0]) if op.kind in WINDOWS else None
            if producer is not None and _fusible(function, producer, op):
                before, after = producer.ints_attribute("before"), producer.ints_attribute("after")
                top, bottom, left, right = op.ints_attribute("padding")
                op.attributes["padding"] = (top + before[1], bottom + after[1], left + before[2], right + after[2])
                op.operands[0] = producer.operands[0]
                function.operations.remove(producer)
                changed = True
    return changed


def _fusible(function: Function, pad: Operation, op: Operation) -> bool:
    if pad.kind != "pad" or len(function.consumers(pad.results[0])) != 1 or function.is_output(pad.results[0]):
        return False
    source, padded = pad.operands[0].type, pad.results[0].type
    zero = 0.0 if source.dtype.is_float else float(source.zero_point)
    before, after = pad.ints_attribute("before"), pad.ints_attribute("after")
    spatial = source.rank == 4 and not (before[0] or before[3] or after[0] or after[3])
    if not spatial or pad.float_attribute("value") != zero or source.quantisation != padded.quantisation:
        return False
    # The window must see something of the input wherever it stands; otherwise the pad has to stay.
    padding, dilation = op.ints_attribute("padding"), op.ints_attribute("dilation")
    kernel = op.operands[1].type.shape[1:3]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    vertical = max(padding[0] + before[1], padding[1] + after[1])
    horizontal = max(padding[2] + before[2], padding[3] + after[2])
    return vertical < reach[0] and horizontal < reach[1]
