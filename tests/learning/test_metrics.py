"""Metrics worked out on the host, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from lichen.learning.metrics import RegressionErrors, accuracy, f1_scores, macro_f1

pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40)


@settings(deadline=None)
@given(pairs)
def test_metrics_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    """Accuracy, F1 of each class and macro F1 of any predictions; classes of the capacity that never appeared do not count."""
    actual, predicted = np.array(pairs).T
    matrix = confusion_matrix(actual, predicted, labels=range(8)).astype(np.int32)
    assert accuracy(matrix) == pytest.approx(accuracy_score(actual, predicted))
    assert macro_f1(matrix) == pytest.approx(f1_score(actual, predicted, average="macro", zero_division=0))
    scores = f1_scores(matrix)
    known = np.union1d(actual, predicted)
    assert np.flatnonzero(~np.isnan(scores)).tolist() == known.tolist()
    np.testing.assert_allclose(scores[known], f1_score(actual, predicted, average=None, zero_division=0))


def test_nothing_counted_is_no_number() -> None:
    """An empty matrix has no accuracy."""
    empty = np.zeros((3, 3), np.int32)
    assert math.isnan(accuracy(empty)) and math.isnan(macro_f1(empty))


def test_counts_do_not_overflow() -> None:
    """Each fits 32 bits, their sum need not."""
    matrix = np.full((2, 2), 2**31 - 1, np.int32)
    assert accuracy(matrix) == 0.5 and macro_f1(matrix) == 0.5


def test_errors_of_a_regression() -> None:
    """What rounding kept out of the means is part of them."""
    errors = RegressionErrors.of(np.array([[16, 1e-7], [3, -1e-7]], np.float32))
    assert (errors.mse, errors.rmse, errors.mae) == (
        pytest.approx(16 + 1e-7, abs=1e-12),
        pytest.approx(4),
        pytest.approx(3 - 1e-7, abs=1e-12),
    )
