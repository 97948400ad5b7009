"""Classes that appear in the field: the class map, the mask of free neurons, what is predicted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.errors import VerifyError
from lichen.ir.interpret import Interpreter
from lichen.ir.parse import parse_module
from lichen.learning.choice import Last
from lichen.learning.trainable import make_trainable
from lichen.ops.class_map import NO_LABEL, NO_SCORE, NONE
from lichen.passes.gradient_descent import GradientDescent
from native_check import run_natively
from online_strategies import assign_class, best_class, class_map, counts, i32, label_of, mask_classes, with_state
from online_streams import assert_native_streams, run_stream, samples
from ops_oracle import f32, run

LABELS = np.array([[7], [3], [7], [2**31 - 1], [-1], [9], [3], [-5], [0]], np.int32)


@given(st.lists(st.integers(-2, 6), max_size=40), st.integers(1, 6))
def test_labels_get_neurons_in_the_order_of_their_coming(stream: list[int], capacity: int) -> None:
    """A known label keeps its neuron, a new one gets the next; one too many is refused, and so is what is no label."""
    module = assign_class(class_map(capacity=capacity))
    interpreter, known = Interpreter(module), []
    for label in stream:
        if label >= 0 and label not in known and len(known) < capacity:
            known.append(label)
        neuron, labels = interpreter.run([np.array([label], np.int32)])
        expected = NO_LABEL if label < 0 else known.index(label) if label in known else NONE
        assert neuron.tolist() == [expected]
        np.testing.assert_array_equal(labels, class_map(*known, capacity=capacity))


@pytest.mark.parametrize(("neuron", "label"), [(0, 7), (1, 3), (2, -1), (3, -1), (-1, -1), (-2, -1), (2**31 - 1, -1)])
def test_neurons_have_labels(neuron: int, label: int) -> None:
    """The label each was assigned; none for a free neuron or one that does not exist."""
    assert run(label_of(class_map(7, 3, capacity=3)), np.array([neuron], np.int32))[0].tolist() == [label]


def test_the_best_class_is_the_first_of_the_largest() -> None:
    """Scores that are not numbers, and those of masked classes, are never the best."""
    for scores, best in (
        ([1, 3, 2], 1),
        ([2, 5, 5], 1),
        ([-1e20, -5e29, -2e30], 0),
        ([np.nan, -3, np.nan], 1),
        ([NO_SCORE, 0, NO_SCORE], 1),
        ([NO_SCORE, -np.inf, np.nan], -1),
        ([-np.inf, np.inf, 0], 1),
    ):
        assert run(best_class(3), np.array(scores, np.float32))[0].tolist() == [best]


def test_a_mask_hides_free_neurons() -> None:
    """They have the value given, the others keep theirs, NaN included."""
    x = np.array([[1, np.nan, 3, np.inf]], np.float32)
    y, _ = run(mask_classes(class_map(5, 0, capacity=4), 1, 4, fill=0.0), x)
    np.testing.assert_array_equal(y, np.array([[1, np.nan, 0, 0]], np.float32))


GROWING = """
module growing {
  state $labels : i32[3] = "////////////////"
  func infer(%x : f32[1, 3], %label : i32[1]) {
    %before = mask_classes(%x, $labels) {fill = -1e30} : f32[1, 3]
    %best = best_class(%before) : i32[1]
    %predicted = label_of(%best, $labels) : i32[1]
    %neuron = assign_class(%label, $labels) : i32[1]
    %after = mask_classes(%x, $labels) {fill = -1e30} : f32[1, 3]
    %odds = softmax(%after) {beta = 1.0} : f32[1, 3]
    return %predicted, %neuron, %odds
  }
}
"""


MASKED = """
module masked {
  const @w : f32[3, 2] = "AACAPwAAAAAAAAAAAACAPwAAgD8AAIA/"
  state $labels : i32[3] = "BQAAAAMAAAD/////"
  func infer(%x : f32[1, 2]) {
    %y = dense(%x, @w) {activation = "none"} : f32[1, 3]
    %z = mask_classes(%y, $labels) {fill = 2.0} : f32[1, 3]
    return %z
  }
}
"""


def test_free_neurons_have_no_gradient() -> None:
    """Learning through a mask moves the weights of the classes that exist and leaves the others, whatever their error."""
    module = make_trainable(parse_module(MASKED), Last(1), "mean_squared_error", GradientDescent(0.5))
    learner = Interpreter(module, "learn")
    learner.run([np.array([[2, 1]], np.float32), np.array([[1, 1, 7]], np.float32)])
    (weights,) = (array for state, array in learner.state.items() if state.name == "w")
    step = 0.5 * 2 / 3  # rate, and the derivative of the mean of squares
    np.testing.assert_allclose(weights, [[1 - step * 2, -step], [0, 1], [1, 1]], rtol=1e-6)


def test_a_classifier_grows() -> None:
    """Nothing is predicted before the first class; probabilities are shared by the classes that exist; a fourth is refused."""
    module = parse_module(GROWING)
    x = np.tile(np.array([0, 0, 1], np.float32), (6, 1, 1))
    stream = samples(x, np.array([[4], [8], [4], [6], [5], [5]], np.int32))
    predicted, neuron, odds = run_stream(module, stream)
    assert predicted[:, 0].tolist() == [-1, 4, 4, 4, 6, 6]
    assert neuron[:, 0].tolist() == [0, 1, 0, 2, -1, -1]
    np.testing.assert_allclose(odds[:2, 0], [[1, 0, 0], [0.5, 0.5, 0]])
    np.testing.assert_allclose(odds[3:, 0], np.tile(np.exp([0, 0, 1]) / (2 + np.e), (3, 1)), rtol=1e-6)
    for expected, got in zip(
        (predicted, neuron, odds), zip(*run_natively([module], [stream])[0], strict=True), strict=True
    ):
        np.testing.assert_allclose(np.stack(got), expected, rtol=1e-6)


def test_native_code_equals_the_interpreter() -> None:
    """Maps that are empty, filling and full; scores of every kind."""
    rng = np.random.default_rng(0)
    scores = rng.choice(np.array([0, 1, -2, np.nan, np.inf, -np.inf, -1e30, -1e29], np.float32), (50, 1, 4))
    labels = samples(LABELS)
    known = class_map(7, 3, capacity=4)
    assert_native_streams(
        [
            assign_class(class_map(capacity=3)),
            assign_class(class_map(1, 2)),
            label_of(known),
            best_class(1, 4),
            mask_classes(known, 1, 4),
        ],
        [labels, labels, samples(np.arange(-3, 7, dtype=np.int32)[:, None]), samples(scores), samples(scores)],
    )


def test_wrong_types_are_refused() -> None:
    """A map of another rank or type, a label that is a vector, a mask of another size."""
    one, known = [i32(1)], class_map(1, capacity=3)
    for kind, operands, results, attributes, sentence in (
        ("assign_class", [i32(2), known], one, {}, "label must be a single number, not 2"),
        ("assign_class", [i32(1), counts(2, 2)], one, {}, "class map must have one axis, not 2"),
        ("assign_class", [i32(1), known.astype(np.float32)], one, {}, "class map must be i32"),
        ("label_of", [f32(1), known], one, {}, "neuron must be i32"),
        ("best_class", [i32(3)], one, {}, "scores must be f32"),
        ("mask_classes", [f32(4), known], [f32(4)], {"fill": 0.0}, "4 values for a class map of 3"),
        ("mask_classes", [f32(3), known], [f32(3)], {"fill": -1e39}, "fill is -1e"),
    ):
        with pytest.raises(VerifyError, match=sentence):
            with_state(kind, operands, results, attributes)
