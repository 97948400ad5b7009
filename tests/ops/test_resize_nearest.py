"""Nearest-neighbour resizing against TensorFlow Lite Micro, native C and its own rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import UnsupportedError, VerifyError
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ir.types import TensorType
from native_check import assert_native_equals_interpreter, random_input
from ops_oracle import f32, i8, one_op, run
from strategies import micro, resize_modules

ATTRIBUTES = {"align_corners": False, "half_pixel_centers": False}


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_it_copies_the_pixels_that_tflm_copies(dtype: str) -> None:
    """Every ratio of sizes, both ways, in each mode: the same values."""

    @settings(max_examples=80, deadline=None)
    @given(resize_modules(dtype))
    def check(module: Module) -> None:
        (operation,) = module.infer.operations
        x = random_input(operation.operands[0].type, np.random.default_rng(0))
        options = {
            "AlignCorners": operation.attributes["align_corners"],
            "HalfPixelCenters": operation.attributes["half_pixel_centers"],
        }
        size = np.array(operation.results[0].type.shape[1:3], np.int32)
        np.testing.assert_array_equal(run(module, x)[0], micro("RESIZE_NEAREST_NEIGHBOR", module, x, options, (size,)))

    check()


@settings(max_examples=2, deadline=None)
@given(st.lists(st.one_of(resize_modules("int8"), resize_modules("float32")), min_size=10, max_size=10))
def test_native_equals_the_interpreter(modules: list[Module]) -> None:
    """Growing and shrinking, planned so that output overlaps input: the C gives what the interpreter gives."""
    assert_native_equals_interpreter(modules)


@pytest.mark.parametrize(
    ("x", "result"),
    [
        (i8(1, 2, 2, 3), i8(1, 4, 4, 2)),
        (i8(2, 2, 2, 3), i8(2, 4, 4, 3)),
        (i8(2, 2, 3), i8(4, 4, 3)),
        (i8(1, 2, 2, 3), i8(1, 4, 4, 3, zero=1)),
        (i8(1, 2, 2, 3), f32(1, 4, 4, 3)),
    ],
)
def test_what_does_not_hold_together_is_refused(x: TensorType, result: TensorType) -> None:
    """Shapes or types that contradict each other end in a `VerifyError`."""
    with pytest.raises(VerifyError, match="resize_nearest"):
        one_op("resize_nearest", [x], [result], ATTRIBUTES)


def test_sizes_beyond_16_bits_have_no_kernel() -> None:
    """Rows that the table of sources could not number are refused, by name."""
    module = one_op("resize_nearest", [i8(1, 40000, 1, 1)], [i8(1, 2, 1, 1)], ATTRIBUTES)
    with pytest.raises(UnsupportedError, match="in_h is 40000"):
        operator("resize_nearest").lower(module.infer.operations[0], PLAIN)
