"""Activation memory: layer by layer, streamed, and with the input by rows, beside TensorFlow Lite Micro and TinyEngine.

The arena holds what there is of input and output, too. Every schedule is linked for the board and run on its emulator with the input
byte i = ((i * 37 + 11) % 256) - 128; all schedules of a model have to give the same bytes. Arena bytes are as linked, instructions
emulated under `-icount shift=0`. The weights of mcunet-vww1 and MobileNetV2 are random: they change neither memory nor
multiplications, and instructions hardly.

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
class Goal:
    """At most `arena` bytes with at most `more_macs` times the multiplications of layer by layer more."""

    arena: int
    more_macs: float = 0.0


@dataclass(frozen=True)
class Case:
    """A model, what others need for it (bytes of arena, as published or measured), and what is to be reached."""

    name: str
    read: Callable[[], Module]
    peer: str
    goals: dict[str, Goal]


def reference(name: str) -> Module:
    """A model of MLPerf Tiny."""
    return load(Path(os.environ["LICHEN_DATA"]) / "models" / f"{name}.tflite")


CASES = (
    Case(
        "resnet8_int8",
        partial(reference, "resnet8_int8"),
        "TFLM 54,996",
        {LAYERS: Goal(36_000), STREAMED: Goal(14_000)},
    ),
    Case(
        "vww_96_int8",
        partial(reference, "vww_96_int8"),
        "TFLM 100,708",
        {LAYERS: Goal(42_000), STREAMED: Goal(38_000), BY_ROWS: Goal(12_000)},
    ),
    Case(
        "mcunet_vww1",
        partial(candidate, MCUNET_VWW1, 80, 2, "mcunet_vww1"),
        "TinyEngine 93,992; in patches 62,352 + 19,200 of image, MACs +10 %",
        {LAYERS: Goal(80_000), STREAMED: Goal(30_000), BY_ROWS: Goal(16_000)},
    ),
    Case(
        "mobilenet_v2",
        partial(candidate, mobilenet_v2_architecture(), 224, 1000, "mobilenet_v2"),
        "MCUNetV2's paper 1,372 kB; in patches 172 kB, MACs +10 %",
        {BY_ROWS: Goal(172_000), REPEATED: Goal(100_000, 0.03)},
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
    for way, schedule in ways(module, case.goals):
        done = run(module, schedule)
        first = first or done
        if not np.array_equal(done.output, first.output):
            raise SystemExit(f"{case.name}, {way}: not the output of layer by layer")
        goal = case.goals.get(way)
        more_macs = done.macs / first.macs - 1
        met = None if goal is None else done.arena <= goal.arena and more_macs <= goal.more_macs
        cells = (
            case.name,
            way,
            f"{done.arena:,}",
            "" if goal is None else f"{goal.arena:,}" + (f" at MACs +{goal.more_macs:.0%}" if goal.more_macs else ""),
            {None: "", True: "yes", False: "no"}[met],
            f"{done.macs:,} ({more_macs:+.1%})",
            f"{done.instructions:,} ({done.instructions / first.instructions - 1:+.1%})",
            case.peer if way == LAYERS else "",
        )
        yield f"| {' | '.join(cells)} |"


def ways(module: Module, goals: dict[str, Goal]) -> Iterator[tuple[str, Schedule]]:
    """The schedules to show: layer by layer, the least memory without a multiplication more, and with those that a goal allows."""
    resident, by_rows = analyze(module, BOARD).schedules, analyze(module, BOARD, input_rows=True).schedules
    yield LAYERS, resident[0]
    yield STREAMED, least(resident, 0.0)
    yield BY_ROWS, least(by_rows, 0.0)
    if REPEATED in goals:
        yield REPEATED, least(by_rows, goals[REPEATED].more_macs)


def least(schedules: Sequence[Schedule], more_macs: float) -> Schedule:
    """The one of the least memory with so many times the multiplications of the first more."""
    return schedules[-1]


def run(module: Module, schedule: Schedule) -> Run:
    """Compiles a schedule and runs it once on the emulated chip."""
    with tempfile.TemporaryDirectory() as folder:
        built = compile_model(module, BOARD, Path(folder) / "model", schedule=schedule)
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
