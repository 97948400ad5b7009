"""Which weights of a planned program are coded, and where they are decoded."""

from __future__ import annotations

from collections.abc import Sequence

from lichen.backend.program import Program, plan_module
from lichen.coding.weights import Key, Way, codable, code_weights, key_of
from lichen.errors import InputError
from lichen.ir.kernel import Core
from lichen.plan.rows import Region

WEIGHTS = ("plain", "coded")
"""How weights lie in flash: as kernels read them, or in Huffman codes where that is smaller."""


def require_form(weights: str) -> None:
    """Raises `InputError` for a word that is not one of `WEIGHTS`."""
    if weights not in WEIGHTS:
        raise InputError(f"--weights {weights} is not one of {', '.join(WEIGHTS)}")


def coded_program(plain: Program, core: Core, regions: Sequence[Region] = ()) -> Program:
    """`plain`, which was planned for `core` with `regions`, with weights coded where that is smaller."""
    steps = [step for planned in plain.functions.values() for step in planned.steps]
    calls = [pair for step in steps for pair in zip(step.operations, step.calls, strict=True)]
    ways: dict[Key, Way] = {}
    for operation, call in calls:
        key = key_of(call)
        if key is not None and codable(operation, call):
            ways[key] = Way.FUSED
    return plan_module(plain.module, core, regions, code_weights(calls, ways))
