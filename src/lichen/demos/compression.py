"""Deep Compression down to the flash: two LeNets, 40 times smaller than in float32, on the chips that they then fit.

After Han, Mao, Dally (arXiv 1510.00149), on 5,000 digits: 3,000 to train on, 1,000 on which epochs, densities and rates were chosen, and 1,000 that
test. The float networks and the compressed ones see the same digits; the teacher only teaches the compressed ones, that being a part of compressing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lichen.compiler import analyze, compile_model
from lichen.data.digits import Digits, hold_out, load_digits
from lichen.demos.chip import on_chip, require_same
from lichen.demos.deep_compression import CHAINS, LENET_300_100, Chain, Lessons, compress, teach
from lichen.demos.progress import ProgressBar, Remark
from lichen.device.executor import open_executor
from lichen.ir.module import Module
from lichen.ir.samples import to_batch
from lichen.nn.quantize import quantize
from lichen.nn.quantizer import WeightScale
from lichen.nn.tensors import to_tensor
from lichen.nn.train import accuracy, predict
from lichen.reading import from_torch
from lichen.report.stage_points import StagePoint, draw_stage_points
from lichen.targets.folder import open_folder

CALIBRATION_SAMPLES = 200
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Trial:
    """What became of the network of one seed. `stages` in their order; bytes are those of all weights, codes, biases and multipliers."""

    seed: int
    stages: tuple[StagePoint, ...]
    int8_bytes: int
    """Of the float network in plain int8."""
    ram: int
    flash: int | None
    identical: bool | None
    """Whether the emulated chip gave the interpreter's bytes; `None` where there was no emulator."""
    milliseconds: float | None

    @property
    def accuracy_float(self) -> float:
        """On the test part."""
        return self.stages[0].accuracy

    @property
    def accuracy_chip(self) -> float:
        """On the test part, of the C that was compiled."""
        return self.stages[-1].accuracy

    @property
    def ratio_vs_float32(self) -> float:
        """How many times smaller than four bytes for each parameter."""
        return self.stages[0].bytes / self.stages[-1].bytes

    @property
    def ratio_vs_int8(self) -> float:
        """How many times smaller than the float network in plain int8."""
        return self.int8_bytes / self.stages[-1].bytes


@dataclass(frozen=True)
class Result:
    """The trials of each network, by its name."""

    trials: Mapping[str, Sequence[Trial]]

    def answer(self) -> dict[str, Any]:
        """What `--json` prints; ratios, memory and time are the worst of all seeds."""
        found: dict[str, Any] = {
            name: {
                "accuracy_float": [t.accuracy_float for t in trials],
                "accuracy_chip": [t.accuracy_chip for t in trials],
                "ratio_vs_float32": min(t.ratio_vs_float32 for t in trials),
                "ratio_vs_int8": min(t.ratio_vs_int8 for t in trials),
            }
            for name, trials in self.trials.items()
        }
        uno = self.trials[LENET_300_100.name]
        known = [t.identical for t in uno if t.identical is not None]
        found["uno"] = {
            "flash": max((t.flash for t in uno if t.flash is not None), default=None),
            "ram": max(t.ram for t in uno),
            "identical": all(known) if known else None,
            "milliseconds": max((t.milliseconds for t in uno if t.milliseconds is not None), default=None),
        }
        return found


def run(bar: ProgressBar, remark: Remark, keep: Path | None = None, seeds: int = 5, quick: bool = False) -> Result:
    """Runs the demo for so many seeds; weights and compiled models are kept below `keep` if that is given.

    `quick` takes a fifth of the epochs and one teacher: to see it work, not to reach its figures. Raises `NoError` if C or chip do not give the
    interpreter's bytes.
    """
    digits = load_digits()
    training = three_fifths(digits)
    lessons = teach(training, bar, quick)
    trials: dict[str, list[Trial]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for chain in CHAINS:
            folder = (keep or Path(scratch)) / chain.name
            used = chain.quick() if quick else chain
            trials[chain.name] = [
                _trial(used, seed, digits, training, lessons, folder / f"seed_{seed}", bar, remark)
                for seed in range(seeds)
            ]
    return Result(trials)


def draw(result: Result, folder: Path) -> None:
    """Writes the picture `compression.png` into `folder`. Raises `MissingToolError` without matplotlib."""
    draw_stage_points(
        folder / "compression.png",
        "Deep compression: what each stage does to accuracy and bytes",
        {chain.title: [trial.stages for trial in result.trials[chain.name]] for chain in CHAINS},
    )


def three_fifths(digits: Digits) -> Digits:
    """What teaches, and as its test part the digits on which epochs, densities and rates were chosen."""
    return hold_out(digits, seed=1)


def int8_module(model: nn.Module, calibration: NDArray[np.float32], name: str, weight_scale: WeightScale) -> Module:
    """The model in int8, its ranges those of images `calibration` (n, 28, 28, 1)."""
    x = to_tensor(calibration)
    return from_torch(quantize(model, x[:1], [x], weight_scale=weight_scale), name)


def _trial(
    chain: Chain,
    seed: int,
    digits: Digits,
    training: Digits,
    lessons: Lessons,
    folder: Path,
    bar: ProgressBar,
    remark: Remark,
) -> Trial:
    networks = compress(chain, seed, training, lessons, bar)
    folder.mkdir(parents=True, exist_ok=True)
    float_bytes = FLOAT_BYTES * sum(p.numel() for p in networks.float32.parameters())
    stages = []
    for stage, model in vars(networks).items():
        torch.save(model.state_dict(), folder / f"{stage}.pt")
        stages.append(StagePoint(stage, accuracy(predict(model, digits.test_x), digits.test_y), float_bytes))
    calibration = training.train_x[:CALIBRATION_SAMPLES]
    plain = analyze(int8_module(networks.float32, calibration, chain.name, "channel"), chain.board)
    module = int8_module(networks.shared, calibration, chain.name, "tensor")
    remark(f"{chain.title}, seed {seed}: compiling for {chain.board}")
    compiled = compile_model(module, chain.board, folder / "coded", weights="coded")
    for note in compiled.notes:
        remark(f"{chain.title}: {note}")
    x, _ = to_batch(digits.test_x, module.infer.inputs[0], "digits")
    require_same(compiled, "native", x)
    with (
        bar(f"{chain.title}, seed {seed}: classifying", len(x)) as progress,
        open_executor(open_folder(compiled.path), "native") as executor,
    ):
        chip = accuracy(executor.run([x], progress)[0], digits.test_y)
    identical, milliseconds = on_chip(compiled, x, remark)
    stages += [StagePoint("int8", chip, compiled.plain_weights), StagePoint("coded", chip, compiled.weights)]
    return Trial(
        seed=seed,
        stages=tuple(stages),
        int8_bytes=plain.weights,
        ram=compiled.ram,
        flash=compiled.flash,
        identical=identical,
        milliseconds=milliseconds,
    )
