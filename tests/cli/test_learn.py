"""`lichen compile --learn` and `lichen learn`: keys that scripts rely on, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learning_nets import mlp
from lichen.ir.print import print_module


def lichen(*arguments: object, code: int = 0) -> str:
    """Standard output of a run that must end with `code`, or its standard error if that is 2."""
    done = subprocess.run([sys.executable, "-m", "lichen", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stdout + done.stderr
    return done.stderr if code == 2 else done.stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph, a folder that learns, samples whose class is the largest of their first three values."""
    path = tmp_path_factory.mktemp("cli")
    (path / "mlp.lichen").write_text(print_module(mlp([4, 16, 3], end="softmax")))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype(np.float32)
    np.save(path / "x.npy", x)
    np.save(path / "y.npy", x[:, :3].argmax(axis=1))
    arguments = ("--board", "nucleo-f411re", "--learn", "all", "--out", path / "model", "--json")
    answer: dict[str, Any] = json.loads(lichen("compile", path / "mlp.lichen", *arguments))
    assert answer["ram"]["state"] >= 4 * (4 * 16 + 16 + 16 * 3 + 3)
    return path


@pytest.mark.parametrize("on", ["native", "qemu"])
def test_learning_lowers_the_loss(files: Path, on: str) -> None:
    """Five epochs; the state that was learned can be kept."""
    given = ("--data", files / "x.npy", "--labels", files / "y.npy", "--rate", 0.1, "--epochs", 5)
    arguments = (files / "model", "--on", on, *given, "--state", files / f"{on}.state", "--json")
    answer = json.loads(lichen("learn", *arguments))
    assert (answer["on"], answer["samples"], answer["epochs"]) == (on, 200, 5)
    assert answer["loss"][4] < answer["loss"][0] / 2
    assert (files / f"{on}.state").stat().st_size > 500


def test_bad_input_is_one_sentence(files: Path, tmp_path: Path) -> None:
    """Labels that are no class, a wrong number of them, choices and losses that there are not."""
    for labels, words in ((np.full(200, 3), "label 3"), (np.zeros(7), "7 labels"), (np.full(200, 0.5), "label 0.5")):
        np.save(tmp_path / "y.npy", labels)
        given = ("--data", files / "x.npy", "--labels", tmp_path / "y.npy")
        assert words in lichen("learn", files / "model", "--on", "native", *given, code=2)
    compile_ = ("compile", files / "mlp.lichen", "--board", "nucleo-f411re", "--out", tmp_path / "out")
    for option, words in (
        (("--learn", "last:9"), "2 layers"),
        (("--learn", "some"), "last:K"),
        (("--learn", "last:x"), "number"),
    ):
        assert words in lichen(*compile_, *option, code=2)
    assert "no loss called" in lichen(*compile_, "--learn", "all", "--loss", "regret", code=2)
    assert not (tmp_path / "out").exists()


def test_an_online_layer_learns_new_classes(files: Path, tmp_path: Path) -> None:
    """A head on the hidden layer: labels that it has never heard of, metrics, and state from file to file."""
    labels = np.load(files / "y.npy") * 100
    np.save(tmp_path / "y.npy", labels)
    choice = "head:classes=3,inputs=y0,good_enough=0.01"
    compiled = ("--board", "nucleo-f411re", "--learn", choice, "--learning-rate", 0.1, "--out", tmp_path / "head")
    lichen("compile", files / "mlp.lichen", *compiled)
    given = (tmp_path / "head", "--on", "native", "--data", files / "x.npy", "--labels", tmp_path / "y.npy")
    first = json.loads(lichen("learn", *given, "--rate", 0.1, "--state", tmp_path / "a.state", "--save", "--json"))
    assert sorted(first["metrics"]["labels"]) == [0, 100, 200] and first["metrics"]["awake"]
    assert first["metrics"]["accuracy"] > 0.5 and np.array(first["metrics"]["confusion"]).sum() == 199
    again = json.loads(lichen("learn", *given, "--rate", 0.1, "--from", tmp_path / "a.state", "--json"))
    assert again["loss"][0] < first["loss"][0] and again["metrics"]["accuracy"] > first["metrics"]["accuracy"]
    assert "accuracy" in lichen("learn", *given)
    labels[5] = 300
    np.save(tmp_path / "y.npy", labels)
    assert "sample" in (said := lichen("learn", *given, "--state", tmp_path / "b.state", code=2)) and "new" in said
    assert not (tmp_path / "b.state").exists()
    (tmp_path / "a.state").write_bytes((tmp_path / "a.state").read_bytes()[:-1])
    assert "damaged" in lichen("learn", *given, "--from", tmp_path / "a.state", code=2)


def test_what_learning_costs_is_told_before(files: Path, tmp_path: Path) -> None:
    """By analyze and compile, and operator by operator by profile; a function that there is not is refused."""
    told = json.loads(lichen("analyze", files / "mlp.lichen", "--learn", "all", "--board", "nucleo-f411re", "--json"))
    learn = told["functions"]["learn"]
    assert set(learn) == {"macs", "arena", "state", "flash", "instructions", "cycles", "cycles_are"}
    assert learn["instructions"] > told["functions"]["infer"]["instructions"] > 0 and learn["flash"] > 0
    profiled = json.loads(lichen("profile", files / "model", "--on", "qemu", "--function", "learn", "--json"))
    assert {"sgd", "dense_update"} <= {op["kind"] for op in profiled["ops"]}
    assert profiled["total"]["instructions"] == pytest.approx(learn["instructions"], rel=0.1)
    assert "no function observe" in lichen("profile", files / "model", "--on", "qemu", "--function", "observe", code=2)
