"""What learning costs beside inference, told before flashing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lichen
from learning_nets import mlp
from lichen.cli.costs import costs_json
from lichen.compiler import analyze, compile_model
from lichen.cost import FunctionCost
from lichen.device.count import count_first
from lichen.errors import MissingToolError
from lichen.targets import toolchain
from lichen.targets.folder import open_folder

ALL = lichen.Learning("all", batch=4)


def costs(found: tuple[FunctionCost, ...]) -> dict[str, FunctionCost]:
    """By name."""
    return {cost.name: cost for cost in found}


def test_compile_tells_what_learning_adds(tmp_path: Path) -> None:
    """RAM, flash and instructions of both functions; what `infer` takes is what a build without `learn` takes."""
    learner = compile_model(mlp([4, 32, 32, 1]), "nucleo-f411re", tmp_path / "learner", learning=ALL)
    plain = compile_model(mlp([4, 32, 32, 1]), "nucleo-f411re", tmp_path / "plain")
    found = costs(learner.functions)
    infer, learn = found["infer"], found["learn"]
    assert plain.functions == ()
    assert infer.arena == plain.arena and max(infer.arena, learn.arena) == learner.arena
    parameters = 4 * (4 * 32 + 32 + 32 * 32 + 32 + 32 + 1)
    assert infer.state == parameters and infer.state + learn.state == learner.state
    assert learn.state == parameters + 8, "an accumulator for each parameter, the rate and the count of the batch"
    assert infer.flash is not None and learn.flash is not None and learner.flash == infer.flash + learn.flash
    assert learn.macs > 2 * infer.macs == 2 * learner.macs
    assert infer.instructions is not None and learn.instructions is not None
    assert infer.instructions < learn.instructions < 5 * infer.instructions
    assert (infer.cycles_are, learn.cycles_are) == ("modelled", "modelled")
    zeros = [np.zeros((1, 1, 4), np.float32)]
    assert count_first(open_folder(tmp_path / "learner"), "qemu", zeros).instructions == infer.instructions


def test_analyze_tells_the_same_before(tmp_path: Path) -> None:
    """With a board the figures of compile; without one what needs no compiler."""
    analysis = analyze(mlp([4, 8, 1]), "nucleo-f411re", learning=ALL)
    compiled = compile_model(mlp([4, 8, 1]), "nucleo-f411re", tmp_path / "model", learning=ALL)
    assert analysis.functions == compiled.functions
    planned = analyze(mlp([4, 8, 1]), learning=ALL)
    for known, told in zip(planned.functions, analysis.functions, strict=True):
        assert (known.macs, known.arena, known.state) == (told.macs, told.arena, told.state)
        assert known.flash is None and known.instructions is None
    assert set(costs_json(planned.functions)) == {"infer", "learn"}
    assert analyze(mlp([4, 8, 1]), "nucleo-f411re").functions == ()


def test_without_a_compiler_the_plan_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing fails where nothing can be linked."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError):
        toolchain.find_compiler("arm-none-eabi-gcc")
    (infer, learn) = analyze(mlp([4, 8, 1]), "nucleo-f411re", learning=ALL).functions
    assert infer.flash is learn.flash is infer.instructions is None and learn.arena > infer.arena
