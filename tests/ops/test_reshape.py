"""Reshape renames memory."""

from __future__ import annotations

import numpy as np
import pytest

from lichen.errors import VerifyError
from lichen.ir.operator import operator
from lichen.ir.types import DType, TensorType
from native_check import assert_native_equals_interpreter
from ops_oracle import f32, i8, one_op, run


@pytest.mark.parametrize("dtype", list(DType))
def test_keeps_elements_in_order(dtype: DType) -> None:
    """Any element type, and a scalar."""
    x = np.arange(6).astype(dtype.numpy).reshape(1, 6)
    module = one_op("reshape", [TensorType((1, 6), dtype)], [TensorType((3, 2), dtype)])
    np.testing.assert_array_equal(run(module, x)[0], x.reshape(3, 2))
    assert run(one_op("reshape", [f32(1, 1)], [f32()]), np.ones((1, 1), np.float32))[0].shape == ()


def test_is_a_view() -> None:
    """No code and no copy: the result is the operand's memory, in C too."""
    assert operator("reshape").is_view
    assert_native_equals_interpreter([one_op("reshape", [i8(2, 6)], [i8(3, 4)])])


def test_type_rule() -> None:
    """The number of elements, their type and their quantisation stay."""
    for x, result in [(i8(4), i8(5)), (i8(4), f32(4)), (i8(4, scale=0.1), i8(4, scale=0.2)), (i8(4, zero=1), i8(4))]:
        with pytest.raises(VerifyError):
            one_op("reshape", [x], [result])
