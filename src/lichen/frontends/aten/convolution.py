"""Convolutions of images and of signals, which are images of height 1."""

from __future__ import annotations

from lichen.errors import UnsupportedError
from lichen.frontends.aten.builder import Builder, Call, lowers
from lichen.frontends.aten.tensor import CHANNELS_LAST, CHANNELS_LAST_1D, Tensor, array


@lowers(
    "aten.conv2d.default",
    "aten.conv2d.padding",
    "aten.conv1d.default",
    "aten.conv1d.padding",
    "aten.convolution.default",
)
def convolution(builder: Builder, call: Call) -> Tensor:
    """Weights (O, C / groups, kernel…) become (O, kernel_h, kernel_w, C), or (1, kernel_h, kernel_w, O) if depthwise."""
    if call.arguments.get("transposed"):
        raise UnsupportedError("transposed convolutions are not supported; upsample, then convolve")
    source = call.tensor("input")
    weights = array(call.constant("weight"))
    is_signal = weights.ndim == 3
    if source.rank != weights.ndim or source.rank not in (3, 4):
        raise UnsupportedError(
            f"an input of {source.rank} dimensions is not supported; give signals (1, C, L) or images (1, C, H, W)"
        )
    layout = CHANNELS_LAST_1D if is_signal else CHANNELS_LAST
    x = builder.arranged(source, layout)
    if is_signal:
        weights = weights[:, :, None, :]
    stride, dilation = _spatial(call, "stride", is_signal), _spatial(call, "dilation", is_signal)
    padding = _padding(call, weights.shape[2:], dilation, is_signal)
    groups, channels = call["groups"], source.shape[1]
    if groups == 1:
        kind, packed = "conv2d", weights.transpose(0, 2, 3, 1)
    elif groups == channels:
        kind, packed = "depthwise_conv2d", weights.transpose(1, 2, 3, 0)
    else:
        raise UnsupportedError(
            f"{groups} groups for {channels} channels are not supported: use 1, or {channels} for a depthwise convolution"
        )
    bias = call.optional("bias")
    operands = [x.value, builder.constant("weights", packed)]
    operands += [] if bias is None else [builder.constant("bias", bias)]
    shape = tuple(1 if d is None else call.shape[d] for d in layout)
    value = builder.emit(kind, operands, shape, stride=stride, padding=padding, dilation=dilation, activation="none")
    return Tensor(value, call.shape, layout)


def _spatial(call: Call, name: str, is_signal: bool) -> tuple[int, int]:
    return (1, call.pair(name)[1]) if is_signal else call.pair(name)


def _padding(
    call: Call, kernel: tuple[int, ...], dilation: tuple[int, int], is_signal: bool
) -> tuple[int, int, int, int]:
    """(top, bottom, left, right)."""
    padding = call["padding"]
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":  # what does not divide by two goes to the bottom and the right
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return (total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2)
    height, width = call.pair("padding")
    return (0, 0, width, width) if is_signal else (height, height, width, width)
