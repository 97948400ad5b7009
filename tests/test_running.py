"""A running model as its users hold it: samples as they have them, lessons, metrics, state."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

import lichen
from graphs import conv_module, random_array
from learning_nets import mlp
from lichen.backend.lesson import LessonError, LessonStatus
from lichen.errors import InputError
from lichen.ir.interpret import Interpreter
from lichen.ir.samples import dequantise, quantise
from lichen.learning.learner import make_learner

ONLINE = lichen.Learning("head:classes=3", learning_rate=0.2)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen network with an online layer that has room for three classes."""
    path = tmp_path_factory.mktemp("running") / "classifier"
    lichen.compile(mlp([4, 6, 3], activation="none"), "nucleo-f411re", path, learning=ONLINE)
    return path


def clusters(labels: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Samples (n, 4) around the centre of their label."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 3, (10, 4))
    return rng.normal(centres[labels], 1).astype(np.float32), np.array(labels)


def test_samples_in_every_form(tmp_path: Path) -> None:
    """One sample or many, stored integers or real numbers: the output has the form of the input."""
    module = conv_module()
    lichen.compile(module, "nano33ble", tmp_path / "model")
    source, result = module.infer.inputs[0].type, module.infer.outputs[0].type
    stored = random_array(source)
    real = dequantise(stored, source)
    (expected,) = Interpreter(module).run([stored])
    np.testing.assert_array_equal(quantise(real, source), stored)
    with lichen.connect(tmp_path / "model") as device:
        np.testing.assert_array_equal(device.infer(stored), expected[None][0:1].reshape(result.shape))
        np.testing.assert_array_equal(device.infer(stored[0]), expected[0])
        np.testing.assert_array_equal(device.infer(np.stack([stored[0]] * 3)), np.stack([expected[0]] * 3))
        np.testing.assert_array_equal(device.infer(real[0]), dequantise(expected, result)[0])
        with pytest.raises(InputError, match="x: input"):
            device.infer(np.zeros((2, 3)))


@pytest.mark.parametrize("on", ["native", "qemu"])
def test_learning_and_its_metrics(classifier: Path, on: str) -> None:
    """Samples one by one and many at once; metrics are those of predictions made before each lesson; what is refused is said."""
    x, labels = clusters([2, 7, 4] * 30)
    learned = make_learner(mlp([4, 6, 3], activation="none"), ONLINE)
    interpreter = Interpreter(learned, "learn")
    predicted = [int(interpreter.run([a[None], np.array([b], np.int32)])[2][0]) for a, b in zip(x, labels, strict=True)]
    with lichen.connect(classifier, on) as device:
        assert device.learn(x[0], labels[0]).samples == 1
        assert device.learn(x[1:], labels[1:]).samples == 90
        metrics = device.metrics()
        known = np.array(predicted) >= 0
        assert metrics.labels == (2, 7, 4) and metrics.awake
        assert metrics.confusion is not None and metrics.confusion.sum() == known.sum() == 89
        assert metrics.accuracy == pytest.approx(accuracy_score(labels[known], np.array(predicted)[known]))
        assert metrics.macro_f1 == pytest.approx(f1_score(labels[known], np.array(predicted)[known], average="macro"))
        _, best = device.infer(x[0])
        assert best == 2
        with pytest.raises(LessonError, match="its label is new") as error:
            device.learn(x[0], 9)
        assert error.value.status == LessonStatus.TOO_MANY_CLASSES
        assert device.learn(x[0], -1).samples == 91


def test_state_goes_from_one_to_another(classifier: Path) -> None:
    """What was learned here is known there, and can be saved, left and found again."""
    x, labels = clusters([2, 7] * 20)
    with lichen.connect(classifier) as teacher, lichen.connect(classifier) as pupil:
        teacher.learn(x, labels)
        pupil.write_state(teacher.read_state())
        np.testing.assert_array_equal(pupil.infer(x)[0], teacher.infer(x)[0])
        pupil.save()
        pupil.reset()
        assert pupil.metrics().labels == ()
        pupil.load()
        assert pupil.metrics().labels == (2, 7)


def test_models_that_do_not_learn_say_so(tmp_path: Path) -> None:
    """Lessons, rates, metrics: one sentence that says how to compile."""
    lichen.compile(conv_module(), "nano33ble", tmp_path / "model")
    with lichen.connect(tmp_path / "model") as device:
        for ask in (lambda: device.learn(np.zeros(1), 0), device.metrics, lambda: device.begin_learning(0.1)):
            with pytest.raises(InputError, match="compile it with --learn"):
                ask()


def test_an_arduino_uno_learns(tmp_path: Path) -> None:
    """Eight bits, 2 kB of RAM: the lessons, the metrics and what survives a reset, on simavr."""
    if shutil.which("avr-gcc") is None:
        pytest.skip("avr-gcc is not installed")
    lichen.compile(mlp([4, 6, 3], activation="none"), "uno", tmp_path / "model", learning=ONLINE)
    x, labels = clusters([2, 7, 4] * 10)
    with lichen.connect(tmp_path / "model", on="simavr") as device, lichen.connect(tmp_path / "model") as host:
        assert device.learn(x, labels).samples == host.learn(x, labels).samples == 30
        np.testing.assert_array_equal(device.metrics().confusion, host.metrics().confusion)
        np.testing.assert_allclose(device.infer(x[0])[0], host.infer(x[0])[0], atol=1e-4)
        device.save()
        device.reset()
        assert device.metrics().labels == ()
        device.load()
        assert device.metrics().labels == (2, 7, 4)
