"""The report finds the layer that was damaged, and keeps own and accumulated error apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from lichen.errors import InputError
from lichen.frontends.torch_export import from_exported_program
from lichen.ir.module import Module, Operation, constant
from lichen.nn.error_report import LayerError, error_report, format_report, stage_accuracies
from lichen.nn.quantize import export, quantize
from lichen.passes import run_passes
from lichen.passes.integerize import integerize

SHAPE = (1, 2, 6, 6)


def pair() -> tuple[nn.Module, torch.export.ExportedProgram, Module, Module]:
    """A network, its PT2E program, and both as modules."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()),
        *(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)),
    ).eval()
    program = quantize(model, torch.zeros(SHAPE), [torch.randn(64, *SHAPE[1:])])
    reference, quantised = (from_exported_program(p, "net") for p in (export(model, torch.zeros(SHAPE)), program))
    assert integerize(quantised) == []
    for module in (reference, quantised):
        run_passes(module)
    return model, program, reference, quantised


def samples(n: int = 8) -> list[np.ndarray]:  # type: ignore[type-arg]
    return list(np.random.default_rng(0).normal(size=(n, 1, 6, 6, 2)).astype(np.float32))


def layer(module: Module, name: str) -> Operation:
    return next(op for op in module.infer.operations if op.name == name)


def damage(op: Operation) -> None:
    """Rounds the weights of a layer to multiples of 64."""
    weights = op.operands[1]
    coarse = (np.rint(weights.data / 64) * 64).clip(-127, 127).astype(np.int8)  # type: ignore[attr-defined]
    op.operands[1] = constant(weights.name, coarse, weights.type)


def test_every_layer_is_there_and_sound() -> None:
    """All layers with arithmetic are compared, fused or not, and a sound quantisation keeps more than 25 dB everywhere."""
    _, _, reference, quantised = pair()
    report = error_report(reference, quantised, samples())
    assert {e.name for e in report if e.kind in ("conv2d", "dense")} == {"t2", "t4", "t6"}
    assert all(e.own_sqnr > 25 and e.sqnr > 25 for e in report)


@pytest.mark.parametrize("name", ["t2", "t4", "t6"])
def test_the_damaged_layer_comes_first(name: str) -> None:
    """Coarse weights in one layer put that layer first: its own error is large, that of the others is not."""
    _, _, reference, quantised = pair()
    damage(layer(quantised, name))
    first, second, *_ = error_report(reference, quantised, samples())
    assert first.name == name and first.own_sqnr < 15 < 25 < second.own_sqnr


def test_damage_accumulates() -> None:
    """Layers after the damaged one have lost the signal too, though not by themselves."""
    _, _, reference, quantised = pair()
    damage(layer(quantised, "t2"))
    last = next(e for e in error_report(reference, quantised, samples()) if e.name == "t6")
    assert last.sqnr < 20 and last.own_sqnr > 25


def test_clipping_is_seen() -> None:
    """Samples far outside the calibrated range count as clipped."""
    _, _, reference, quantised = pair()
    calm = error_report(reference, quantised, samples())
    wild = error_report(reference, quantised, [10 * x for x in samples()])
    assert max(e.saturated for e in calm) < 0.05 < max(e.saturated for e in wild)


def test_stage_accuracies() -> None:
    """Each stage is measured against the same classes; int8 stays near PT2E."""
    model, program, _, quantised = pair()
    x = np.concatenate(samples(100))
    with torch.no_grad():
        y = model(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).argmax(1).numpy()
    stages = stage_accuracies(model, program.module(), quantised, x, y)
    assert [s.stage for s in stages] == ["float", "pt2e", "int8"]
    assert (
        stages[0].accuracy == 1.0 and stages[1].accuracy > 0.8 and abs(stages[2].accuracy - stages[1].accuracy) <= 0.05
    )


def test_table() -> None:
    """The table aligns, in the order given, and has words for exact and lost."""
    table = format_report(
        [LayerError("a", "conv2d", 31.27, -math.inf, 2.04, 0.125), LayerError("bb", "add", math.inf, 3, 0, 0)]
    )
    assert table.splitlines() == [
        "layer  operator  own dB  total dB  steps  clipped",
        "a      conv2d      31.3      lost    2.0    12.5%",
        "bb     add        exact       3.0    0.0     0.0%",
    ]


def test_nothing_to_compare_is_refused() -> None:
    """No samples, and modules of different networks, are the user's to mend."""
    _, _, reference, quantised = pair()
    with pytest.raises(InputError, match="at least one sample"):
        error_report(reference, quantised, [])
    for op in quantised.infer.operations:
        op.results[0].name += "_other"
    with pytest.raises(InputError, match="no layer in common"):
        error_report(reference, quantised, samples(1))
