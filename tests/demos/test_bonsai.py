"""The demonstration of Bonsai as users run it, and its figures computed once more from what it leaves on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo_command import answer_of, refusal_without
from generated_tables import table_bytes
from lichen.data.digits import load_digits, resize, shrink
from lichen.demos.bonsai import TASKS, Figures, Result
from lichen.frontends import load
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Constant
from lichen.ir.samples import to_batch

COMPILED = ("bonsai", "dense", "dense_pruned")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What `lichen demo bonsai` printed, for one seed and few epochs, and its folder."""
    out = tmp_path_factory.mktemp("demo")
    return answer_of("bonsai", "--quick", "--seeds", 1, "--out", out), out


@pytest.mark.timeout(300)
def test_answer_has_all_methods_within_two_kilobytes(demo: tuple[dict[str, Any], Path]) -> None:
    """Both tasks and five methods; those compiled run on the Uno with the interpreter's bytes, and only all neighbours are larger than 2 kB."""
    answer, out = demo
    assert list(answer) == ["mnist_2", "usps_2"]
    assert json.loads((out / "result.json").read_text()) == answer
    for methods in answer.values():
        assert list(methods) == [*COMPILED, "knn", "knn_prototypes"]
        for name, figures in methods.items():
            assert (figures["model_bytes"] <= 2048) == (name != "knn")
            assert len(figures["accuracy"]) == 1 and figures["mean"] == figures["accuracy"][0] > 0.8
            if name in COMPILED:
                assert figures["identical"] is True and figures["flash"] <= 32_256 and figures["ram"] <= 2_048
                assert 0.5 < figures["milliseconds"] < 100
            else:
                assert figures["flash"] is figures["milliseconds"] is figures["accuracy_float"] is None


@pytest.mark.timeout(300)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("method", COMPILED)
def test_figures_come_from_the_artefacts(demo: tuple[dict[str, Any], Path], task: Any, method: str) -> None:
    """Accuracy again by the interpreter from the compiled graph, bytes again from the tables in the generated C, and the promised zeros."""
    figures, folder = demo[0][task.name][method], demo[1] / task.name / f"{method}_0"
    name = "bonsai" if method == "bonsai" else "dense"
    module = load(folder / f"{name}.lichen")
    settings = {"bonsai": task.tree, "dense": task.dense, "dense_pruned": task.pruned}[method]
    digits = load_digits()
    pixels = shrink(resize(digits.test_x, task.side), settings.coarse)
    stored, _ = to_batch(pixels.reshape(len(pixels), -1), module.infer.inputs[0], "digits")
    interpreter = Interpreter(module)
    right = [interpreter.run([x])[0].argmax() == y % 2 for x, y in zip(stored, digits.test_y, strict=True)]
    assert figures["accuracy"] == [pytest.approx(np.mean(right))]
    assert figures["model_bytes"] == table_bytes((folder / f"{name}_weights.h").read_text())
    weights = module.infer.operations[0].operands[1]
    assert isinstance(weights, Constant)
    outputs, share = (settings.projected, settings.share) if method == "bonsai" else (settings.hidden, settings.density)
    # A neuron that the pruned network does not need is gone altogether.
    assert np.count_nonzero(weights.data) <= round(share * outputs * stored[0].size)
    values = len(np.unique(weights.data[weights.data != 0]))
    assert values <= {"bonsai": 2 ** getattr(settings, "bits", 8), "dense": 255, "dense_pruned": 15}[method]


def test_answer_is_for_json() -> None:
    """What does not apply to a method is null."""
    figures = Figures(accuracy=(0.9,), model_bytes=2000)
    answer = Result({"mnist_2": {"knn": figures}}).answer()
    assert json.loads(json.dumps(answer))["mnist_2"]["knn"]["ram"] is None


def test_missing_package_is_named() -> None:
    """Without PyTorch: one sentence with the line that installs it."""
    assert "pip install 'lichen[torch,data,demos]'" in refusal_without("torch", "bonsai")
