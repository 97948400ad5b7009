"""Type rules for operands and results that are plain numbers, not quantised ones."""

from __future__ import annotations

from lichen.ir.module import Value
from lichen.ir.operator import require
from lichen.ir.types import DType


def check_plain(value: Value, role: str, dtype: DType, shape: tuple[int, ...] | None = None) -> None:
    """Raises `VerifyError` unless `value` is unquantised and of that type; without a `shape`, any will do."""
    found = value.type
    wanted = dtype.value if shape is None else f"{dtype.value}{list(shape)}"
    require(
        found.dtype is dtype and found.quantisation is None and shape in (None, found.shape),
        f"the {role} must be {wanted} without quantisation, not {found.dtype.value}{list(found.shape)}",
    )


def check_one(value: Value, role: str, dtype: DType) -> None:
    """Raises `VerifyError` unless `value` is a single unquantised number of that type, in whatever shape."""
    check_plain(value, role, dtype)
    require(value.type.elements == 1, f"the {role} must be a single number, not {value.type.elements}")
