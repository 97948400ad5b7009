"""One int8 layer as a call of CMSIS-NN 4.0.0, from the sources that the package `bakenn` brings.

The call is the one TensorFlow Lite Micro and bakenn make: the wrapper that picks the fastest function for the shape. Built with Lichen's
flags and -O2 or -O3; of CMSIS-NN's own choice is the C library's `memcpy`, which is newlib-nano's, as in Lichen's firmware.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bakenn.backend.cmsis_nn.bundle import bundle_kernels

from counting import ForeignCode
from lichen.ir.module import Array, Module, Operation
from lichen.ops.fixed_point import activation_range
from lichen.ops.weights import bias_or_zero, channel_ratios, constant_operand, multiplier_tables
from lichen.ops.window import Window

_FUNCTIONS = {
    "conv2d": ("arm_convolve_wrapper_s8", "conv2d"),
    "depthwise_conv2d": ("arm_depthwise_conv_wrapper_s8", "depthwise_conv2d"),
    "dense": ("arm_fully_connected_s8", "linear"),
    "avg_pool2d": ("arm_avgpool_s8", "average_pool2d"),
    "max_pool2d": ("arm_max_pool_s8", "max_pool2d"),
}
"""By operator: the function, and what the package calls the sources it needs."""

KINDS = tuple(_FUNCTIONS)
"""The operators whose functions the package has."""


def layer(module: Module, folder: Path, optimize: str = "-O2") -> ForeignCode:
    """The only layer of `module`, whose kind is one of `KINDS`, as C in `folder`."""
    (operation,) = module.infer.operations
    source, result = operation.operands[0].type, operation.results[0].type
    path = folder / "layer.c"
    path.write_text("\n".join(_lines(operation)) + "\n", "utf-8")
    bundle = bundle_kernels(folder, (f"cmsis_nn.{_FUNCTIONS[operation.kind][1]}_s8.v4.0.0",))
    flags = (optimize, "-std=gnu11")
    return ForeignCode((path, *bundle.sources), bundle.include_dirs, flags, 1, source.elements, result.elements)


def _lines(operation: Operation) -> Iterator[str]:
    yield '#include "arm_nnfunctions.h"'
    yield '#include "peer.h"'
    function, _ = _FUNCTIONS[operation.kind]
    if len(operation.operands) > 1:
        yield from _tables(operation)
        arguments = ["&quant", "&in", "input", "&filter", "weights", "&bias_dims", "bias", "&out", "output"]
    else:
        arguments = ["&in", "input", "&filter", "&out", "output"]
    scratch = _scratch_bytes(operation)
    yield f"static int8_t scratch[{scratch}] __attribute__((aligned(8)));"
    yield "void peer_infer(const int8_t *input, const int8_t *last_input, int8_t *output) {"
    yield "  (void)last_input;"
    yield f"  const cmsis_nn_context ctx = {{scratch, {scratch}}};"
    yield from (f"  {line}" for line in _parameters(operation))
    yield f"  {function}(&ctx, &params, {', '.join(arguments)});"
    yield "}"


def _tables(operation: Operation) -> Iterator[str]:
    weights = operation.operands[1].type
    channels = operation.results[0].type.shape[-1]
    mantissa, shift = multiplier_tables(channel_ratios(operation, channels))
    yield _table("int8_t", "weights", constant_operand(operation, 1))
    yield _table("int32_t", "bias", bias_or_zero(operation, channels))
    if operation.kind == "dense":
        assert weights.quantisation is not None and not weights.quantisation.is_per_channel
        yield f"static const cmsis_nn_per_tensor_quant_params quant = {{{mantissa[0]}, {shift[0]}}};"
    else:
        yield _table("int32_t", "mantissa", mantissa)
        yield _table("int32_t", "shift", shift)
        yield "static const cmsis_nn_per_channel_quant_params quant = {(int32_t *)mantissa, (int32_t *)shift};"


def _table(ctype: str, name: str, data: Array) -> str:
    return f"static const {ctype} {name}[] = {{{', '.join(map(str, np.asarray(data).ravel().tolist()))}}};"


def _parameters(operation: Operation) -> Iterator[str]:
    source, result = operation.operands[0].type, operation.results[0].type
    low, high = activation_range(operation.str_attribute("activation"), result)
    channels = result.shape[-1]
    if len(operation.operands) > 1:
        yield f"const cmsis_nn_dims bias_dims = {{1, 1, 1, {channels}}};"
    if operation.kind == "dense":
        yield f"const cmsis_nn_fc_params params = {{{-source.zero_point}, 0, {result.zero_point}, {{{low}, {high}}}}};"
        yield f"const cmsis_nn_dims in = {{1, 1, 1, {source.elements}}}, filter = {{{source.elements}, 1, 1, {channels}}};"
        yield f"const cmsis_nn_dims out = {{1, 1, 1, {channels}}};"
        return
    window = Window.over(operation)
    (kernel_h, kernel_w), (stride_h, stride_w), (top, _, left, _) = window.kernel, window.stride, window.padding
    moves = f"{{{stride_w}, {stride_h}}}, {{{left}, {top}}}"
    if operation.kind in ("avg_pool2d", "max_pool2d"):
        yield f"const cmsis_nn_pool_params params = {{{moves}, {{{low}, {high}}}}};"
        yield f"const cmsis_nn_dims filter = {{1, {kernel_h}, {kernel_w}, 1}};"
    else:
        offsets, moves = f"{-source.zero_point}, {result.zero_point}", f"{moves}, {{1, 1}}, {{{low}, {high}}}"
        depthwise = operation.kind == "depthwise_conv2d"
        multiplier = f"{channels // source.shape[3]}, " if depthwise else ""
        kind = "dw_conv" if depthwise else "conv"
        yield f"const cmsis_nn_{kind}_params params = {{{offsets}, {multiplier}{moves}}};"
        first, last = (1, channels) if depthwise else (channels, source.shape[3])
        yield f"const cmsis_nn_dims filter = {{{first}, {kernel_h}, {kernel_w}, {last}}};"
    yield f"const cmsis_nn_dims in = {{{', '.join(map(str, source.shape))}}}, out = {{{', '.join(map(str, result.shape))}}};"


def _scratch_bytes(operation: Operation) -> int:
    """As much as any of the functions asks for: two columns of int16 inputs; with Helium four of int8, or of 124 channels of them."""
    if operation.kind == "dense":
        return 4
    window, channels = Window.over(operation), operation.operands[0].type.shape[3]
    return 4 * (max(channels, 124) * window.kernel[0] * window.kernel[1] + 8)
