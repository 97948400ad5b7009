"""Learning through the link, on the emulated Cortex-M4 and on the host: what the interpreter learns."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from learning_nets import mlp, samples
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.device.link import RefusedError
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


@pytest.mark.parametrize("on", ["native", "qemu"])
def test_device_learns_what_the_interpreter_learns(trainable: Module, folder: ModelFolder, on: str) -> None:
    """Losses of 60 samples, then predictions; frames that carry many samples; the count begins anew with each BEGIN."""
    interpreter, inputs = Interpreter(trainable, "learn"), lessons(trainable, 60)
    expected = [float(interpreter.run(list(sample))[0][0]) for sample in zip(*inputs, strict=True)]
    with open_executor(folder, on) as executor:
        executor.begin_learning(HOW.learning_rate)
        executor.learn([x[:40] for x in inputs])
        assert executor.lessons() == (40, pytest.approx(np.mean(expected[:40]), rel=1e-4))
        executor.begin_learning(HOW.learning_rate)
        executor.learn([x[40:] for x in inputs])
        assert executor.lessons() == (20, pytest.approx(np.mean(expected[40:]), rel=1e-4))
        infer = Interpreter(trainable)
        infer.state = interpreter.state
        (got,) = executor.run([inputs[0][:1]])
        np.testing.assert_allclose(got[0], infer.run([inputs[0][0]])[0], rtol=1e-4)


@pytest.mark.parametrize("on", ["native", "qemu"])
def test_bad_samples_teach_nothing(trainable: Module, folder: ModelFolder, on: str) -> None:
    """A label that is no class, data or a rate that is not a number: an error of its own, and the state as it was."""
    x, label = lessons(trainable, 1)
    refusals: list[tuple[Array, Array]] = [
        (x, np.full_like(label, 3)),
        (x, label - 10),
        (np.full_like(x, np.nan), label),
    ]
    with open_executor(folder, on) as executor:
        executor.begin_learning(0.5)
        before = executor.read_state()
        for bad in refusals:
            with pytest.raises((RefusedError, InputError), match="not a finite number"):
                executor.learn(bad)
            assert executor.read_state() == before
        for rate in (float("nan"), float("inf"), -1.0):
            with pytest.raises((RefusedError, InputError)):
                executor.begin_learning(rate)
        assert executor.read_state() == before
        executor.learn([x, label])
        assert executor.read_state() != before


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
    assert found[0] == (3, pytest.approx(found[1][1], rel=1e-5))
