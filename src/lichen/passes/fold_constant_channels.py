"""Drops channels that are the same at every pixel whatever the input, and channels that nobody reads.

How this works inside: one walk forwards finds the constant channels of every value, by evaluating operations on the constants
alone: a channel whose weights are all zero is its requantised bias; a constant seen through padding stays constant only if it is the
zero point. Walks backwards find which channels can go: every reader has to take the constant into its bias, or to keep channels
apart and lose the same one in its result. Then all operations shrink together.

int8 results stay the same bytes. Sums of float32 would be rounded in another order, so there only channels of zeros are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.module import Array, Constant, Function, Module, Namer, Operation, Value, constant
from lichen.ir.operator import operator
from lichen.ir.types import DType, TensorType
from lichen.ops.weights import bias_or_zero, constant_operand
from lichen.ops.window import Window
from lichen.passes.channels import (
    Mask,
    channels_of,
    fewer,
    gather,
    keeps_apart,
    mixes,
    spread,
    variables,
    with_channels,
)


class _Known:
    """Which channels of a value are constant, and their stored values (0 for the others)."""

    def __init__(self, is_constant: Mask, stored: Array) -> None:
        self.is_constant = is_constant
        self.stored = np.where(is_constant, stored, 0).astype(stored.dtype)

    @staticmethod
    def nothing(type_: TensorType) -> _Known:
        return _Known(np.zeros(channels_of(type_), np.bool_), np.zeros(channels_of(type_), type_.dtype.numpy))


def fold_constant_channels(module: Module) -> bool:
    """Constant channels, and channels that nobody reads, vanish from values between operations.

    The consumers' biases take the constants' part. float32 (for finite activations): channels of zeros only.
    """
    changed = False
    for function in module.functions.values():
        known = _constants(function)
        dropped = _droppable(function, known)
        if dropped:
            _Shrinking(module, known, dropped).run(function)
            changed = True
    return changed


# --- forwards: what is constant


def _constants(function: Function) -> dict[Value, _Known]:
    known = {value: _Known.nothing(value.type) for value in function.inputs}
    for op in function.operations:
        known.update((result, _Known.nothing(result.type)) for result in op.results)
        if mixes(op) or keeps_apart(op):
            known[op.results[0]] = _evaluated(op, known)
    return known


def _evaluated(op: Operation, known: Mapping[Value, _Known]) -> _Known:
    """Evaluates `op` on the constants among its operands' channels, zeros elsewhere: right where no other channel matters."""
    result, operands = op.results[0].type, variables(op)
    if mixes(op):
        varying = ~_absorbed(op, known[operands[0]])
        candidates = ~np.asarray(_by_channel(op, len(varying))[:, varying].any(axis=(1, 2)))
    else:
        candidates = _common([spread(op, known[v].is_constant) for v in operands])
        if op.kind == "depthwise_conv2d":
            candidates = candidates | ~constant_operand(op, 1).any(axis=(0, 1, 2))
    if not candidates.any():
        return _Known.nothing(result)
    arrays = [
        v.data if isinstance(v, Constant) else np.broadcast_to(known[v].stored, v.type.shape).copy()
        for v in op.operands
    ]
    pixels = operator(op.kind).evaluate(op, *arrays)[0].reshape(-1, len(candidates))
    uniform = candidates & (pixels == pixels[0]).all(axis=0)
    return _Known(uniform & (pixels[0] == 0) if result.dtype.is_float else uniform, pixels[0])


def _by_channel(op: Operation, channels: int) -> Array:
    """The weights of an operation that mixes channels as (outputs, channels, taps)."""
    weights = constant_operand(op, 1)
    return np.moveaxis(weights.reshape(len(weights), -1, channels), 1, 2)


def _absorbed(op: Operation, source: _Known) -> Mask:
    """The channels of operand 0 that an operation that mixes channels can do without, given what is `source`: its bias takes their part."""
    type_, channels = op.operands[0].type, len(source.stored)
    weights = _by_channel(op, channels)
    if op.kind == "conv2d":
        kernel_h, kernel_w = op.operands[1].type.shape[1:3]
        window = Window.of(op, (kernel_h, kernel_w))
        inside = window.patches(np.ones((1, window.in_h, window.in_w, 1), np.int8), 0).all(axis=(0, 1, 4)).reshape(-1)
        sees_padding = weights[:, :, ~inside].any(axis=(0, 2))
    else:
        sees_padding = np.zeros(channels, np.bool_)
    zero = 0 if type_.dtype.is_float else type_.zero_point
    unread = ~weights.any(axis=(0, 2))
    return np.asarray(unread | (source.is_constant & ((source.stored == zero) | ~sees_padding)))


# --- backwards: what can go


def _droppable(function: Function, known: Mapping[Value, _Known]) -> dict[Value, Mask]:
    """The greatest set of channels that can go together; only values that lose some, and none that would lose all."""
    made = {op.results[0] for op in function.operations if mixes(op) or keeps_apart(op)}
    dropped = {v: np.full(channels_of(v.type), v in made and not function.is_output(v)) for v in known}
    settled = False
    while not settled:
        before = {value: mask.copy() for value, mask in dropped.items()}
        for op in reversed(function.operations):
            for value, mask in _allowed(op, known, dropped).items():
                dropped[value] = dropped[value] & mask
        for mask in dropped.values():
            mask[0] &= not mask.all()  # a tensor has at least one channel
        settled = all((mask == dropped[value]).all() for value, mask in before.items())
    return {value: mask for value, mask in dropped.items() if mask.any()}


def _allowed(op: Operation, known: Mapping[Value, _Known], dropped: Mapping[Value, Mask]) -> dict[Value, Mask]:
    """What `op` lets its operands lose, and its result where it needs the same channels of both."""
    operands = [v for v in op.operands if v in known]
    if mixes(op):
        return {operands[0]: _absorbed(op, known[operands[0]])}
    if not keeps_apart(op):
        return {v: np.zeros(channels_of(v.type), np.bool_) for v in operands}
    result = op.results[0]
    common = _common([dropped[result], *(spread(op, dropped[v]) for v in operands)])
    allowed = {v: gather(op, common, channels_of(v.type)) for v in operands}
    return allowed | {result: spread(op, allowed[operands[0]])}


def _common(masks: Sequence[Mask]) -> Mask:
    return np.asarray(np.logical_and.reduce(list(masks)))


# --- and then all together


class _Shrinking:
    def __init__(self, module: Module, known: Mapping[Value, _Known], dropped: Mapping[Value, Mask]) -> None:
        self.known, self.dropped = known, dropped
        self.namer = Namer(c.name for c in module.constants())
        self.shared = _used_more_than_once(module)

    def run(self, function: Function) -> None:
        for op in function.operations:
            if mixes(op):
                self.shrink_sum(op)
            elif keeps_apart(op):
                self.shrink_apart(op)
        for value, mask in self.dropped.items():
            value.type = with_channels(value.type, int((~mask).sum()))

    def shrink_sum(self, op: Operation) -> None:
        kept_in, kept_out = self.kept(op.operands[0]), self.kept(op.results[0])
        if not kept_in.all():
            self.fold_into_bias(op, kept_in)
            weights = op.operands[1]
            assert isinstance(weights, Constant)
            self.replace(op, 1, fewer(weights, np.tile(kept_in, weights.type.shape[-1] // len(kept_in)), -1))
        self.keep_results(op, kept_out, 0)

    def fold_into_bias(self, op: Operation, kept: Mask) -> None:
        """Adds what the dropped channels, being constant, add to every sum."""
        source = self.known[op.operands[0]]
        if op.operands[0].type.dtype.is_float:
            return  # they are zeros
        value = source.stored.astype(np.int64) - op.operands[0].type.zero_point
        value[kept | ~source.is_constant] = 0  # what is dropped without being constant is unread
        sums = _by_channel(op, len(kept)).sum(axis=2, dtype=np.int64) @ value
        if not sums.any():
            return
        self.set_bias(op, (bias_or_zero(op, len(sums)) + sums).astype(np.int32))

    def set_bias(self, op: Operation, data: Array) -> None:
        type_ = TensorType(data.shape, DType.of(data.dtype))
        if len(op.operands) > 2:
            self.replace(op, 2, constant(op.operands[2].name, data, type_))
        else:
            op.operands.append(constant(self.namer(f"{op.name}_bias"), data, type_))

    def shrink_apart(self, op: Operation) -> None:
        kept = self.kept(op.results[0])
        if op.kind == "depthwise_conv2d":
            self.keep_results(op, kept, 3)
            return
        for index, value in enumerate(op.operands):
            if isinstance(value, Constant) and value.type.rank and value.type.shape[-1] == len(kept):
                self.shrink(op, index, kept, -1)

    def keep_results(self, op: Operation, kept: Mask, weights_axis: int) -> None:
        """Weights and bias of the kept channels of the result."""
        self.shrink(op, 1, kept, weights_axis)
        if len(op.operands) > 2 and not kept.all():
            self.set_bias(op, bias_or_zero(op, len(kept))[kept])

    def shrink(self, op: Operation, index: int, kept: Mask, axis: int) -> None:
        value = op.operands[index]
        assert isinstance(value, Constant)
        if not kept.all():
            self.replace(op, index, fewer(value, kept, axis))

    def replace(self, op: Operation, index: int, new: Constant) -> None:
        """A constant keeps its name unless others still use the old one."""
        if op.operands[index] in self.shared:
            new.name = self.namer(new.name)
        op.operands[index] = new

    def kept(self, value: Value) -> Mask:
        return ~self.dropped[value] if value in self.dropped else np.ones(channels_of(value.type), np.bool_)


def _used_more_than_once(module: Module) -> set[Value]:
    seen: set[Value] = set()
    shared: set[Value] = set()
    for function in module.functions.values():
        for op in function.operations:
            for value in op.operands:
                (shared if value in seen else seen).add(value)
    return shared
