"""Tensor types: shape, element type and quantisation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from lichen.errors import VerifyError

MAX_ELEMENTS = 1 << 28  # far beyond any microcontroller; keeps a damaged file from asking for all of the host's memory
MAX_RANK = 8
SMALLEST_SCALE, LARGEST_SCALE = (float(limit) for limit in (np.finfo(np.float32).tiny, np.finfo(np.float32).max))


class DType(Enum):
    """Element type; the value is how it stands in the text form."""

    INT8 = "i8"
    UINT8 = "u8"
    INT16 = "i16"
    INT32 = "i32"
    INT64 = "i64"
    FLOAT32 = "f32"
    BOOL = "b1"

    @property
    def numpy(self) -> np.dtype[np.generic]:
        return np.dtype(_NUMPY[self])

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize

    @property
    def is_float(self) -> bool:
        return self is DType.FLOAT32

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value of an integer type."""
        bits = 8 * self.size
        return (0, 2**bits - 1) if self is DType.UINT8 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    @staticmethod
    def of(dtype: np.dtype[np.generic]) -> DType:
        """The element type of a NumPy array; raises `VerifyError` for one that has no counterpart."""
        for ours, theirs in _NUMPY.items():
            if np.dtype(theirs) == dtype:
                return ours
        raise VerifyError(f"element type {dtype} is not supported; use one of {', '.join(_NUMPY.values())}")


_NUMPY = {
    DType.INT8: "int8",
    DType.UINT8: "uint8",
    DType.INT16: "int16",
    DType.INT32: "int32",
    DType.INT64: "int64",
    DType.FLOAT32: "float32",
    DType.BOOL: "bool",
}


@dataclass(frozen=True)
class Quantisation:
    """Affine quantisation, `real = scale * (stored - zero_point)`: one pair for the tensor, or one per index of `axis`."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None

    def __post_init__(self) -> None:
        if not self.scale or len(self.scale) != len(self.zero_point):
            raise VerifyError(f"{len(self.scale)} scales do not go with {len(self.zero_point)} zero points")
        if self.axis is None and len(self.scale) != 1:
            raise VerifyError(f"{len(self.scale)} scales need the axis they run along")
        if not all(SMALLEST_SCALE <= s <= LARGEST_SCALE for s in self.scale):
            raise VerifyError("a quantisation scale is not a positive number in the range of float32")

    @staticmethod
    def per_tensor(scale: float, zero_point: int) -> Quantisation:
        return Quantisation((float(scale),), (int(zero_point),))

    @property
    def is_per_channel(self) -> bool:
        return self.axis is not None


@dataclass(frozen=True)
class TensorType:
    """A static shape (NHWC where spatial, the leading batch of 1 included), an element type and, if quantised, how."""

    shape: tuple[int, ...]
    dtype: DType
    quantisation: Quantisation | None = None

    def __post_init__(self) -> None:
        if len(self.shape) > MAX_RANK or any(d < 1 for d in self.shape) or math.prod(self.shape) > MAX_ELEMENTS:
            raise VerifyError(
                f"shape {list(self.shape)} is not usable: up to {MAX_RANK} dimensions, each at least 1, {MAX_ELEMENTS} elements at most"
            )
        q = self.quantisation
        if q is None:
            return
        if self.dtype.is_float or self.dtype is DType.BOOL:
            raise VerifyError(f"a tensor of {self.dtype.value} cannot be quantised")
        if q.axis is not None and not (0 <= q.axis < len(self.shape) and len(q.scale) == self.shape[q.axis]):
            raise VerifyError(f"{len(q.scale)} scales along axis {q.axis} do not match shape {list(self.shape)}")
        lowest, highest = self.dtype.range
        if not all(lowest <= z <= highest for z in q.zero_point):
            raise VerifyError(f"a zero point lies outside the range of {self.dtype.value}")

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * self.dtype.size

    @property
    def scale(self) -> float:
        """The scale of a per-tensor quantised type; raises `VerifyError` otherwise."""
        return self._per_tensor().scale[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a per-tensor quantised type; raises `VerifyError` otherwise."""
        return self._per_tensor().zero_point[0]

    def with_shape(self, *shape: int) -> TensorType:
        return replace(self, shape=tuple(shape))

    def _per_tensor(self) -> Quantisation:
        if self.quantisation is None:
            raise VerifyError(
                f"a tensor of {self.dtype.value} {list(self.shape)} has no quantisation but its operator needs it"
            )
        if self.quantisation.is_per_channel:
            raise VerifyError(
                f"a tensor of {self.dtype.value} {list(self.shape)} is quantised per channel where one scale is needed"
            )
        return self.quantisation
