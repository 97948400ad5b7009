"""Geometry of a sliding window: what convolutions and poolings share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lichen.ir.accesses import Accesses
from lichen.ir.module import Array, Attribute, Operation
from lichen.ir.operator import require
from lichen.ir.types import TensorType
from lichen.ops.attributes import integers
from lichen.ops.params import int16_params


@dataclass(frozen=True)
class Window:
    """A window of `kernel` taps, `dilation` apart, moved by `stride` over an input padded by (top, bottom, left, right)."""

    in_h: int
    in_w: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]

    @staticmethod
    def of(operation: Operation, kernel: tuple[int, int], source: TensorType | None = None) -> Window:
        """The window of an operation with attributes `stride`, `padding` and, optionally, `dilation`, over its first operand or
        over a tensor of type `source`. Raises `VerifyError`.
        """
        source = source or operation.operands[0].type
        require(
            source.rank == 4 and source.shape[0] == 1,
            f"the input must be (1, height, width, channels), not {list(source.shape)}",
        )
        stride, padding = integers(operation, "stride", 2, 1), integers(operation, "padding", 4, 0)
        dilation = integers(operation, "dilation", 2, 1) if "dilation" in operation.attributes else (1, 1)
        top, bottom, left, right = padding
        window = Window(
            source.shape[1],
            source.shape[2],
            kernel,
            (stride[0], stride[1]),
            (dilation[0], dilation[1]),
            (top, bottom, left, right),
        )
        reach_h, reach_w = window.reach
        require(
            max(padding[:2]) < reach_h and max(padding[2:]) < reach_w,
            f"padding {padding} leaves windows that see only padding",
        )
        require(
            window.out_h >= 1 and window.out_w >= 1, f"the window {reach_h}x{reach_w} is larger than the padded input"
        )
        return window

    @staticmethod
    def over(operation: Operation) -> Window:
        """The window of a convolution, depthwise or not, or a pooling. Raises `VerifyError`."""
        if "kernel" in operation.attributes:
            kernel_h, kernel_w = integers(operation, "kernel", 2, 1)
        else:
            kernel_h, kernel_w = operation.operands[1].type.shape[1:3]
        return Window.of(operation, (kernel_h, kernel_w))

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns from the first tap to the last, both included."""
        return (self.kernel[0] - 1) * self.dilation[0] + 1, (self.kernel[1] - 1) * self.dilation[1] + 1

    @property
    def out_h(self) -> int:
        return (self.in_h + self.padding[0] + self.padding[1] - self.reach[0]) // self.stride[0] + 1

    @property
    def out_w(self) -> int:
        return (self.in_w + self.padding[2] + self.padding[3] - self.reach[1]) // self.stride[1] + 1

    def patches(self, x: Array, fill: float) -> Array:
        """All windows of `x` (1, H, W, C): a view (out_h, out_w, kernel_h, kernel_w, C) of `x` with `fill` around it."""
        windows = sliding_window_view(self._padded(x, fill), self.reach, axis=(0, 1))
        (stride_h, stride_w), (dilation_h, dilation_w) = self.stride, self.dilation
        return windows[::stride_h, ::stride_w, :, ::dilation_h, ::dilation_w].transpose(0, 1, 3, 4, 2)

    def _padded(self, x: Array, fill: float) -> Array:
        top, bottom, left, right = self.padding
        if not any(self.padding):
            image: Array = x[0]
            return image
        padded = np.full((top + self.in_h + bottom, left + self.in_w + right, x.shape[3]), fill, x.dtype)
        padded[top : top + self.in_h, left : left + self.in_w] = x[0]
        return padded

    def scatter(self, patches: Array) -> Array:
        """The adjoint of `patches`: each input element (1, H, W, C) is the sum of what all windows hold for it, in double."""
        top, bottom, left, right = self.padding
        padded = np.zeros((top + self.in_h + bottom, left + self.in_w + right, patches.shape[-1]), np.float64)
        (stride_h, stride_w), (dilation_h, dilation_w) = self.stride, self.dilation
        for ky, kx in np.ndindex(self.kernel):
            y, x = ky * dilation_h, kx * dilation_w
            padded[y : y + self.out_h * stride_h : stride_h, x : x + self.out_w * stride_w : stride_w][
                : self.out_h, : self.out_w
            ] += patches[:, :, ky, kx]
        return padded[None, top : top + self.in_h, left : left + self.in_w]

    def inside(self) -> Array:
        """How many taps of each window fall inside the input: an array (out_h, out_w)."""
        ones = np.ones((1, self.in_h, self.in_w, 1), np.int64)
        counts: Array = self.patches(ones, 0).sum(axis=(2, 3, 4))
        return counts

    def accesses(self, source: TensorType, result: TensorType) -> Accesses:
        """One access an output pixel, in raster order: the hull of its window is read, all its channels are written."""
        pixel_in, pixel_out = source.shape[3] * source.dtype.size, result.shape[3] * result.dtype.size
        oy, ox = (grid.ravel() for grid in np.mgrid[: self.out_h, : self.out_w].astype(np.int64))
        y, x = oy * self.stride[0] - self.padding[0], ox * self.stride[1] - self.padding[2]
        first = np.maximum(y, 0) * self.in_w + np.maximum(x, 0)
        last_y, last_x = np.minimum(y + self.reach[0], self.in_h) - 1, np.minimum(x + self.reach[1], self.in_w) - 1
        reads = np.stack([first, last_y * self.in_w + last_x + 1], axis=1) * pixel_in
        index = np.arange(len(oy), dtype=np.int64)
        return Accesses({0: reads}, {0: np.stack([index, index + 1], axis=1) * pixel_out})

    def band_accesses(self, source: TensorType, result: TensorType, rows: int) -> Accesses:
        """One access for each band of `rows` rows of the result, or what is left at the end, whose reads and writes interleave."""
        row_in, row_out = (t.shape[2] * t.shape[3] * t.dtype.size for t in (source, result))
        begin = np.arange(0, self.out_h, rows, dtype=np.int64)
        end = np.minimum(begin + rows, self.out_h)
        first = np.maximum(begin * self.stride[0] - self.padding[0], 0)
        last = np.minimum((end - 1) * self.stride[0] - self.padding[0] + self.reach[0], self.in_h)
        return Accesses({0: np.stack([first, last], axis=1) * row_in}, {0: np.stack([begin, end], axis=1) * row_out})

    def params(
        self, operation: Operation, source: TensorType | None = None, result: TensorType | None = None
    ) -> dict[str, int | float]:
        """The leading members of the params struct that all window kernels share. Raises `UnsupportedError`.

        The window leads from `source` to `result`, by default from the first operand to the first result.
        """
        source, result = source or operation.operands[0].type, result or operation.results[0].type
        return int16_params(
            operation,
            in_h=self.in_h,
            in_w=self.in_w,
            in_c=source.shape[3],
            out_w=self.out_w,
            out_c=result.shape[3],
            kernel_h=self.kernel[0],
            kernel_w=self.kernel[1],
            stride_h=self.stride[0],
            stride_w=self.stride[1],
            dilation_h=self.dilation[0],
            dilation_w=self.dilation[1],
            pad_top=self.padding[0],
            pad_left=self.padding[2],
        )


def window_attributes(operation: Operation) -> dict[str, Attribute]:
    """The attributes of `operation` that say how a window moves."""
    return {key: operation.attributes[key] for key in ("stride", "padding", "dilation") if key in operation.attributes}
