"""Pooling, means over axes, and enlarging."""

from __future__ import annotations

import math

from lichen.errors import UnsupportedError
from lichen.frontends.aten.builder import Builder, Call, lowers
from lichen.frontends.aten.tensor import CHANNELS_LAST, CHANNELS_LAST_1D, Layout, Tensor
from lichen.ir.module import Value


@lowers("aten.max_pool2d.default", "aten.max_pool1d.default")
def max_pool(builder: Builder, call: Call) -> Tensor:
    if call.pair("dilation") != (1, 1):
        raise UnsupportedError("dilated pooling is not supported; use a dilation of 1")
    return _pool(builder, call, "max_pool2d", _image(builder, call), _own_padding(call))


@lowers("aten.avg_pool2d.default", "aten.avg_pool1d.default")
def avg_pool(builder: Builder, call: Call) -> Tensor:
    """Zeros that count are padded explicitly; zeros that do not are the operator's own padding."""
    if call.arguments.get("divisor_override") is not None:
        raise UnsupportedError("divisor_override is not supported; leave it out and scale the result")
    if call["ceil_mode"] and _ceiling_matters(call):
        raise UnsupportedError(
            "ceil_mode with windows that reach over the edge is not supported for averages; pad the input instead"
        )
    x, padding = _image(builder, call), _own_padding(call)
    if any(padding) and call["count_include_pad"]:
        top, bottom, left, right = padding
        before, after = (0, top, left, 0), (0, bottom, right, 0)
        shape = tuple(b + n + a for b, n, a in zip(before, x.type.shape, after, strict=True))
        x = builder.emit("pad", [x], shape, suffix="_padded", before=before, after=after, value=0.0)
        padding = (0, 0, 0, 0)
    return _pool(builder, call, "avg_pool2d", x, padding)


@lowers("aten.adaptive_avg_pool2d.default", "aten.adaptive_avg_pool1d.default", "aten._adaptive_avg_pool2d.default")
def adaptive_avg_pool(builder: Builder, call: Call) -> Tensor:
    """The mean of an image, or of equal tiles of it."""
    source = call.tensor("self")
    spatial = range(2, source.rank)
    if all(call.shape[d] == 1 for d in spatial):
        return _mean(builder, source, tuple(spatial), call.shape, keep=True)
    if any(source.shape[d] % call.shape[d] for d in spatial):
        raise UnsupportedError(
            f"{list(call.shape[2:])} tiles of {list(source.shape[2:])} pixels differ in size; choose an output size that divides the input"
        )
    x, layout = _image(builder, call), _layout(call)
    kernel = [1 if d is None else source.shape[d] // call.shape[d] for d in layout[1:3]]
    size = (kernel[0], kernel[1])
    value = builder.emit(
        "avg_pool2d", [x], _sizes(call, layout), kernel=size, stride=size, padding=(0, 0, 0, 0), activation="none"
    )
    return Tensor(value, call.shape, layout)


@lowers("aten.mean.dim")
def mean(builder: Builder, call: Call) -> Tensor:
    source = call.tensor("self")
    dimensions = call["dim"] or range(source.rank)
    return _mean(builder, source, tuple(d % source.rank for d in dimensions), call.shape, keep=call["keepdim"])


@lowers("aten.mean.default")
def mean_of_all(builder: Builder, call: Call) -> Tensor:
    source = call.tensor("self")
    return _mean(builder, source, tuple(range(source.rank)), call.shape, keep=False)


@lowers("aten.upsample_nearest2d.default", "aten.upsample_nearest2d.vec")
def upsample_nearest(builder: Builder, call: Call) -> Tensor:
    source = call.tensor("self" if "self" in call.arguments else "input")
    if any(call.shape[d] % source.shape[d] for d in (2, 3)):
        raise UnsupportedError(
            f"{list(source.shape[2:])} pixels can only be enlarged by whole factors, not to {list(call.shape[2:])}"
        )
    x = builder.arranged(source, CHANNELS_LAST)
    shape = _sizes(call, CHANNELS_LAST)
    value = builder.emit("resize_nearest", [x.value], shape, align_corners=False, half_pixel_centers=False)
    return Tensor(value, call.shape, CHANNELS_LAST)


def _mean(builder: Builder, source: Tensor, over: tuple[int, ...], shape: tuple[int, ...], keep: bool) -> Tensor:
    """Dimensions that vanish stay in the value as 1."""
    source = builder.unflattened(source)
    axes = tuple(i for i, d in enumerate(source.layout) if d in over)
    if not axes:
        return Tensor(source.value, shape, source.layout if keep else _without(source.layout, over))
    sizes = tuple(1 if i in axes else n for i, n in enumerate(source.value.type.shape))
    value = builder.emit("mean", [source.value], sizes, axes=axes, keep_dims=True)
    return Tensor(value, shape, source.layout if keep else _without(source.layout, over))


def _without(layout: Layout, removed: tuple[int, ...]) -> Layout:
    """The layout after PyTorch's dimensions `removed` are gone and the others have closed up."""

    def renumbered(d: int | None) -> int | None:
        return None if d is None or d in removed else d - sum(r < d for r in removed)

    return tuple(renumbered(d) for d in layout)


def _layout(call: Call) -> Layout:
    return CHANNELS_LAST_1D if len(call.shape) == 3 else CHANNELS_LAST


def _image(builder: Builder, call: Call) -> Value:
    source = call.tensor("self")
    if source.rank not in (3, 4) or source.rank != (3 if "1d" in str(call.node.target) else 4):
        raise UnsupportedError(
            f"an input of {source.rank} dimensions is not supported; give signals (1, C, L) or images (1, C, H, W)"
        )
    return builder.arranged(source, _layout(call)).value


def _sizes(call: Call, layout: Layout) -> tuple[int, ...]:
    return tuple(1 if d is None else call.shape[d] for d in layout)


def _spatial(call: Call, name: str) -> tuple[int, int]:
    """An argument as (height, width); for a signal the height is the neutral 1, or 0 for padding."""
    pair = call.pair(name)
    return pair if len(call.shape) == 4 else (0 if name == "padding" else 1, pair[1])


def _stride(call: Call) -> tuple[int, int]:
    return _spatial(call, "stride") if call["stride"] else _spatial(call, "kernel_size")


def _own_padding(call: Call) -> tuple[int, int, int, int]:
    """(top, bottom, left, right); with ceil_mode, bottom and right also hold what the last window reaches over the edge."""
    (height, width), kernel, stride = _spatial(call, "padding"), _spatial(call, "kernel_size"), _stride(call)
    if not call["ceil_mode"]:
        return (height, height, width, width)
    inputs, outputs = _extents(call)
    ends = [
        max(p, (n_out - 1) * s + k - n_in - p)
        for p, k, s, n_in, n_out in zip((height, width), kernel, stride, inputs, outputs, strict=True)
    ]
    return (height, ends[0], width, ends[1])


def _ceiling_matters(call: Call) -> bool:
    padding, kernel, stride = _spatial(call, "padding"), _spatial(call, "kernel_size"), _stride(call)
    inputs, outputs = _extents(call)
    floors = [math.floor((n + 2 * p - k) / s) + 1 for n, p, k, s in zip(inputs, padding, kernel, stride, strict=True)]
    return tuple(floors) != outputs


def _extents(call: Call) -> tuple[tuple[int, int], tuple[int, int]]:
    """(height, width) of the input and of the output."""

    def of(shape: tuple[int, ...]) -> tuple[int, int]:
        return (shape[2], shape[3]) if len(shape) == 4 else (1, shape[2])

    return of(call.tensor("self").shape), of(call.shape)


def _pool(builder: Builder, call: Call, kind: str, x: Value, padding: tuple[int, int, int, int]) -> Tensor:
    layout = _layout(call)
    value = builder.emit(
        kind,
        [x],
        _sizes(call, layout),
        kernel=_spatial(call, "kernel_size"),
        stride=_stride(call),
        padding=padding,
        activation="none",
    )
    return Tensor(value, call.shape, layout)
