from __future__ import annotations

import numpy as np

from counting import sample
from layer_models import layers
from lichen.ir.interpret import Interpreter


def test_layers_are_told_apart_and_exercise_the_range() -> None:
    """Every layer has its own name, is verified, and its results are not clamped to one end, so a wrong kernel would show."""
    names = set()
    for name, module in layers():
        assert name not in names
        names.add(name)
        (output,) = Interpreter(module).run(sample(module))
        assert len(np.unique(output)) >= min(output.size, 8) or name.startswith("softmax"), name
