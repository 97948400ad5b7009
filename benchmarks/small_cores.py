"""int8 layers on cores without DSP instructions: the Arduino Uno (ATmega328P) and the Raspberry Pi Pico (Cortex-M0+).

Cycles of the Uno are emulated by simavr. Instructions of the Pico are emulated, on a Cortex-M3 machine that executes the same code, and its
cycles modelled.

    make bench-small
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from counting import sample
from layer_models import convolution, dense, depthwise, perceptron
from lichen.compiler import compile_model
from lichen.device.count import count_first
from lichen.ir.module import Module
from lichen.targets.board import load_board
from lichen.targets.folder import open_folder


def models() -> Iterator[tuple[str, Module, tuple[str, ...]]]:
    """Name, model, and the boards it is measured on."""
    small, large = ("uno", "pico"), ("pico",)
    yield "dense 64-32-10", perceptron(64, 32, 10), small
    yield "conv first 5x5 s1 12x12 1->4", convolution(12, 12, 1, 4, 5, 1, zero=-1), small
    yield "conv 1x1 8x8 16->8", convolution(8, 8, 16, 8, 1, 1), small
    yield "conv 3x3 s1 8x8 8->8", convolution(8, 8, 8, 8, 3, 1), small
    yield "depthwise 3x3 s1 8x8x8", depthwise(8, 8, 3, 1), small
    yield "conv first 3x3 s1 32x32 3->16", convolution(32, 32, 3, 16, 3, 1, zero=-1), large
    yield "conv 1x1 16x16 32->32", convolution(16, 16, 32, 32, 1, 1), large
    yield "conv 3x3 s1 16x16 16->16", convolution(16, 16, 16, 16, 3, 1), large
    yield "conv 3x3 s1 8x8 64->64", convolution(8, 8, 64, 64, 3, 1), large
    yield "depthwise 3x3 s1 24x24x32", depthwise(24, 32, 3, 1), large
    yield "dense 640->128", dense(640, 128), large


def main() -> None:
    print("| model | board | build | MACs | instructions | per MAC | cycles | per MAC | code, bytes |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, module, boards in models():
        for board in boards:
            for optimize in ("speed", "size"):
                print(row(name, module, board, optimize), flush=True)


def row(name: str, module: Module, board: str, optimize: str) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        built = compile_model(module, board, Path(folder) / "model", optimize)
        emulator = load_board(board).emulator
        assert emulator is not None
        count = count_first(open_folder(built.path), emulator.kind, [x[None] for x in sample(module)])
    assert count.instructions is not None and count.cycles is not None
    return (
        f"| {name} | {board} | {optimize} | {built.macs:,} | {count.instructions:,} | {count.instructions / built.macs:.2f} "
        f"| {count.cycles:,} | {count.cycles / built.macs:.2f} | {built.code:,} |"
    )


if __name__ == "__main__":
    main()
