"""The generated C of small models, letter by letter: a refactoring must not change it."""

from collections.abc import Callable

import pytest

from graphs import conv_module, deep_module, streaming_module
from lichen.backend.emit import emit
from lichen.backend.program import plan_module
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Module
from lichen.plan.rows import Streams


@pytest.mark.parametrize(
    "module", [conv_module("conv", channels=6), streaming_module(), deep_module("rows")], ids=lambda m: m.name
)
def test_generated_files_are_the_golden_ones(module: Module, golden: Callable[[str, str], None]) -> None:
    """Header, source and tables of a model, one of which takes its input by rows; the kernels are copies and need no golden file."""
    streams = Streams(module.infer, module.infer.inputs)
    regions = [streams.region(0, 2)] if module.name == "rows" else []
    files = emit(plan_module(module, PLAIN, regions), "size").files
    for name in (f"{module.name}.h", f"{module.name}.c", f"{module.name}_weights.h"):
        golden(name, files[name])
