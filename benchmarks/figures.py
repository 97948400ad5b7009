"""RAM, flash and instructions of the MLPerf Tiny reference models on `mps2-an386`, beside TensorFlow Lite Micro's.

Prints the table of the README. RAM and flash are as linked, instructions are emulated under `-icount shift=0`; the input is the one of
the comparison, byte i = ((i * 37 + 11) % 256) - 128.

    make bench
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lichen.compiler import compile_model
from lichen.device.count import count_first
from lichen.device.executor import open_executor
from lichen.reading import load
from lichen.targets.folder import open_folder

BOARD = "mps2-an386"


@dataclass(frozen=True)
class Peer:
    """TensorFlow Lite Micro with CMSIS-NN, its fastest build, measured with the same compiler on the same emulator in August 2026."""

    arena: int
    code: int
    flash: int  # code and model file
    instructions: int
    outputs: tuple[int, ...]


PEERS = {
    "resnet8_int8": Peer(
        54_996, 51_632, 150_128, 28_378_280, (-128, -128, -51, -128, -128, -128, -101, -128, 24, -128)
    ),
    "vww_96_int8": Peer(100_708, 54_308, 387_596, 22_579_000, (121, -121)),
}


def main() -> None:
    models = Path(os.environ["LICHEN_DATA"]) / "models"
    print(
        "| model | build | arena, bytes | stack, bytes | weights, bytes | code, bytes | flash, bytes | instructions |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, peer in PEERS.items():
        for optimize in ("speed", "size"):
            print(row(models / f"{name}.tflite", optimize, peer), flush=True)
        print(
            f"| {name} | TFLM, CMSIS-NN | {peer.arena:,} | | | {peer.code:,} | {peer.flash:,} | {peer.instructions:,} |"
        )


def row(path: Path, optimize: str, peer: Peer) -> str:
    """One line of the table; the outputs are checked on the way."""
    with tempfile.TemporaryDirectory() as folder:
        built = compile_model(load(path), BOARD, Path(folder) / "model", optimize)
        model = open_folder(built.path)
        slot = model.manifest["inputs"][0]
        index = np.arange(slot["bytes"])
        x = ((index * 37 + 11) % 256 - 128).astype(np.int8).reshape(1, *slot["shape"])
        with open_executor(model, "qemu") as executor:
            outputs = executor.run([x])[0].ravel()
        assert tuple(outputs.tolist()) == peer.outputs, outputs
        instructions = count_first(model, "qemu", [x]).instructions
    assert instructions is not None
    return (
        f"| {built.name} | Lichen, {optimize} | {built.arena:,} | {built.stack:,} | {built.weights:,} | {built.code:,} "
        f"| {built.flash:,} | {instructions:,} |"
    )


if __name__ == "__main__":
    main()
