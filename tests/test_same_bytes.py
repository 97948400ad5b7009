"""The first promise: the interpreter, native C and the emulated Cortex-M4 give the bytes of TensorFlow Lite Micro.

`make prove` runs what is marked `slow` as well: all 2,208 CIFAR images through the emulated chip.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array
from lichen.ir.types import TensorType
from lichen.reading import load
from lichen.targets.folder import open_folder
from tflite_builder import tflm_sequence

pytestmark = pytest.mark.long

MODELS = (
    "hello_world_float",
    "hello_world_int8",
    "micro_speech_quantized",
    "person_detect",
    "resnet8_int8",
    "vww_96_int8",
)
RANDOM = 32

Compare = Callable[[str, Array, tuple[str, ...]], Array]


@pytest.fixture(scope="module")
def compare(lichen_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Compare:
    """`compare(model, samples, where)`: every executor in `where` gives the oracle's bytes (float32: to 1e-6), which are returned."""

    def check(name: str, samples: Array, where: tuple[str, ...]) -> Array:
        path = lichen_data / "models" / f"{name}.tflite"
        expected = np.stack([y for [y] in tflm_sequence(path.read_bytes(), [[x] for x in samples])])
        for on in where:
            got = run(path, samples, on, tmp_path_factory)
            if got.dtype == np.float32:
                np.testing.assert_allclose(got, expected, 1e-6, 1e-6, err_msg=on)
            else:
                np.testing.assert_array_equal(got, expected, err_msg=on)
        return expected

    return check


def run(path: Path, samples: Array, on: str, folders: pytest.TempPathFactory) -> Array:
    """The outputs (n, *shape) of the first output."""
    module = load(path)
    if on == "interpreter":
        interpreter = Interpreter(module)
        return np.stack([interpreter.run([x])[0] for x in samples])
    folder = compile_model(module, "mps2-an386", folders.mktemp(path.stem) / "model").path
    with open_executor(open_folder(folder), on) as executor:
        return executor.run([samples])[0]


def random_samples(type_: TensorType, count: int) -> Array:
    """Random inputs over the whole range of the type."""
    rng = np.random.default_rng(2026)
    if type_.dtype.is_float:
        return rng.uniform(-2 * np.pi, 2 * np.pi, (count, *type_.shape)).astype(np.float32)
    return rng.integers(-128, 128, (count, *type_.shape)).astype(np.int8)


def images(path: Path) -> Array:
    """CIFAR images as int8 inputs of `resnet8_int8`, whose scale is 1 and zero point -128."""
    with np.load(path) as data:
        return (data["x"].astype(np.int16) - 128).astype(np.int8)[:, None]


@pytest.mark.parametrize("name", MODELS)
def test_random_inputs(name: str, compare: Compare, lichen_data: Path) -> None:
    """32 random inputs of every reference model."""
    type_ = load(lichen_data / "models" / f"{name}.tflite").infer.inputs[0].type
    compare(name, random_samples(type_, RANDOM), ("interpreter", "native", "qemu"))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("person_detect", "person_no_person_int8_96x96"),
        ("micro_speech_quantized", "micro_speech_features_int8_49x40"),
    ],
)
def test_real_samples(name: str, file: str, compare: Compare, lichen_data: Path) -> None:
    """The real inputs that come with the example models."""
    shape = load(lichen_data / "models" / f"{name}.tflite").infer.inputs[0].type.shape
    with np.load(lichen_data / "samples" / f"{file}.npz") as data:
        samples = np.stack([data[key].reshape(shape) for key in data.files])
    compare(name, samples, ("interpreter", "native", "qemu"))


def test_mlperf_images_are_classified_as_by_the_oracle(compare: Compare, lichen_data: Path) -> None:
    """MLPerf Tiny's 200 images through `resnet8_int8`, everywhere; 175 of them are right."""
    file = lichen_data / "cifar10" / "mlperf_perf200.npz"
    samples = images(file)
    scores = compare("resnet8_int8", samples, ("interpreter", "native", "qemu"))
    with np.load(file) as data:
        assert np.mean(scores.reshape(len(samples), -1).argmax(axis=1) == data["y"]) == 0.875


def test_all_cifar_images_on_the_host(compare: Compare, lichen_data: Path) -> None:
    """2,008 test images through the interpreter and native C."""
    compare("resnet8_int8", images(lichen_data / "cifar10" / "test2000.npz"), ("interpreter", "native"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_cifar_images_on_the_chip(compare: Compare, lichen_data: Path) -> None:
    """2,008 test images through the emulated Cortex-M4."""
    compare("resnet8_int8", images(lichen_data / "cifar10" / "test2000.npz"), ("qemu",))
