"""Every real input at hand through the interpreter, native C and the emulated Cortex-M4, against TensorFlow Lite Micro.

make prove
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tflite_micro import runtime

from lichen.cli.output import progress_bar
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.frontends import load
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array
from lichen.targets.folder import open_folder

RANDOM = 32


def main() -> None:
    data = Path(os.environ["LICHEN_DATA"])
    failures = 0
    for path in sorted((data / "models").glob("*.tflite")):
        for origin, samples in inputs(path, data):
            failures += compare(path, origin, samples)
    sys.exit(failures > 0)


def inputs(path: Path, data: Path) -> Iterator[tuple[str, Array]]:
    """Batches for a model: random ones, and all real ones there are."""
    type_ = load(path).infer.inputs[0].type
    rng = np.random.default_rng(0)
    if type_.dtype.is_float:
        yield "random", rng.normal(size=(RANDOM, *type_.shape)).astype(np.float32)
    else:
        yield "random", rng.integers(-128, 128, (RANDOM, *type_.shape)).astype(np.int8)
    if path.stem == "resnet8_int8":
        for name in ("mlperf_perf200", "test2000"):
            with np.load(data / "cifar10" / f"{name}.npz") as images:
                x = next(images[key] for key in images.files if images[key].ndim == 4)
            yield name, (x.astype(np.int16) - 128).astype(np.int8)[:, None]
    for name, model in (
        ("person_no_person_int8_96x96", "person_detect"),
        ("micro_speech_features_int8_49x40", "micro_speech_quantized"),
    ):
        if path.stem == model:
            with np.load(data / "samples" / f"{name}.npz") as samples:
                yield name, np.stack([samples[key].reshape(type_.shape) for key in samples.files])


def compare(path: Path, origin: str, samples: Array) -> int:
    """0 if all four agree on all samples, else 1; says so on standard output."""
    oracle = runtime.Interpreter.from_bytes(path.read_bytes())
    module = load(path)
    interpreter = Interpreter(module)
    expected, interpreted = [], []
    with progress_bar(f"{path.stem}, {origin}: oracle and interpreter", len(samples)) as progress:
        for x in samples:
            oracle.set_input(x, 0)
            oracle.invoke()
            expected.append(np.array(oracle.get_output(0)))
            interpreted.append(interpreter.run([x])[0])
            progress(1)
    results = {"interpreter": np.stack(interpreted)}
    with tempfile.TemporaryDirectory() as folder:
        model = open_folder(compile_model(load(path), "mps2-an386", Path(folder) / "model").path)
        for on in ("native", "qemu"):
            with (
                progress_bar(f"{path.stem}, {origin}: {on}", len(samples)) as progress,
                open_executor(model, on) as executor,
            ):
                results[on] = executor.run([samples], progress)[0]
    wanted = np.stack(expected)
    same = {
        where: bool(np.allclose(got, wanted, 1e-6, 1e-6) if got.dtype == np.float32 else np.array_equal(got, wanted))
        for where, got in results.items()
    }
    verdict = ", ".join(f"{where} {'same' if ok else 'DIFFERENT'}" for where, ok in same.items())
    print(f"{path.stem}: {len(samples):,} {origin}: {verdict}", flush=True)
    return 0 if all(same.values()) else 1


if __name__ == "__main__":
    main()
