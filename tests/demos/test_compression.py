"""The demonstration of deep compression as users run it, and its figures computed once more from what it leaves on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from demo_command import answer_of, refusal_without
from generated_tables import table_bytes
from lichen.compiler import analyze
from lichen.data.digits import load_digits
from lichen.demos.compression import Result, Trial, int8_module, three_fifths
from lichen.demos.deep_compression import LENET_5, LENET_300_100
from lichen.frontends import load
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Constant
from lichen.ir.samples import to_batch
from lichen.nn.zoo import lenet_5, lenet_300_100
from lichen.report.stage_points import StagePoint

NETWORKS = {"lenet_300_100": (lenet_300_100, 266_610), "lenet_5": (lenet_5, 431_080)}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What `lichen demo compression` printed, for one seed and few epochs, and its folder."""
    out = tmp_path_factory.mktemp("demo")
    return answer_of("compression", "--quick", "--seeds", 1, "--out", out), out


@pytest.mark.timeout(300)
def test_answer_has_the_fixed_keys(demo: tuple[dict[str, Any], Path]) -> None:
    """Two networks with an entry a seed, the Uno with its 32 kB and 2 kB, the same bytes; kept in the folder too, with the picture."""
    answer, out = demo
    assert list(answer) == ["lenet_300_100", "lenet_5", "uno"]
    for name in NETWORKS:
        network = answer[name]
        assert list(network) == ["accuracy_float", "accuracy_chip", "ratio_vs_float32", "ratio_vs_int8"]
        assert len(network["accuracy_float"]) == len(network["accuracy_chip"]) == 1
        assert network["accuracy_chip"][0] > 0.85
    uno = answer["uno"]
    assert list(uno) == ["flash", "ram", "identical", "milliseconds"]
    assert uno["identical"] is True and uno["flash"] <= 32_256 and uno["ram"] <= 2_048
    assert 10 < uno["milliseconds"] < 1_000
    assert json.loads((out / "result.json").read_text()) == answer
    assert (out / "compression.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NETWORKS)
def test_figures_come_from_the_artefacts(demo: tuple[dict[str, Any], Path], name: str) -> None:
    """Accuracies again, by plain PyTorch from the float weights and by the interpreter from the compiled graph; ratios again, from the tables in
    the generated C; and the pruning and sharing that was promised, in the graph's int8 weights.
    """
    answer, out = demo[0][name], demo[1] / name / "seed_0"
    build, parameters = NETWORKS[name]
    digits = load_digits()
    model = with_weights(build, out / "float32.pt")
    assert sum(p.numel() for p in model.parameters()) == parameters
    with torch.no_grad():
        scores = model(torch.from_numpy(digits.test_x.transpose(0, 3, 1, 2).copy())).numpy()
    assert answer["accuracy_float"] == [pytest.approx((scores.argmax(1) == digits.test_y).mean())]

    module = load(out / "coded" / f"{name}.lichen")
    stored, _ = to_batch(digits.test_x, module.infer.inputs[0], "digits")
    interpreter = Interpreter(module)
    right = [interpreter.run([x])[0].argmax() == y for x, y in zip(stored, digits.test_y, strict=True)]
    assert answer["accuracy_chip"] == [pytest.approx(np.mean(right))]

    tables = table_bytes((out / "coded" / f"{name}_weights.h").read_text())
    assert answer["ratio_vs_float32"] == pytest.approx(4 * parameters / tables)
    calibration = three_fifths(digits).train_x[:200]
    plain = analyze(int8_module(model, calibration, name, "channel"), "uno").weights
    assert answer["ratio_vs_int8"] == pytest.approx(plain / tables, rel=0.01)

    chain = {c.name: c for c in (LENET_300_100, LENET_5)}[name]
    layers = [op.operands[1] for op in module.infer.operations if op.kind in ("conv2d", "dense")]
    pruned, shared = (with_weights(build, out / f"{stage}.pt") for stage in ("pruned", "shared"))
    for layer, (path, density) in zip(layers, chain.density.items(), strict=True):
        assert isinstance(layer, Constant)
        assert len(np.unique(layer.data[layer.data != 0])) <= chain.clusters
        for each in (pruned, shared):
            weight = each.get_submodule(path).weight
            assert 0 < int((weight != 0).sum()) <= round(density * weight.numel())


def with_weights(build: Callable[[int], nn.Module], path: Path) -> nn.Module:
    """The network of `build` with the weights that the demo kept."""
    model = build(0)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()


def trial(seed: int, before: float, after: float, coded: int, milliseconds: float, identical: bool | None) -> Trial:
    stages = StagePoint("float32", before, 4000), StagePoint("coded", after, coded)
    return Trial(seed, stages, 1100, 1000 + seed, 20_000 + seed, identical, milliseconds)


def test_the_worst_seed_counts() -> None:
    """Accuracies are listed, ratios are the least of all seeds, memory and time the most; one chip that differs or is missing is told."""
    trials = [trial(0, 0.98, 0.97, 100, 30.0, True), trial(1, 0.97, 0.98, 80, 20.0, True)]
    answer = Result({"lenet_300_100": trials, "lenet_5": trials}).answer()
    assert answer["lenet_5"] == {
        "accuracy_float": [0.98, 0.97],
        "accuracy_chip": [0.97, 0.98],
        "ratio_vs_float32": 40.0,
        "ratio_vs_int8": 11.0,
    }
    assert answer["uno"] == {"flash": 20_001, "ram": 1_001, "identical": True, "milliseconds": 30.0}
    unknown = [trial(0, 0.9, 0.9, 100, 1.0, None)]
    assert Result({"lenet_300_100": unknown, "lenet_5": unknown}).answer()["uno"]["identical"] is None


def test_missing_package_is_named() -> None:
    """Without PyTorch: one sentence with the line that installs it."""
    assert "pip install 'lichen[torch,data,report]'" in refusal_without("torch", "compression")
