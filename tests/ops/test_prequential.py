"""Prequential metrics in the graph: the confusion matrix of a classifier, the errors of a regression."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from lichen.errors import VerifyError
from online_strategies import count_confusion, counts, i32, track_error, with_state, zeros
from online_streams import assert_native_streams, run_stream, samples
from ops_oracle import f32


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_counts_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    """Rows are true classes, columns predicted ones."""
    actual, predicted = np.array(pairs, np.int32).T
    matrix = run_stream(count_confusion(4), samples(actual[:, None], predicted[:, None]))[0]
    np.testing.assert_array_equal(matrix[-1], confusion_matrix(actual, predicted, labels=range(4)))


@pytest.mark.parametrize("bad", [-1, -2, 3, 2**31 - 1, -(2**31)])
def test_what_is_no_class_is_not_counted(bad: int) -> None:
    """Neither as the true class nor as the prediction."""
    pairs = np.array([[bad, 0], [0, bad], [bad, bad], [1, 2]], np.int32)
    matrix = run_stream(count_confusion(3), samples(pairs[:, :1], pairs[:, 1:]))[0]
    assert matrix[2].sum() == 0 and matrix[3].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_counting_stops_at_the_largest_number() -> None:
    """Rather than become negative."""
    full = np.array([[2**31 - 2, 0], [0, 0]], np.int32)
    module = with_state("count_confusion", [full, i32(1), i32(1)], [])
    stream = samples(np.zeros((3, 1), np.int32), np.zeros((3, 1), np.int32))
    assert run_stream(module, stream)[0][:, 0, 0].tolist() == [2**31 - 1] * 3
    assert_native_streams([module], [stream])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 100), st.floats(-8, 8).map(lambda e: 10.0**e))
def test_errors_are_the_means(seed: int, length: int, scale: float) -> None:
    """Mean squared and mean absolute error over all samples and elements."""
    rng = np.random.default_rng(seed)
    prediction, target = (scale * rng.normal(size=(2, length, 1, 3))).astype(np.float32)
    errors, count = run_stream(track_error(1, 3), samples(prediction, target))
    difference = prediction.astype(np.float64) - target
    assert count[-1] == length
    np.testing.assert_allclose(errors[-1, :, 0], [(difference**2).mean(), np.abs(difference).mean()], rtol=3e-6)


def test_old_errors_fade() -> None:
    """With forgetting the errors are those of the newest samples."""
    prediction = np.concatenate([np.full((200, 1), 9.0), np.full((200, 1), 2.0)]).astype(np.float32)
    errors, _ = run_stream(track_error(1, forgetting=0.05), samples(prediction, np.zeros_like(prediction)))
    np.testing.assert_allclose(errors[199, :, 0], [81, 9], rtol=1e-6)
    np.testing.assert_allclose(errors[399, :, 0], [4, 2], rtol=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e16])
def test_what_is_no_number_is_not_counted(bad: float) -> None:
    """Neither in the prediction nor in the target; state stays to the bit."""
    prediction, target = np.ones((2, 4, 2), np.float32)
    prediction[1, 1], target[2, 0] = bad, bad
    errors, count = run_stream(track_error(2), samples(prediction, target + 1))
    assert count[:, 0].tolist() == [1, 1, 1, 2] and errors[:, 0, 0].tolist() == [1, 1, 1, 1]


def test_native_code_equals_the_interpreter() -> None:
    """Both metrics at every sample, with what is not to be counted."""
    rng = np.random.default_rng(0)
    actual, predicted = rng.integers(-2, 6, (2, 60, 1)).astype(np.int32)
    prediction, target = rng.normal(size=(2, 60, 1, 5)).astype(np.float32)
    prediction[10, 0, 4], target[20, 0, 0] = np.nan, np.inf
    assert_native_streams(
        [count_confusion(4), track_error(1, 5), track_error(1, 5, forgetting=0.1)],
        [samples(actual, predicted), *[samples(prediction, target)] * 2],
    )


def test_wrong_types_are_refused() -> None:
    """A matrix that is not square or not of integers, predictions of another shape than targets."""
    for kind, operands, attributes, sentence in (
        ("count_confusion", [counts(2, 3), i32(1), i32(1)], {}, r"square, not \[2, 3\]"),
        ("count_confusion", [zeros(2, 2), i32(1), i32(1)], {}, "confusion matrix must be i32"),
        ("count_confusion", [counts(2, 2), i32(1), f32(1)], {}, "predicted class must be i32"),
        ("track_error", [zeros(2, 2), counts(1), f32(3), f32(1, 3)], {"forgetting": 0.0}, "target must be f32"),
        ("track_error", [zeros(2), counts(1), f32(3), f32(3)], {"forgetting": 0.0}, "state of the errors must be f32"),
    ):
        with pytest.raises(VerifyError, match=sentence):
            with_state(kind, operands, [], attributes)
