"""The interpreter against the emulated chip: each module compiled for a board, on random inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Module
from lichen.targets.folder import open_folder
from native_check import random_input


def assert_chip_equals_interpreter(modules: Mapping[str, Module], board: str, optimize: str, folder: Path) -> None:
    """Every output of every module has the interpreter's bytes, for two inputs one after the other."""
    for index, (name, module) in enumerate(modules.items()):
        rng = np.random.default_rng(index)
        samples = [[random_input(value.type, rng) for value in module.infer.inputs] for _ in range(2)]
        expected = [Interpreter(module).run(sample) for sample in samples]
        model = open_folder(compile_model(module, board, folder / f"m{index}", optimize).path)
        with open_executor(model, "qemu") as executor:
            for sample, outputs in zip(samples, expected, strict=True):
                for y, got in zip(outputs, executor.run([x[None] for x in sample]), strict=True):
                    np.testing.assert_array_equal(got[0], y, err_msg=name)
