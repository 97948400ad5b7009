"""Reading attributes whose Python type alone does not say that they are usable."""

from __future__ import annotations

from lichen.ir.module import Operation
from lichen.ir.operator import require
from lichen.ir.types import TensorType

_LARGEST = 2**15 - 1  # what a kernel's params hold; also keeps a damaged file from asking for all of the host's memory
_SCALE_TOLERANCE = 1e-6  # what TensorFlow Lite Micro lets pass as the same scale


def integers(operation: Operation, key: str, count: int, least: int) -> tuple[int, ...]:
    """Attribute `key` as `count` integers, none below `least`. Raises `VerifyError`."""
    values = operation.attributes[key]
    require(
        isinstance(values, tuple)
        and len(values) == count
        and all(type(v) is int and least <= v <= _LARGEST for v in values),
        f"{key} {values} is not {count} integers from {least} to {_LARGEST}",
    )
    return operation.ints_attribute(key)


def check_same_quantisation(source: TensorType, result: TensorType) -> None:
    """Stored values may pass from `source` to `result` as they are. Raises `VerifyError`."""
    require(
        source.dtype is result.dtype,
        f"{source.dtype.value} input and {result.dtype.value} result: both must be the same",
    )
    if source.quantisation is not None or result.quantisation is not None:
        same = source.zero_point == result.zero_point and abs(source.scale - result.scale) <= _SCALE_TOLERANCE
        require(same, "input and result must have the same scale and zero point")
