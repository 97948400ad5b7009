"""Emits operations for the ATen node at hand, and brings tensors into the layouts operators need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch.fx import Node

from lichen.errors import UnsupportedError
from lichen.frontends.aten import tensor as t
from lichen.frontends.aten.tensor import Flattened, Layout, QuantisedConstant, Tensor
from lichen.ir.module import Array, Attribute, Constant, Function, Namer, Operation, Value, constant
from lichen.ir.types import DType, Quantisation, TensorType

_ARRANGED = "_in"  # suffix of an operand that is brought into place


class Builder:
    """Appends to one function. `name` is that of the layer being lowered; results are called after it."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.name = ""
        self.named = Namer()

    def emit(
        self,
        kind: str,
        operands: Sequence[Value],
        shape: Sequence[int],
        type_: TensorType | None = None,
        suffix: str = "",
        **attributes: Attribute,
    ) -> Value:
        """One operation with one result of `shape`, of the first operand's element type unless `type_` says otherwise.

        The layer's name is for its last result; those before it have a suffix.
        """
        result = Value(self.named(self.name + suffix), (type_ or operands[0].type).with_shape(*shape))
        self.function.operations.append(Operation(kind, list(operands), [result], dict(attributes)))
        return result

    def constant(self, role: str, data: Array) -> Constant:
        """A float32 constant called after the layer and its role in it."""
        return constant(self.named(f"{self.name}_{role}"), data, TensorType(data.shape, DType.FLOAT32))

    def stored_constant(self, data: QuantisedConstant) -> Value:
        """The real values of a quantised constant: its int8 values, dequantised."""
        quantisation = Quantisation(data.scale, data.zero_point, data.axis)
        type_ = TensorType(data.stored.shape, DType.INT8, quantisation)
        stored = constant(self.named(f"{self.name}_constant"), data.stored, type_)
        return self.emit("dequantize", [stored], type_.shape, TensorType(type_.shape, DType.FLOAT32))

    def arranged(self, tensor: Tensor, layout: Layout) -> Tensor:
        """The tensor in exactly this layout; a reshape where the order in memory allows it, else a transpose."""
        tensor = self.unflattened(tensor)
        shape = tuple(1 if d is None else tensor.shape[d] for d in layout)
        wanted = replace(tensor, layout=layout)
        value, order = tensor.value, wanted.memory_order()
        present = tensor.memory_order()
        if present != order:
            value = self.reshaped(value, tuple(tensor.shape[d] for d in present))
            permutation = tuple(present.index(d) for d in order)
            sizes = tuple(tensor.shape[d] for d in order)
            value = self.emit("transpose", [value], sizes, suffix=_ARRANGED, permutation=permutation)
        return replace(wanted, value=self.reshaped(value, shape))

    def plain(self, tensor: Tensor) -> Tensor:
        """The tensor in PyTorch's own order."""
        return self.arranged(tensor, t.identity(tensor.rank))

    def unflattened(self, tensor: Tensor) -> Tensor:
        """Flattened elements in PyTorch's order."""
        flat = tensor.flattened
        if flat is None:
            return tensor
        value = self.reshaped(tensor.value, flat.sizes)
        sizes = tuple(flat.sizes[i] for i in flat.permutation)
        value = self.emit("transpose", [value], sizes, suffix=_ARRANGED, permutation=flat.permutation)
        return Tensor(self.reshaped(value, tensor.shape), tensor.shape, t.identity(tensor.rank))

    def reshaped(self, value: Value, shape: tuple[int, ...]) -> Value:
        return value if value.type.shape == shape else self.emit("reshape", [value], shape, suffix=_ARRANGED)

    def like(self, data: Array, tensor: Tensor) -> Array:
        """A constant that broadcasts to the tensor in PyTorch, arranged to broadcast to its value."""
        full = data.reshape((1,) * (tensor.rank - data.ndim) + data.shape)
        if tensor.flattened is not None:
            last = full.shape[-1]
            return full if last == 1 else full[..., tensor.flattened.order()]
        kept = [d for d in tensor.layout if d is not None]
        full = full.transpose([*(d for d in range(tensor.rank) if d not in kept), *kept])
        return full.reshape([1 if d is None else data_size for d, data_size in _sizes(full, tensor, kept)])

    def unary(self, kind: str, tensor: Tensor, suffix: str = "", **attributes: Attribute) -> Tensor:
        """An elementwise operator, in whatever layout the tensor has."""
        return replace(
            tensor, value=self.emit(kind, [tensor.value], tensor.value.type.shape, None, suffix, **attributes)
        )


def _sizes(full: Array, tensor: Tensor, kept: list[int]) -> list[tuple[int | None, int]]:
    """The tensor's layout with the constant's size along each of its dimensions."""
    size = dict(zip(kept, full.shape[tensor.rank - len(kept) :], strict=True))
    return [(d, 1 if d is None else size[d]) for d in tensor.layout]


@dataclass(frozen=True)
class Call:
    """A node of the program with its arguments by name, tensors and constants in place of nodes."""

    node: Node
    arguments: dict[str, Any]
    shape: tuple[int, ...]  # of the (first) result, PyTorch's

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def tensor(self, name: str) -> Tensor:
        """An argument that must be computed, not constant."""
        value = self.arguments[name]
        if not isinstance(value, Tensor):
            raise UnsupportedError(f"its argument '{name}' must be computed from the input, not constant")
        return value

    def constant(self, name: str) -> t.Constant:
        """An argument that must be constant."""
        value = self.arguments[name]
        if isinstance(value, Tensor) or value is None:
            raise UnsupportedError(f"its argument '{name}' must be constant, not computed from the input")
        constant_: t.Constant = value
        return constant_

    def optional(self, name: str) -> Array | None:
        """A constant argument as array, or `None` where it is not given."""
        return None if self.arguments.get(name) is None else np.asarray(t.array(self.constant(name)))

    def pair(self, name: str) -> tuple[int, int]:
        """A list of one or two integers as (height, width); a single one along a signal stands for its width."""
        values = self.arguments[name]
        numbers = [values] if isinstance(values, int) else list(values)
        if len(numbers) == 1:
            return (numbers[0], numbers[0])
        return (int(numbers[0]), int(numbers[1]))

    def dimension(self, value: int) -> int:
        """A dimension of `self`, counted from the first."""
        return value % max(self.tensor("self").rank, 1)


Lowered = Tensor | list[Tensor] | t.Constant
Lowering = Callable[[Builder, Call], Lowered]

LOWERINGS: dict[str, Lowering] = {}


def lowers(*targets: str) -> Callable[[Lowering], Lowering]:
    """Registers how the ATen overloads `targets` are lowered."""

    def register(function: Lowering) -> Lowering:
        for target in targets:
            assert target not in LOWERINGS, target
            LOWERINGS[target] = function
        return function

    return register


__all__ = ["LOWERINGS", "Builder", "Call", "Flattened", "Lowered", "Lowering", "lowers"]
