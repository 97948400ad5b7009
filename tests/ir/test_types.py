"""Tensor types refuse what no tensor can be."""

import pytest

from graphs import int8
from lichen.errors import VerifyError
from lichen.ir.types import DType, Quantisation, TensorType


@pytest.mark.parametrize("shape", [(0,), (1, -3), (1 << 20, 1 << 20), (1,) * 9])
def test_impossible_shapes_are_refused(shape: tuple[int, ...]) -> None:
    """Empty, negative, huge and many-dimensional shapes never become a type."""
    with pytest.raises(VerifyError, match="shape"):
        TensorType(shape, DType.INT8)


@pytest.mark.parametrize(
    ("scale", "zero", "axis"),
    [
        ((0.0,), (0,), None),
        ((-1.0,), (0,), None),
        ((float("nan"),), (0,), None),
        ((float("inf"),), (0,), None),
        ((1.0, 2.0), (0,), 0),
        ((), (), None),
        ((1.0, 2.0), (0, 0), None),
    ],
)
def test_impossible_quantisation_is_refused(scale: tuple[float, ...], zero: tuple[int, ...], axis: int | None) -> None:
    """Scales are positive and finite, one for each zero point, and several of them need an axis."""
    with pytest.raises(VerifyError):
        Quantisation(scale, zero, axis)


def test_quantisation_must_match_its_tensor() -> None:
    """Per-channel scales match the axis, zero points the element type, and floats are not quantised."""
    with pytest.raises(VerifyError, match="do not match"):
        TensorType((2, 3), DType.INT8, Quantisation((1.0, 1.0), (0, 0), 1))
    with pytest.raises(VerifyError, match="zero point"):
        int8((4,), zero_point=128)
    with pytest.raises(VerifyError, match="cannot be quantised"):
        TensorType((4,), DType.FLOAT32, Quantisation.per_tensor(1.0, 0))


def test_bytes_count_elements_and_their_size() -> None:
    """`bytes` is what the tensor takes in memory."""
    assert TensorType((2, 3), DType.FLOAT32).bytes == 24
    assert TensorType((), DType.INT8).bytes == 1
