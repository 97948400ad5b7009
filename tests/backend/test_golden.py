"""The generated C of small models, letter by letter: a refactoring must not change it."""

from collections.abc import Callable

import numpy as np
import pytest

from graphs import conv_module, int8
from lichen.backend.emit import emit
from lichen.backend.program import plan_module
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Function, Module, Operation, State, Value


def streaming_module() -> Module:
    """The output is the sum of this input and the last: state, two inputs of an operator, no weights."""
    type_ = int8((1, 8), 0.1, -5)
    x, last, y = Value("x", type_), Value("last", type_), Value("y", int8((1, 8), 0.2, 0))
    state = State("memory", type_, np.full((1, 8), -5, np.int8))
    operations = [
        Operation("read_state", [state], [last]),
        Operation("add", [x, last], [y], {"activation": "none"}),
        Operation("write_state", [state, x], []),
    ]
    return Module("streaming", {"infer": Function("infer", [x], operations, [y])})


@pytest.mark.parametrize("module", [conv_module("conv", channels=6), streaming_module()], ids=lambda m: m.name)
def test_generated_files_are_the_golden_ones(module: Module, golden: Callable[[str, str], None]) -> None:
    """Header, source and tables of a model; the kernels are copies and need no golden file."""
    files = emit(plan_module(module, PLAIN), "size").files
    for name in (f"{module.name}.h", f"{module.name}.c", f"{module.name}_weights.h"):
        golden(name, files[name])
