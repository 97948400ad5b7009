"""Activation memory of the reference models: every schedule there is, linked and run on the emulated Cortex-M4.

The arena holds input and output, too. Instructions are emulated under `-icount shift=0`, with the input of `benchmarks/figures.py`;
the outputs of all schedules are compared.

    make bench-memory
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from lichen.compiler import analyze, compile_model
from lichen.device.count import count_first
from lichen.device.executor import open_executor
from lichen.reading import load
from lichen.targets.folder import open_folder

BOARD = "mps2-an386"
TFLM = {"resnet8_int8": 54_996, "vww_96_int8": 100_708}
"""Arena of TensorFlow Lite Micro with CMSIS-NN, measured in August 2026."""


def main() -> None:
    models = Path(os.environ["LICHEN_DATA"]) / "models"
    print("| model | streamed rows | arena, bytes | TFLM, bytes | MACs | instructions |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, tflm in TFLM.items():
        path = models / f"{name}.tflite"
        outputs = []
        for schedule in analyze(load(path), BOARD).schedules:
            with tempfile.TemporaryDirectory() as folder:
                built = compile_model(load(path), BOARD, Path(folder) / "model", ram=schedule.arena)
                model = open_folder(built.path)
                slot = model.manifest["inputs"][0]
                x = ((np.arange(slot["bytes"]) * 37 + 11) % 256 - 128).astype(np.int8).reshape(1, *slot["shape"])
                with open_executor(model, "qemu") as executor:
                    outputs.append(executor.run([x])[0])
                instructions = count_first(model, "qemu", [x]).instructions
            assert np.array_equal(outputs[0], outputs[-1])
            print(
                f"| {name} | {schedule.rows} | {built.arena:,} | {tflm:,} | {built.macs:,} | {instructions:,} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
