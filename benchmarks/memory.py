"""Activation memory: layer by layer, streamed, and with the input by rows, beside TensorFlow Lite Micro and TinyEngine.

The arena holds what there is of input and output, too. Every schedule is linked for the board and run on its emulator with the input
byte i = ((i * 37 + 11) % 256) - 128; all schedules of a model have to give the same bytes. Arena bytes are as linked, instructions
emulated under `-icount shift=0`. The weights of mcunet-vww1 and MobileNetV2 are random: they change neither memory nor
multiplications, and instructions hardly. Where there are bytes to reach, rows take the fastest kernels with which they are.

    make bench-memory
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lichen.compiler import analyze, compile_model
from lichen.device.count import count_first
from lichen.device.executor import open_executor
from lichen.ir.module import Array, Module
from lichen.nn.zoo import MCUNET_VWW1, mobilenet_v2_architecture
from lichen.plan.schedule import Schedule
from lichen.reading import load
from lichen.search.candidate import candidate
from lichen.targets.folder import open_folder

BOARD = "mps2-an386"

LAYERS, STREAMED, BY_ROWS, REPEATED = "layer by layer", "streamed", "input by rows", "input by rows, recomputing"


@dataclass(frozen=True)
class Case:
    """A model, what others need for it (bytes of arena, as published or measured), and the bytes to reach."""

    name: str
    read: Callable[[], Module]
    peer: str
    goals: dict[str, int]
    more_macs: float = 0.0
    """What may be computed twice, a share of all, in a schedule that is shown besides those that compute nothing twice."""


def reference(name: str) -> Module:
    """A model of MLPerf Tiny."""
    return load(Path(os.environ["LICHEN_DATA"]) / "models" / f"{name}.tflite")


CASES = (
    Case(
        "resnet8_int8",
        partial(reference, "resnet8_int8"),
        "TFLM 54,996",
        {LAYERS: 36_000, STREAMED: 14_000},
    ),
    Case(
        "vww_96_int8",
        partial(reference, "vww_96_int8"),
        "TFLM 100,708",
        {LAYERS: 42_000, STREAMED: 38_000, BY_ROWS: 12_000},
    ),
    Case(
        "mcunet_vww1",
        partial(candidate, MCUNET_VWW1, 80, 2, "mcunet_vww1"),
        "TinyEngine 93,992; in patches 62,352 + 19,200 of image, MACs +10 %",
        {LAYERS: 80_000, STREAMED: 30_000, BY_ROWS: 16_000},
        more_macs=0.03,
    ),
    Case(
        "mobilenet_v2",
        partial(candidate, mobilenet_v2_architecture(), 224, 1000, "mobilenet_v2"),
        "MCUNetV2's paper 1,372 kB; in patches 172 kB, MACs +10 %",
        {BY_ROWS: 172_000, REPEATED: 100_000},
        more_macs=0.03,
    ),
)


@dataclass(frozen=True)
class Run:
    """A schedule as linked and executed."""

    arena: int
    macs: int
    instructions: int
    output: Array


def main() -> None:
    print("| model | schedule | arena, bytes | to reach | met | MACs | instructions | others, bytes |")
    print("| --- | --- | ---: | ---: | --- | ---: | ---: | --- |")
    for case in CASES:
        for line in lines(case):
            print(line, flush=True)


def lines(case: Case) -> Iterator[str]:
    """The rows of the table for one model. Raises `SystemExit` where schedules do not give the same bytes."""
    module, first = case.read(), None
    for way, schedule in ways(module, case.more_macs):
        done = run(module, schedule, case.goals.get(way))
        first = first or done
        if not np.array_equal(done.output, first.output):
            raise SystemExit(f"{case.name}, {way}: not the output of layer by layer")
        goal, more_macs = case.goals.get(way), done.macs / first.macs - 1
        assert more_macs <= (case.more_macs if way == REPEATED else 0)
        cells = (
            case.name,
            way,
            f"{done.arena:,}",
            "" if goal is None else f"{goal:,}",
            "" if goal is None else "yes" if done.arena <= goal else "no",
            f"{done.macs:,} ({more_macs:+.1%})",
            f"{done.instructions:,} ({done.instructions / first.instructions - 1:+.1%})",
            case.peer if way == LAYERS else "",
        )
        yield f"| {' | '.join(cells)} |"


def ways(module: Module, more_macs: float) -> Iterator[tuple[str, Schedule]]:
    """The schedules to show: layer by layer, those of the least memory that compute nothing twice, and one that computes so much."""
    resident, by_rows = analyze(module, BOARD).schedules, analyze(module, BOARD, input_rows=True).schedules
    macs = resident[0].macs
    yield LAYERS, resident[0]
    yield STREAMED, least(resident, macs)
    yield BY_ROWS, least(by_rows, macs)
    if more_macs:
        again = analyze(module, BOARD, input_rows=True, rows_again=True).schedules
        yield REPEATED, least(again, macs * (1 + more_macs))


def least(schedules: Sequence[Schedule], macs: float) -> Schedule:
    """The one of the least memory with at most so many multiplications."""
    return min((s for s in schedules if s.macs <= macs), key=lambda s: s.arena)


def run(module: Module, schedule: Schedule, ram: int | None) -> Run:
    """Compiles a schedule, with the kernels that `ram` bytes allow, and runs it once on the emulated chip."""
    with tempfile.TemporaryDirectory() as folder:
        built = compile_model(module, BOARD, Path(folder) / "model", schedule=schedule, ram=ram)
        model = open_folder(built.path)
        slot = model.manifest["inputs"][0]
        size = int(np.prod(slot["shape"]))
        x = ((np.arange(size) * 37 + 11) % 256 - 128).astype(np.int8).reshape(1, *slot["shape"])
        with open_executor(model, "qemu") as executor:
            output = executor.run([x])[0]
        instructions = count_first(model, "qemu", [x]).instructions
    assert instructions is not None
    return Run(built.arena, built.macs, instructions, output)


if __name__ == "__main__":
    main()
