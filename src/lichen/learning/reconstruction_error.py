"""How far an autoencoder's output is from its input, as a tensor of the graph, so that a head can learn from it."""

from __future__ import annotations

from lichen.errors import InputError
from lichen.ir.module import Function, Module, Value
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module
from lichen.ir.types import DType, TensorType
from lichen.ir.verify import verify
from lichen.learning.append import compute


def append_reconstruction_error(module: Module, name: str = "reconstruction_error") -> Module:
    """A copy of `module` with one output more, called `name`: the mean squared difference of output and input, (1,) float32.

    A quantised model's is that of the numbers its integers stand for, in float32; nothing in front of it changes. Raises `InputError`
    where the model has several inputs or outputs, or an output of another shape than its input.
    """
    module = parse_module(print_module(module))
    infer = module.infer
    if len(infer.inputs) != 1 or len(infer.outputs) != 1:
        raise InputError(
            f"{module.name} has {len(infer.inputs)} inputs and {len(infer.outputs)} outputs, so it reconstructs nothing; "
            "an autoencoder has one of each"
        )
    (given,), (made,) = infer.inputs, infer.outputs
    if given.type.shape != made.type.shape:
        raise InputError(
            f"{module.name} makes {list(made.type.shape)} of {list(given.type.shape)}, so it does not reconstruct its input"
        )
    operands = [_real(infer, made), _real(infer, given)]
    infer.outputs += compute(infer, "mean_squared_error", operands, {name: TensorType((1,), DType.FLOAT32)})
    verify(module)
    return module


def _real(function: Function, value: Value) -> Value:
    """`value` in float32."""
    if value.type.quantisation is None:
        return value
    real = {f"{value.name}_real": TensorType(value.type.shape, DType.FLOAT32)}
    return compute(function, "dequantize", [value], real)[0]
