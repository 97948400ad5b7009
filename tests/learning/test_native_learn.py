"""`learn` in C: what the interpreter computes, from one arena with `infer`, with and without room between."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from learning_nets import mlp
from lichen.backend.emit import emit
from lichen.backend.program import plan_module
from lichen.ir.interpret import Interpreter
from lichen.ir.kernel import PLAIN
from lichen.learning.choice import All, Biases, Choice, Head, Last
from lichen.learning.trainable import LOSSES, make_trainable
from lichen.passes.gradient_descent import GradientDescent
from native_check import WARNINGS, assert_native_equals_interpreter

DESCENTS = [GradientDescent(0.1), GradientDescent(0.05, batch=2, momentum=0.9, weight_decay=0.1)]
CHOICES: list[Choice] = [All(), Biases(), Last(1), Head(3)]


def test_learn_in_c_equals_the_interpreter() -> None:
    """Every loss, choice and kind of descent, over seven samples, so that what was learned shows in the next loss."""
    modules = [
        make_trainable(mlp([5, 9, 6, 3]), choice, loss, how)
        for loss in LOSSES
        for choice in CHOICES
        for how in DESCENTS
    ]
    assert_native_equals_interpreter(modules, samples=7, rtol=1e-4, atol=1e-5, function="learn")
    assert_native_equals_interpreter(modules, samples=1, function="infer")


def test_arena_holds_activations_and_one_gradient() -> None:
    """4-32-32-32-1: what a sample's activations and one gradient need, a few numbers beside; the state holds each parameter once."""
    program = plan_module(make_trainable(mlp([4, 32, 32, 32, 1]), All(), "mean_squared_error", DESCENTS[0]), PLAIN)
    activations, parameters = 4 * (4 + 3 * 32 + 1), 4 * (4 * 32 + 2 * 32 * 32 + 32 + 3 * 32 + 1)
    assert program.arena_bytes <= activations + 4 * 32 + 24
    assert program.state_bytes == parameters + 4


@pytest.mark.parametrize("optimize", ["speed", "size"])
@pytest.mark.parametrize("compiler", [["gcc", "-x", "c", *WARNINGS], ["g++", "-x", "c++", "-std=c++17", *WARNINGS[1:]]])
def test_generated_code_compiles_without_a_warning(tmp_path: Path, compiler: list[str], optimize: str) -> None:
    """As C99 and as C++17, with all updates."""
    program = plan_module(make_trainable(mlp([4, 5, 3]), All(), "softmax_cross_entropy", DESCENTS[1]), PLAIN)
    for name, text in emit(program, optimize).files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run([*compiler, "-O2", "-c", "mlp.c", "-o", "m.o"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


MAIN = """
#include <math.h>
#include <stdio.h>
#include "mlp.h"
static float learn(mlp_t *m, float x, float target)
{
    for (int i = 0; i < 3; i++) ((float *)mlp_learn_input(m, 0))[i] = x * (float)(i + 1);
    *(float *)mlp_learn_input(m, 1) = target;
    mlp_learn(m);
    return *(const float *)mlp_learn_output(m, 0);
}
int main(void)
{
    static mlp_t m, before;
    mlp_init(&m);
    if (MLP_LEARN_INPUTS != 2 || MLP_LEARN_OUTPUTS != 2 || mlp_learn_input(&m, 2) || mlp_learn_output_bytes(0) != 4) return 1;
    *mlp_learning_rate(&m) = 0.0f;
    const float first = learn(&m, 0.5f, 2.0f);
    if (learn(&m, 0.5f, 2.0f) != first) return 2; /* a rate of 0 teaches nothing */
    *mlp_learning_rate(&m) = 0.05f;
    for (int i = 0; i < 100; i++) learn(&m, 0.5f, 2.0f);
    if (!(learn(&m, 0.5f, 2.0f) < first / 100)) return 3;
    before = m;
    if (!isnan(learn(&m, NAN, 1.0f)) || memcmp(&before.state, &m.state, sizeof m.state)) return 4;
    if (!isnan(learn(&m, 1.0f, NAN)) || memcmp(&before.state, &m.state, sizeof m.state)) return 5;
    *mlp_learning_rate(&m) = INFINITY;
    before = m;
    learn(&m, 0.5f, 1.0f);
    return memcmp(&before.state, &m.state, sizeof m.state) ? 6 : 0;
}
"""


def test_learning_rate_and_bad_numbers(tmp_path: Path) -> None:
    """The rate is set at run time; samples that are not numbers, and a rate that is not finite, leave the state to the byte."""
    how = GradientDescent(0.3)
    files = emit(plan_module(make_trainable(mlp([3, 4, 1]), All(), "mean_squared_error", how), PLAIN), "size").files
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "main.c").write_text(f"#include <string.h>{MAIN}")
    subprocess.run(["gcc", *WARNINGS[:1], "-O1", "main.c", "mlp.c", "-o", "main", "-lm"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"]).returncode == 0


def test_head_begins_neutral() -> None:
    """All classes are equally likely."""
    module = make_trainable(mlp([5, 9, 6, 3]), Head(4), "softmax_cross_entropy", DESCENTS[0])
    (prediction,) = Interpreter(module).run([np.ones((1, 5), np.float32)])
    np.testing.assert_allclose(prediction, np.full((1, 4), 0.25))
