"""Statistics, metrics, drift and growing classes put together as a device runs them, one sample at a time."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from river.preprocessing import StandardScaler
from sklearn.metrics import accuracy_score

import lichen.ops  # noqa: F401  registers the operators
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.errors import InputError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Function, Module, Value
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module
from lichen.ir.verify import verify
from lichen.learning.append import compute
from lichen.learning.class_map import ClassMap
from lichen.learning.drift import DriftDetector, LearningGate
from lichen.learning.metrics import ConfusionMatrix, ErrorMeans, RegressionErrors, accuracy
from lichen.learning.standardiser import Standardiser
from lichen.targets.folder import open_folder
from online_strategies import i32
from online_streams import run_stream, samples
from ops_oracle import f32


def online_layer() -> Module:
    """Everything that keeps statistics, on scores that are its inputs; it returns each flag, class and statistic."""
    x, label, loss = Value("x", f32(1, 4)), Value("label", i32(1)), Value("loss", f32(1))
    function = Function("infer", [x, label, loss], [], [])
    standardiser = Standardiser("features", (1, 4), 0.01)
    classes, confusion, errors = ClassMap("classes", 4, [2]), ConfusionMatrix("confusion", 4), ErrorMeans("errors")
    detector = DriftDetector("drift", (1, 4), min_instances=5, delta=0.5, threshold=10.0)
    gate = LearningGate("gate", good_enough=0.5, min_instances=10)
    y = standardiser.learn(function, x)
    best = classes.best(function, classes.mask(function, y))
    predicted = classes.label_of(function, best)
    neuron = classes.assign(function, label)
    confusion.count(function, neuron, best)
    errors.track(function, standardiser.apply(function, x), x)
    drift = detector.watch(function, x)
    enabled, _ = gate.decide(function, loss, drift)
    read = [compute(function, "read_state", [s], {s.name: s.type})[0] for s in (confusion.matrix, errors.errors)]
    function.outputs = [y, predicted, neuron, drift, enabled, *read]
    module = Module("online", {"infer": function})
    verify(module)
    return module


def stream(calls: int) -> list[np.ndarray]:
    """Features that jump in the middle, labels of which some are none, losses."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(calls, 1, 4)).astype(np.float32)
    x[calls // 2 :, 0, 1] += 5
    label = rng.integers(-1, 6, (calls, 1)).astype(np.int32)
    return [x, label, rng.exponential(0.45, (calls, 1)).astype(np.float32)]


def test_a_stream_on_the_host() -> None:
    """The features' drift is found and wakes learning; the metrics are those of predictions made before each label."""
    inputs = stream(200)
    y, predicted, neuron, drift, enabled, confusion, errors = run_stream(online_layer(), samples(*inputs))
    (sample, _, feature), *others = np.argwhere(drift)
    assert feature == 1 and 100 <= sample < 105 and not others
    assert not enabled[sample - 1] and enabled[sample]
    known = (neuron[:, 0] >= 0) & (predicted[:, 0] >= 0)
    assert (neuron[:, 0] == -1).any() and (neuron[:, 0] == -2).any(), "classes too many, and samples without a label"
    assert accuracy(confusion[-1]) == pytest.approx(accuracy_score(inputs[1][known], predicted[known]))
    difference = y.astype(np.float64) - inputs[0]
    mse, mae = (difference**2).mean(), np.abs(difference).mean()
    assert RegressionErrors.of(errors[-1]).mse == pytest.approx(mse, rel=1e-5)
    assert RegressionErrors.of(errors[-1]).mae == pytest.approx(mae, rel=1e-5)


@pytest.mark.parametrize(
    ("board", "machine", "tool"), [("uno", "simavr", "avr-gcc"), ("nano33ble", "qemu", "arm-none-eabi-gcc")]
)
def test_chips_compute_the_same_bits(board: str, machine: str, tool: str, tmp_path: Path) -> None:
    """The emulated ATmega328P and Cortex-M4 give the interpreter's floats to the bit, state running on, from the module's text."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    module, inputs = parse_module(print_module(online_layer())), stream(40)
    folder = compile_model(module, board, tmp_path / "model").path
    with open_executor(open_folder(folder), machine) as executor:
        outputs = executor.run(inputs)
    for got, expected in zip(outputs, run_stream(online_layer(), samples(*inputs)), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_statistics_are_those_of_river() -> None:
    """The running mean and variance of river's StandardScaler, which is Welford's as well."""
    x = np.random.default_rng(3).normal(7, 2, (300, 1, 1)).astype(np.float32)
    scaler, function = StandardScaler(), Function("infer", [Value("x", f32(1, 1))], [], [])
    function.outputs = [Standardiser("s", (1, 1)).learn(function, function.inputs[0])]
    y = run_stream(Module("m", {"infer": function}), samples(x))[0]
    for value, score in zip(x.ravel(), y.ravel(), strict=True):
        scaler.learn_one({"x": float(value)})
        assert score == pytest.approx(scaler.transform_one({"x": float(value)})["x"], abs=1e-5)


def test_functions_share_state() -> None:
    """What `learn` takes in, `infer` scores by, and only `learn` changes it."""
    standardiser, functions = Standardiser("s", (2,)), {}
    for name, method in (("infer", standardiser.apply), ("learn", standardiser.learn)):
        function = Function(name, [Value("x", f32(2))], [], [])
        function.outputs = [method(function, function.inputs[0])]
        functions[name] = function
    module = Module("m", functions)
    verify(module)
    learner, scorer = Interpreter(module, "learn"), Interpreter(module, "infer")
    for x in ([1, 10], [3, 50]):
        learner.run([np.array(x, np.float32)])
    scorer.state = learner.state
    for _ in range(2):
        np.testing.assert_array_equal(scorer.run([np.array([4, 30], np.float32)])[0], [2, 0])


def test_labels_given_at_compile_time() -> None:
    """They take the first neurons; too many, the same twice, and what is no label are refused."""
    assert ClassMap("c", 4, [9, 0]).labels.initial.tolist() == [9, 0, -1, -1]
    for labels, sentence in (([1, 2, 3], "3 classes do not fit"), ([1, 1], "different"), ([-1], "from 0 to")):
        with pytest.raises(InputError, match=sentence):
            ClassMap("c", 2, labels)
