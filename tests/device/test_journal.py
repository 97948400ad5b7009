"""Resets in the middle of learning: the device ends where it would have ended without them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from learning_nets import mlp, samples
from lichen.backend.emit import emit
from lichen.backend.folder import write_folder
from lichen.backend.lesson import LessonCounts, LessonError, LessonStatus
from lichen.backend.program import plan_module
from lichen.device import journal
from lichen.device.executor import LinkExecutor
from lichen.device.link import RefusedError
from lichen.device.session import Session
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Array, Module
from lichen.learning.choice import Head
from lichen.learning.online import OnlineLayer, make_online
from lichen.passes.gradient_descent import GradientDescent
from lichen.targets.folder import ModelFolder, open_folder
from lichen.targets.process import ProcessTransport

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "src/lichen/targets/firmware"
RUNTIME = HERE.parents[1] / "src/lichen/backend/runtime"
WARNINGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class ResettingTransport:
    """A device that is reset in front of chosen writes of its host: its memory is gone, and it has to be greeted anew."""

    def __init__(self, program: Path, resets: Sequence[int]) -> None:
        self._program, self._resets, self._writes = str(program), set(resets), 0
        self._device = ProcessTransport([self._program], "device")

    def read(self, timeout: float) -> bytes:
        return self._device.read(timeout)

    def write(self, data: bytes) -> None:
        if self._writes in self._resets:
            self._device.close()
            self._device = ProcessTransport([self._program], "device")
        self._writes += 1
        self._device.write(data)

    def close(self) -> None:
        self._device.close()


@pytest.fixture(scope="module")
def module() -> Module:
    """An online layer with room for three classes."""
    return make_online(mlp([4, 6, 3], activation="none"), OnlineLayer(Head(3)), GradientDescent(0.1))


@pytest.fixture(scope="module")
def model(module: Module, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """Its folder."""
    path = tmp_path_factory.mktemp("model")
    program = plan_module(module, PLAIN)
    write_folder(path, program, emit(program, "size"), "nano33ble", "size")
    return open_folder(path)


@pytest.fixture(scope="module")
def program(model: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its firmware as a program of the host, under sanitizers."""
    folder = tmp_path_factory.mktemp("firmware")
    (folder / "model.h").write_text(model.glue())
    sources = [model.source, RUNTIME / "main.c", HERE / "toy/port_host.c"]
    includes = [f"-I{path}" for path in (folder, model.path, RUNTIME, FIRMWARE)]
    command = ["gcc", *WARNINGS, *SANITIZERS, "-g", "-D_POSIX_C_SOURCE=200809L", *includes, *map(str, sources)]
    subprocess.run([*command, "-lm", "-o", str(folder / "firmware")], check=True)
    return folder / "firmware"


def lessons(module: Module, count: int) -> list[Array]:
    """Random samples, their label in no order."""
    return [np.stack(column) for column in zip(*samples(module, count), strict=True)]


def after_lessons(
    program: Path, model: ModelFolder, inputs: Sequence[Array], resets: Sequence[int]
) -> tuple[bytes, LessonCounts, int, Array]:
    """State, counts, samples that progress was told of and a prediction, after lessons in two calls."""
    progress: list[int] = []
    with LinkExecutor(Session(ResettingTransport(program, resets), model.manifest)) as executor:
        executor.begin_learning(0.2)
        executor.learn([x[:50] for x in inputs], progress.append)
        executor.learn([x[50:] for x in inputs], progress.append)
        prediction = executor.run([inputs[0][:1]])[0]
        return executor.read_state(), executor.lessons(), sum(progress), prediction


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(resets=st.sets(st.integers(5, 60), max_size=4), kept=st.sampled_from([1, 16]))
def test_resets_leave_no_trace(
    module: Module, model: ModelFolder, program: Path, resets: set[int], kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State to the byte, counts, progress and predictions are those of a device that was never reset, wherever resets come."""
    monkeypatch.setattr(journal, "MOST_KEPT", kept)
    inputs = lessons(module, 200)
    expected = after_lessons(program, model, inputs, ())
    got = after_lessons(program, model, inputs, sorted(resets))
    assert got[0] == expected[0] and got[2] == expected[2] == 200
    assert (got[1].samples, got[1].judged) == (200, 200)
    assert got[1].losses == pytest.approx(expected[1].losses, rel=1e-5)
    np.testing.assert_array_equal(got[3], expected[3])


def test_a_state_that_nobody_knows_is_not_made_up(model: ModelFolder, program: Path) -> None:
    """A reset in front of the first lesson of a session, when the host has not yet read the state, is an error."""
    with (
        LinkExecutor(Session(ResettingTransport(program, [2]), model.manifest)) as executor,
        pytest.raises(RefusedError, match="was reset"),
    ):
        executor.run([np.zeros((1, 1, 4), np.float32)])


def test_refused_samples(module: Module, model: ModelFolder, program: Path) -> None:
    """A class too many has its error and changes nothing; a sample without a label is taken, into statistics only."""
    x, label = lessons(module, 9)
    label[:, 0] = [7, 5, 7, 5, 3, -1, 7, 9, 5]
    with LinkExecutor(Session(ResettingTransport(program, []), model.manifest)) as executor:
        executor.begin_learning(0.1)
        with pytest.raises(LessonError, match="sample 7: its label is new") as error:
            executor.learn([x, label])
        assert (error.value.status, error.value.sample) == (LessonStatus.TOO_MANY_CLASSES, 7)
        counts, state = executor.lessons(), executor.read_state()
        assert (counts.samples, counts.judged) == (7, 6)
        with pytest.raises(LessonError):
            executor.learn([x[7:], label[7:]])
        assert executor.read_state() == state
