"""Learning through the link, on the emulated Cortex-M4 and on the host: what the interpreter learns."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from learning_nets import mlp, samples
from lichen.backend.lesson import LessonCounts, LessonError, LessonStatus
from lichen.compiler import compile_model
from lichen.device.executor import LinkExecutor, open_executor
from lichen.device.link import RefusedError
from lichen.device.protocol import Operation, Status
from lichen.errors import InputError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Module
from lichen.learning.choice import All
from lichen.learning.trainable import make_trainable
from lichen.passes.gradient_descent import GradientDescent
from lichen.targets.folder import ModelFolder, open_folder

HOW = GradientDescent(0.05, batch=2)


@pytest.fixture(scope="module")
def trainable() -> Module:
    """A network of two layers for three classes."""
    return make_trainable(mlp([4, 8, 3]), All(), "softmax_cross_entropy", HOW)


@pytest.fixture(scope="module")
def folder(trainable: Module, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """The network, compiled for a Cortex-M4 with an FPU."""
    path = tmp_path_factory.mktemp("learn") / "mlp"
    compile_model(trainable, "nucleo-f411re", path)
    return open_folder(path)


def lessons(module: Module, count: int) -> list[Array]:
    return [np.stack(column) for column in zip(*samples(module, count), strict=True)]


def assert_counted(found: LessonCounts, samples: int, loss: float) -> None:
    """So many lessons, all with a label, of this mean loss."""
    assert (found.samples, found.judged) == (samples, samples)
    assert found.mean_loss == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("on", ["native", "qemu"])
def test_device_learns_what_the_interpreter_learns(trainable: Module, folder: ModelFolder, on: str) -> None:
    """Losses of 60 samples, then predictions; frames that carry many samples; the count begins anew with each BEGIN."""
    interpreter, inputs = Interpreter(trainable, "learn"), lessons(trainable, 60)
    expected = [float(interpreter.run(list(sample))[0][0]) for sample in zip(*inputs, strict=True)]
    with open_executor(folder, on) as executor:
        executor.begin_learning(HOW.learning_rate)
        executor.learn([x[:40] for x in inputs])
        assert_counted(executor.lessons(), 40, np.mean(expected[:40]))
        executor.begin_learning(HOW.learning_rate)
        executor.learn([x[40:] for x in inputs])
        assert_counted(executor.lessons(), 20, np.mean(expected[40:]))
        infer = Interpreter(trainable)
        infer.state = interpreter.state
        (got,) = executor.run([inputs[0][:1]])
        np.testing.assert_allclose(got[0], infer.run([inputs[0][0]])[0], rtol=1e-4)


@pytest.mark.parametrize("on", ["native", "qemu"])
def test_each_bad_sample_has_its_error(trainable: Module, folder: ModelFolder, on: str) -> None:
    """A label that is no class, data that is no number: the state is as it was, and samples in front of the bad one are learned."""
    x, label = lessons(trainable, 3)
    bad_data = x.copy()
    bad_data[2] = np.nan
    with open_executor(folder, on) as executor:
        executor.begin_learning(0.5)
        before = executor.read_state()
        for wrong, status in (
            ([x[:1], np.full_like(label[:1], 3)], LessonStatus.NO_SUCH_CLASS),
            ([x[:1], label[:1] - 10], LessonStatus.NO_SUCH_CLASS),
            ([bad_data[2:], label[2:]], LessonStatus.NOT_FINITE),
        ):
            with pytest.raises(LessonError) as error:
                executor.learn(wrong)
            assert (error.value.status, error.value.sample) == (status, 0)
            assert executor.read_state() == before
        with pytest.raises(LessonError, match="sample 2: its data") as error:
            executor.learn([bad_data, label])
        assert (error.value.status, error.value.sample) == (LessonStatus.NOT_FINITE, 2)
        assert executor.lessons().samples == 2 and executor.read_state() != before


@pytest.mark.parametrize("on", ["native", "qemu"])
def test_bad_rates_are_refused(folder: ModelFolder, on: str) -> None:
    """By the host, and by the device where the host does not look."""
    with open_executor(folder, on) as executor:
        before = executor.read_state()
        for rate in (float("nan"), float("inf"), -1.0):
            with pytest.raises(InputError, match="learning rate"):
                executor.begin_learning(rate)
        if isinstance(executor, LinkExecutor):
            with pytest.raises(RefusedError, match="learning rate") as error:
                executor.session.link.request(Operation.BEGIN, struct.pack("<f", -1.0))
            assert error.value.status == Status.BAD_RATE
        assert executor.read_state() == before


@pytest.mark.parametrize("on", ["native", "qemu"])
def test_a_rate_that_diverges(trainable: Module, folder: ModelFolder, on: str) -> None:
    """The error names the sample whose loss overflowed; the state is that of before the call, whatever was learned before it."""
    x, label = lessons(trainable, 120)
    with open_executor(folder, on) as executor:
        executor.begin_learning(0.05)
        executor.learn([x[:40], label[:40]])
        before = executor.lessons()
        executor.begin_learning(1e38)
        state = executor.read_state()
        with pytest.raises(LessonError, match="lower the learning rate") as error:
            executor.learn([x[40:], label[40:]])
        assert error.value.status == LessonStatus.DIVERGED and error.value.sample > 0
        assert executor.read_state() == state
        assert executor.lessons().samples == 0
        executor.begin_learning(0.05)
        executor.learn([x[:40], label[:40]])
        assert executor.lessons().samples == before.samples == 40


def test_damaged_functions_are_refused(folder: ModelFolder, tmp_path: Path) -> None:
    """A manifest whose `learn` is not what it should be is no model folder."""
    shutil.copytree(folder.path, tmp_path / "mlp")
    manifest = json.loads((tmp_path / "mlp" / "manifest.json").read_text())
    for broken in ([], {"learn": []}, {"learn": {"inputs": [{}], "outputs": []}}):
        (tmp_path / "mlp" / "manifest.json").write_text(json.dumps(manifest | {"functions": broken}))
        with pytest.raises(InputError, match="functions"):
            open_folder(tmp_path / "mlp")


def test_samples_larger_than_a_frame(tmp_path: Path) -> None:
    """Inputs that no frame carries whole go in pieces."""
    module = make_trainable(mlp([200, 3]), All(), "softmax_cross_entropy", GradientDescent(0.01))
    compile_model(module, "nucleo-f411re", tmp_path / "wide")
    inputs = lessons(module, 3)
    found = []
    for on in ("native", "qemu"):
        with open_executor(open_folder(tmp_path / "wide"), on) as executor:
            executor.begin_learning(0.01)
            executor.learn(inputs)
            found.append(executor.lessons())
    assert_counted(found[0], 3, found[1].mean_loss)
