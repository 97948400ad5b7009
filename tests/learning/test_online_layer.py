"""The online layer against TinyOL's loop written out in NumPy, in the interpreter and in C."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from learning_nets import mlp
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.errors import InputError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Function, Module
from lichen.learning.choice import Head
from lichen.learning.metrics import RegressionErrors, accuracy
from lichen.learning.online import OnlineLayer, Sleep, make_online
from lichen.passes.gradient_descent import GradientDescent
from lichen.targets.folder import open_folder
from online_streams import assert_native_streams, run_stream, samples

RATE = 0.25


def trunk() -> Module:
    """A frozen network, whose hidden layer of six is what the head looks at."""
    return mlp([4, 6, 3], seed=1, activation="none")


def hidden(module: Module, x: Array) -> Array:
    """What the frozen part makes of x, in float64."""
    constants = {c.name: c.data.astype(np.float64) for c in module.constants()}
    return x @ constants["w0"].T + constants["b0"]


def softmax(logits: Array) -> Array:
    """Probabilities."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def stream(labels: Sequence[int], seed: int = 0) -> tuple[Array, Array]:
    """A sample near the centre of each label's cluster, and the labels; a negative label has a cluster as well."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 3, (12, 4))
    x = np.stack([rng.normal(centres[label], 1) for label in labels])
    return x[:, None].astype(np.float32), np.array(labels, np.int32)[:, None]


def tinyol(features: Array, labels: Array, capacity: int) -> tuple[list[float], list[int], list[int], Array]:
    """Loss, predicted label and neuron of each sample, and the confusion matrix, by the loop of the paper with true gradients."""
    seen, classes, confusion = [], [], np.zeros((capacity, capacity), int)
    weights, bias = np.zeros((capacity, features.shape[1])), np.zeros(capacity)
    losses, predicted, neurons = [], [], []
    for sample, label in zip(features, labels.ravel(), strict=True):
        seen.append(sample)
        deviation = np.std(seen, axis=0)
        x = np.where(deviation > 0, (sample - np.mean(seen, axis=0)) / np.where(deviation > 0, deviation, 1), 0)
        logits = weights @ x + bias
        best = int(np.argmax(logits[: len(classes)])) if classes else -1
        predicted.append(classes[best] if classes else -1)
        if label >= 0 and label not in classes and len(classes) < capacity:
            classes.append(int(label))
        neuron = -2 if label < 0 else classes.index(label) if label in classes else -1
        neurons.append(neuron)
        if neuron < 0:
            losses.append(np.nan)
            continue
        if best >= 0:
            confusion[neuron, best] += 1
        probabilities = softmax(logits[: len(classes)])
        losses.append(-np.log(probabilities[neuron]))
        gradient = np.zeros(capacity)
        gradient[: len(classes)] = probabilities
        gradient[neuron] -= 1
        weights -= RATE * np.outer(gradient, x)
        bias -= RATE * gradient
    return losses, predicted, neurons, confusion


def growing(capacity: int = 4, sleep: Sleep | None = None, labels: tuple[int, ...] = ()) -> Module:
    """A classifier with room for so many classes."""
    return make_online(trunk(), OnlineLayer(Head(capacity), labels=labels, sleep=sleep), GradientDescent(RATE))


def state(interpreter: Interpreter, name: str) -> Array:
    """A state by its name."""
    (found,) = (array for value, array in interpreter.state.items() if value.name == name)
    return found


CLASS_BY_CLASS = [7] * 20 + [3] * 20 + [-1] * 3 + [0] * 20 + [9] * 15 + [5] * 5 + [7, 3, 0, 9, -4, 5] * 15


def test_learning_is_that_of_the_paper() -> None:
    """Classes taught one after the other, samples without a label, one class too many: each loss, prediction, neuron and count."""
    x, labels = stream(CLASS_BY_CLASS)
    losses, predicted, neurons, confusion = tinyol(hidden(trunk(), x[:, 0].astype(np.float64)), labels, 4)
    learner = Interpreter(growing(), "learn")
    got = [learner.run([sample, label]) for sample, label in zip(x, labels, strict=True)]
    loss, _, label, neuron = (np.concatenate(column) for column in zip(*got, strict=True))
    assert neuron.tolist() == neurons and {-1, -2} < set(neurons)
    assert label.tolist() == predicted
    np.testing.assert_allclose(loss, losses, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(state(learner, "online_confusion"), confusion)
    assert accuracy(confusion) > 0.75


def test_free_neurons_are_the_mean_of_the_others() -> None:
    """Weights add up to zero over the classes, so that a neuron of zeros is neutral whenever it joins."""
    learner = Interpreter(growing(), "learn")
    for sample, label in zip(*stream([1] * 10 + [2] * 10 + [1, 2, 3] * 10), strict=True):
        learner.run([sample, label])
    weights, bias = state(learner, "head_weights"), state(learner, "head_bias")
    assert np.abs(weights[:3]).min() > 1e-3
    np.testing.assert_allclose([*weights.sum(axis=0), bias.sum()], 0, atol=1e-5)
    assert not weights[3].any() and not bias[3]


@pytest.mark.parametrize("label", [-1, 8])
def test_what_is_refused_teaches_nothing(label: int) -> None:
    """A sample without a label, or of a class too many, only counts in the statistics of the features."""
    learner = Interpreter(growing(2), "learn")
    for sample, known in zip(*stream([4, 6] * 5), strict=True):
        learner.run([sample, known])
    before = dict(learner.state)
    loss, _, _, neuron = learner.run([np.ones((1, 4), np.float32), np.array([label], np.int32)])
    changed = {value.name for value, array in learner.state.items() if not np.array_equal(array, before[value])}
    assert changed == {f"online_features_{what}" for what in ("count", "mean", "variance", "lost")}
    assert np.isnan(loss) and neuron[0] == (-2 if label < 0 else -1)


def test_a_sample_that_is_no_number_changes_nothing() -> None:
    """Neither parameters nor statistics nor the detectors."""
    learner = Interpreter(growing(sleep=Sleep(0.0)), "learn")
    for sample, known in zip(*stream([4, 6] * 5), strict=True):
        learner.run([sample, known])
    before = dict(learner.state)
    learner.run([np.full((1, 4), np.nan, np.float32), np.array([4], np.int32)])
    for value, array in learner.state.items():
        np.testing.assert_array_equal(array, before[value], value.name)


def test_inference_judges_by_what_was_learned_and_changes_nothing() -> None:
    """Labels known at compile time are predicted at once; after learning clusters are told apart; state stays to the bit."""
    module = growing(labels=(7, 3))
    x, labels = stream([7, 3, 0] * 40)
    infer, learner = Interpreter(module), Interpreter(module, "learn")
    assert infer.run([x[0]])[1].tolist() == [7]
    for sample, label in zip(x, labels, strict=True):
        learner.run([sample, label])
    infer.state, before = learner.state, dict(learner.state)
    prediction, label = (np.concatenate(c) for c in zip(*(infer.run([sample]) for sample in x), strict=True))
    assert (label == labels.ravel()).mean() > 0.95
    np.testing.assert_allclose(prediction.sum(axis=1), 1, rtol=1e-6)
    assert not prediction[:, 3].any()
    assert all(infer.state[value] is array for value, array in before.items())


def test_learning_sleeps_and_wakes() -> None:
    """Good enough, the parameters stay to the bit; when the features drift they move again."""
    module = growing(sleep=Sleep(0.3, min_instances=20, feature_drift=25.0))
    x, labels = stream([1, 2] * 250)
    x[300:, 0, :] = 3 - 2 * x[300:, 0, :]
    learner, weights, enabled = Interpreter(module, "learn"), [], []
    for sample, label in zip(x, labels, strict=True):
        enabled.append(int(learner.run([sample, label])[-1][0]))
        weights.append(state(learner, "head_weights").copy())
    moved = [not np.array_equal(a, b) for a, b in pairwise(weights)]
    asleep = enabled.index(0)
    woken = enabled.index(1, asleep)
    assert 19 <= asleep < 100 and not any(enabled[asleep:300]) and 300 <= woken < 340
    assert all(moved[:10]) and not any(moved[asleep - 1 : woken - 1]) and any(moved[woken - 1 :])


@pytest.mark.parametrize("loss", ["mean_squared_error", "sigmoid_cross_entropy"])
def test_other_heads_count_errors(loss: str) -> None:
    """A regression and a binary classifier: errors of predictions made before each step, by their definition."""
    module = make_online(trunk(), OnlineLayer(Head(1), loss), GradientDescent(0.1))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 1, 4)).astype(np.float32)
    score = hidden(trunk(), x.astype(np.float64))[..., :1]
    target = (score if loss == "mean_squared_error" else score > 0).astype(np.float32)
    learner = Interpreter(module, "learn")
    predictions = [learner.run(call)[1] for call in samples(x, target)]
    difference = np.array(predictions, np.float64) - target
    errors = RegressionErrors.of(state(learner, "online_errors"))
    assert errors.mse == pytest.approx((difference**2).mean(), rel=1e-5)
    assert errors.mae == pytest.approx(np.abs(difference).mean(), rel=1e-5)
    assert (difference[-50:] ** 2).mean() < 0.3 * (difference[:50] ** 2).mean()


def test_native_code_equals_the_interpreter() -> None:
    """All heads, with and without sleep, momentum and batches, over a stream with what is refused among the samples."""
    x, labels = stream(CLASS_BY_CLASS[::2])
    x[30] = np.nan
    target = np.random.default_rng(0).normal(size=(len(x), 1, 2)).astype(np.float32)
    classifiers = [
        make_online(trunk(), OnlineLayer(Head(3), labels=known, forgetting=0.02, sleep=sleep), how)
        for known, sleep in (((), None), ((9,), Sleep(0.9, min_instances=5, feature_drift=5.0)))
        for how in (GradientDescent(RATE), GradientDescent(0.1, batch=3, momentum=0.5, weight_decay=0.01))
    ]
    regression = make_online(
        trunk(), OnlineLayer(Head(2), "mean_absolute_error", sleep=Sleep(0.5)), GradientDescent(0.1)
    )
    flags = run_stream(classifiers[-1], samples(x, labels), "learn")[-1]
    assert set(flags.ravel().tolist()) == {0, 1}
    streams = [samples(x, labels)] * len(classifiers) + [samples(x, target)]
    assert_native_streams([*classifiers, regression], streams, 1e-3, "learn")
    assert_native_streams([*classifiers, regression], [samples(x[:3])] * len(streams), 1e-5)


@pytest.mark.parametrize(
    ("board", "machine", "tool"), [("uno", "simavr", "avr-gcc"), ("nano33ble", "qemu", "arm-none-eabi-gcc")]
)
def test_chips_learn_as_the_host_does(board: str, machine: str, tool: str, tmp_path: Path) -> None:
    """The step of learning as a model's only function, on the emulated ATmega328P and Cortex-M4: loss and probabilities but for the
    last digits of exp and log, predictions, neurons and sleep exactly."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    learn = growing(sleep=Sleep(0.3, min_instances=20)).functions["learn"]
    module = Module("online", {"infer": Function("infer", learn.inputs, learn.operations, learn.outputs)})
    x, labels = stream(CLASS_BY_CLASS)
    expected = run_stream(module, samples(x, labels))
    folder = compile_model(module, board, tmp_path / "model").path
    with open_executor(open_folder(folder), machine) as executor:
        loss, prediction, *integers = executor.run([x, labels])
    np.testing.assert_allclose(loss, expected[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(prediction, expected[1], rtol=0, atol=1e-5)
    for got, wanted in zip(integers, expected[2:], strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_labels_must_fit() -> None:
    """More classes known than there is room for."""
    with pytest.raises(InputError, match="3 classes do not fit a head with room for 2"):
        growing(2, labels=(1, 2, 3))
