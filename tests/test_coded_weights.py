"""Weights coded in flash: the same bytes as plain ones, on the host and on emulated chips."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from coded import some_weights
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Constant, Function, Module, Operation, Value
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.targets.folder import ModelFolder, open_folder

RNG = np.random.default_rng(6)


def dense_module(sizes: list[int], share: float, batch: int = 1) -> Module:
    """Fully connected int8 layers with so many neurons, of whose weights about this share is not zero."""
    rng = np.random.default_rng(len(sizes))
    values = [_value("x", (batch, sizes[0]))]
    operations = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        data = some_weights(rng, outputs * inputs, share, 20).reshape(outputs, inputs)
        scales = Quantisation(tuple(float(s) for s in rng.uniform(0.001, 0.01, outputs)), (0,) * outputs, 0)
        weights = Constant(f"w{index}", TensorType(data.shape, DType.INT8, scales), data)
        bias = Constant(
            f"b{index}", TensorType((outputs,), DType.INT32), rng.integers(-500, 500, outputs).astype(np.int32)
        )
        values.append(_value(f"h{index}", (batch, outputs)))
        operands: list[Value] = [values[-2], weights, bias]
        operations.append(Operation("dense", operands, [values[-1]], {"activation": "relu"}))
    return Module("mlp", {"infer": Function("infer", [values[0]], operations, [values[-1]])})


def _value(name: str, shape: tuple[int, ...]) -> Value:
    return Value(name, TensorType(shape, DType.INT8, Quantisation((0.05,), (-3,), None)))


def random_samples(module: Module, count: int) -> Array:
    return RNG.integers(-128, 128, (count, *module.infer.inputs[0].type.shape)).astype(np.int8)


def interpreted(module: Module, samples: Array) -> Array:
    interpreter = Interpreter(module)
    return np.stack([interpreter.run([x])[0] for x in samples])


def coded(module: Module, board: str, folder: Path, optimize: str = "speed") -> ModelFolder:
    return open_folder(compile_model(module, board, folder, optimize, weights="coded").path)


@pytest.mark.parametrize(("share", "form"), [(0.08, "sparse"), (0.9, "dense")])
@pytest.mark.parametrize(
    ("board", "on", "optimize"),
    [
        ("mps2-an386", "native", "speed"),
        ("nano33ble", "qemu", "speed"),
        ("nano33ble", "qemu", "size"),
        ("uno", "simavr", "size"),
    ],
)
def test_dense_layers_are_decoded_as_they_are_multiplied(
    share: float, form: str, board: str, on: str, optimize: str, tmp_path: Path, needs: Callable[..., None]
) -> None:
    """Both forms give the interpreter's bytes everywhere, and take less flash than plain weights."""
    module = dense_module([64, 40, 33, 10], share)
    model = coded(module, board, tmp_path / "model", optimize)
    forms = [layer["form"] for op in model.manifest["ops"] for layer in op.get("coded", [])]
    assert form in forms
    assert model.manifest["weights_bytes"] < model.manifest["plain_weights_bytes"]
    samples = random_samples(module, 5)
    with open_executor(model, on) as executor:
        np.testing.assert_array_equal(executor.run([samples])[0], interpreted(module, samples))
