"""What the gradients of layers with a sliding window share."""

from __future__ import annotations

from lichen.ir.module import Constant, Operation, State
from lichen.ir.operator import require
from lichen.ir.types import TensorType
from lichen.ops.attributes import integers
from lichen.ops.params import int16_params
from lichen.ops.window import Window


def layer_window(operation: Operation, weights: TensorType, x: TensorType, y: TensorType, depthwise: bool) -> Window:
    """The window of the convolution from `x` to `y` whose gradient `operation` is. Raises `VerifyError` if types do not agree."""
    require(weights.rank == 4, f"weights must have four dimensions, not {list(weights.shape)}")
    window = Window.of(operation, (weights.shape[1], weights.shape[2]), x)
    if depthwise:
        outputs, inputs = weights.shape[3], x.shape[3]
        require(weights.shape[0] == 1 and outputs % inputs == 0, f"weights {list(weights.shape)} for {inputs} channels")
    else:
        outputs, inputs = weights.shape[0], weights.shape[3]
        require(x.shape[3] == inputs, f"weights {list(weights.shape)} for {x.shape[3]} channels")
    expected = (1, window.out_h, window.out_w, outputs)
    require(y.shape == expected, f"the gradient must be {list(expected)}, not {list(y.shape)}")
    return window


def layer_params(
    operation: Operation, window: Window, x: TensorType, y: TensorType, weights_in_flash: int = 0
) -> dict[str, int | float]:
    """The members of `lichen_convolution_gradient_params`. Raises `UnsupportedError`."""
    first = int16_params(operation, weights_in_flash=weights_in_flash, out_h=window.out_h)
    return first | window.params(operation, x, y)


def check_held(operation: Operation, index: int) -> None:
    """Raises `VerifyError` unless an operand is constant or state, as weights are."""
    require(isinstance(operation.operands[index], Constant | State), "the weights must be constant or state")


def pool_window(operation: Operation, y: TensorType) -> Window:
    """The window of the pooling, from the first result's type to `y`, whose gradient `operation` is. Raises `VerifyError`."""
    kernel_h, kernel_w = integers(operation, "kernel", 2, 1)
    x = operation.results[0].type
    window = Window.of(operation, (kernel_h, kernel_w), x)
    expected = (1, window.out_h, window.out_w, x.shape[3])
    require(y.shape == expected, f"the gradient must be {list(expected)}, not {list(y.shape)}")
    return window


def pool_params(operation: Operation, window: Window, y: TensorType) -> dict[str, int | float]:
    """The members of `lichen_pool_gradient_params`. Raises `UnsupportedError`."""
    params = int16_params(operation, out_h=window.out_h) | window.params(operation, operation.results[0].type, y)
    for name in ("out_c", "dilation_h", "dilation_w"):
        del params[name]
    return params
