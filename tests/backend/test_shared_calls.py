"""What `infer` and `learn` do alike stands in flash once."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from graphs import conv_module
from learning_nets import mlp
from lichen.backend.emit import emit
from lichen.backend.program import plan_module
from lichen.compiler import compile_model
from lichen.ir.kernel import PLAIN
from lichen.learning.choice import Last
from lichen.learning.learner import Learning
from lichen.learning.trainable import make_trainable
from lichen.passes.gradient_descent import GradientDescent
from lichen.reading import load


def calls(source: str, kernel: str) -> int:
    """How often a kernel is called in C."""
    return len(re.findall(rf"\blichen_{kernel}\(", source))


def test_the_frozen_part_is_there_once() -> None:
    """Three layers of which the last learns: the frozen two are shared, as is the forward pass of the last."""
    module = make_trainable(mlp([4, 6, 5, 3]), Last(1), "mean_squared_error", GradientDescent(0.1))
    source = emit(plan_module(module, PLAIN), "speed").files["mlp.c"]
    assert calls(source, "conv2d_f32") == 3
    assert len(re.findall(r"static LICHEN_ONE_COPY void mlp_k_", source)) == 3
    assert all(source.count(f"mlp_k_{name}(") == 3 for name in ("y0", "y1", "y2")), "one definition, two calls"


def test_nothing_is_shared_within_one_function() -> None:
    """A model that only infers is the straight line of calls that it was."""
    source = emit(plan_module(conv_module(), PLAIN), "speed").files["toy.c"]
    assert "LICHEN_ONE_COPY" not in source


def test_learning_adds_little_flash(lichen_data: Path, tmp_path: Path) -> None:
    """A head on the person detector adds less than a tenth to its flash, and at most 5 % to the instructions of an inference."""
    module = load(lichen_data / "models" / "vww_96_int8.tflite")
    built = compile_model(module, "mps2-an386", tmp_path / "model", learning=Learning("last:1"))
    infer, learn = built.functions
    assert infer.flash is not None and learn.flash is not None and learn.flash < infer.flash / 10
    assert infer.instructions is not None and learn.instructions is not None
    assert learn.instructions <= 1.05 * infer.instructions
    assert np.isclose(learn.arena, infer.arena, rtol=0.01)
