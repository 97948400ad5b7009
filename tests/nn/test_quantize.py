"""Post-training quantisation: what our int8 graph computes is what PyTorch's quantised program computes."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lichen.data.digits import load_digits
from lichen.errors import InputError
from lichen.frontends.torch_export import from_exported_program, load_pt2
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Module
from lichen.ir.types import DType
from lichen.nn.quantize import quantize
from lichen.nn.quantizer import WeightScale
from lichen.nn.tensors import to_tensor
from lichen.nn.threads import single_threaded
from lichen.nn.train import Recipe, fit
from lichen.nn.zoo import digits_cnn
from lichen.passes import run_passes
from lichen.passes.integerize import integerize
from native_check import assert_native_equals_interpreter
from torch_nets import Net, memory_order, randomise


def quantised(
    model: nn.Module, shape: tuple[int, ...], weight_scale: WeightScale = "channel"
) -> tuple[torch.export.ExportedProgram, Module, list[str]]:
    """The PT2E program, the int8 module and what stayed in floating point."""
    torch.manual_seed(0)
    program = quantize(randomise(model), torch.zeros(shape), [torch.randn(16, *shape[1:])], weight_scale=weight_scale)
    module = from_exported_program(program, "net")
    left = integerize(module)
    run_passes(module)
    return program, module, left


def steps_apart(program: torch.export.ExportedProgram, module: Module, shape: tuple[int, ...], n: int = 8) -> float:
    """The largest difference between PT2E program and int8 graph on random inputs, in steps of the output."""
    source, result = module.infer.inputs[0].type, module.infer.outputs[0].type
    interpreter, reference, worst = Interpreter(module), program.module(), 0.0
    for seed in range(n):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        real = memory_order(x, source.shape)
        stored = np.clip(np.rint(real / np.float32(source.scale)) + source.zero_point, -128, 127).astype(np.int8)
        (y,) = interpreter.run([stored])
        with single_threaded():
            expected = memory_order(reference(x), result.shape)
        worst = max(worst, np.abs((y.astype(np.float64) - result.zero_point) - expected / result.scale).max())
    return float(worst)


IMAGE, SIGNAL, VECTOR = (1, 4, 8, 8), (1, 3, 16), (1, 12)

# Networks of few layers: a difference of one step in one layer must not become more on its way through the next.
NETS = {
    "conv, norm, relu": (nn.Sequential(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5), nn.ReLU()), IMAGE),
    "depthwise, relu6": (nn.Sequential(nn.Conv2d(4, 8, 3, groups=4), nn.ReLU6()), IMAGE),
    "linear, norm": (nn.Sequential(nn.Linear(12, 8), nn.BatchNorm1d(8)), VECTOR),
    "conv1d": (nn.Sequential(nn.Conv1d(3, 5, 3, stride=2), nn.ReLU(inplace=True)), SIGNAL),
    "pool, flatten, linear": (nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 5)), IMAGE),
    "avg pool": (nn.AvgPool2d(2), IMAGE),
    "avg pool counting padding": (nn.AvgPool2d(3, padding=1), IMAGE),
    "inception": (
        Net(
            lambda x, a, b: torch.cat([a(x).relu(), F.max_pool2d(b(x), 3, 1, 1)], 1),
            nn.Conv2d(4, 2, 1),
            nn.Conv2d(4, 3, 1),
        ),
        IMAGE,
    ),
    "shuffle": (Net(lambda x: x.view(1, 2, 2, 8, 8).transpose(1, 2).reshape(1, 4, 8, 8)), IMAGE),
    "add, relu": (Net(lambda x: F.relu(x + x)), IMAGE),
    "mul": (Net(lambda x: x * x), IMAGE),
    "sub of a parameter": (Net(lambda x: x - torch.linspace(-1, 1, 8)), IMAGE),
    "scalar": (Net(lambda x: x * 0.7), IMAGE),
    "mean": (nn.AdaptiveAvgPool2d(1), IMAGE),
    "cat": (Net(lambda x: torch.cat([x, x[:, :2]], 1)), IMAGE),
    "chunk": (Net(lambda x: torch.cat(x.chunk(2, 1)[::-1], 1)), IMAGE),
    "pad, conv": (nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(4, 3, 3)), IMAGE),
    "upsample": (nn.Upsample(scale_factor=2), IMAGE),
    "softmax": (nn.Softmax(dim=-1), VECTOR),
    "sigmoid": (nn.Sigmoid(), VECTOR),
    "tanh": (nn.Tanh(), VECTOR),
    "leaky relu": (nn.LeakyReLU(0.1), VECTOR),
    "hardswish": (nn.Hardswish(), VECTOR),
    "silu": (nn.SiLU(), VECTOR),
    "clamp": (nn.Hardtanh(), VECTOR),
    "reversed and divided": (Net(lambda x: (1.5 - x) / 3), VECTOR),
}


@cache
def lowered(name: str) -> tuple[torch.export.ExportedProgram, Module, list[str]]:
    return quantised(*NETS[name])


@pytest.mark.parametrize("name", NETS)
def test_int8_follows_the_quantised_program(name: str) -> None:
    """Everything becomes int8, and the result is the program's to one step of the output scale."""
    program, module, left = lowered(name)
    assert left == []
    values = [module.infer.inputs[0], *(r for op in module.infer.operations for r in op.results)]
    assert {v.type.dtype for v in values} == {DType.INT8}
    assert steps_apart(program, module, NETS[name][1]) <= 1.01


def test_c_follows_the_interpreter() -> None:
    """The C of all these networks gives the interpreter's bytes, under sanitizers."""
    assert_native_equals_interpreter([lowered(name)[1] for name in NETS])


def test_weights_are_per_channel_and_symmetric() -> None:
    """One scale an output channel, zero point 0."""
    _, module, _ = lowered("conv, norm, relu")
    (weights,) = (c for c in module.constants() if c.type.dtype is DType.INT8)
    assert weights.type.quantisation is not None
    assert len(set(weights.type.quantisation.scale)) == 5 and not any(weights.type.quantisation.zero_point)


def test_one_scale_for_the_weights_of_a_layer() -> None:
    """With `weight_scale="tensor"` the int8 graph has one scale a layer, follows the program, and its C follows the interpreter."""
    modules = []
    for name in ("conv, norm, relu", "depthwise, relu6", "linear, norm", "conv1d"):
        program, module, left = quantised(*NETS[name], weight_scale="tensor")
        assert left == []
        (weights,) = (c for c in module.constants() if c.type.dtype is DType.INT8)
        assert weights.type.quantisation is not None and len(weights.type.quantisation.scale) == 1
        assert steps_apart(program, module, NETS[name][1]) <= 1.01
        modules.append(module)
    assert_native_equals_interpreter(modules)


def test_the_model_is_not_changed() -> None:
    """Folding batch normalisation for quantisation leaves the float model as it was."""
    model = randomise(nn.Sequential(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5)))
    before = copy.deepcopy(model.state_dict())
    quantize(model, torch.zeros(IMAGE), [torch.randn(2, *IMAGE[1:])])
    after = model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)


def test_what_the_quantizer_does_not_know_is_reported() -> None:
    """A matrix product that is no layer stays in floating point, and is named."""
    _, module, left = quantised(Net(lambda x, f: f(x) @ torch.eye(6), nn.Linear(12, 6)), VECTOR)
    assert left == ["matmul"]
    assert [op.kind for op in module.infer.operations] == ["dense", "dequantize", "dense"]


def test_digits(tmp_path: Path) -> None:
    """A trained network, quantised, saved and read back, decides as its PT2E program on 99.5 % of the test digits."""
    digits = load_digits()
    model = fit(digits_cnn(), digits.train_x, digits.train_y, Recipe(epochs=4))
    x = to_tensor(digits.train_x[:200])
    program = quantize(model, x[:1], x.split(50))  # type: ignore[no-untyped-call]
    torch.export.save(program, tmp_path / "digits.pt2")
    module = load_pt2(tmp_path / "digits.pt2")
    assert integerize(module) == []
    run_passes(module)
    source, result = module.infer.inputs[0].type, module.infer.outputs[0].type
    stored = np.clip(np.rint(digits.test_x / np.float32(source.scale)) + source.zero_point, -128, 127).astype(np.int8)
    interpreter, reference = Interpreter(module), program.module()
    ours = np.concatenate([interpreter.run([image[None]])[0] for image in stored])
    with single_threaded(), torch.no_grad():
        theirs = np.concatenate([reference(image[None]).numpy() for image in to_tensor(digits.test_x)])
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).mean() >= 0.995
    assert (ours.argmax(axis=1) == digits.test_y).mean() >= 0.96
    apart = np.abs((ours.astype(np.float64) - result.zero_point) - theirs / result.scale)
    assert (apart <= 1.01).mean() >= 0.99  # a step in a hidden layer may be worth more than one at the output


def test_misuse_is_refused() -> None:
    """No calibration inputs, a batch as example, samples of another shape."""
    model = nn.Linear(12, 3)
    with pytest.raises(InputError, match="no calibration inputs"):
        quantize(model, torch.zeros(VECTOR), [])
    with pytest.raises(InputError, match="leading dimension of 1"):
        quantize(model, torch.zeros(4, 12), [torch.zeros(4, 12)])
    with pytest.raises(InputError, match=r"shape \[11\] where the example input has \[12\]"):
        quantize(model, torch.zeros(VECTOR), [torch.zeros(4, 11)])


def test_modules_that_are_left_out_stay_float() -> None:
    """A layer that is not to be quantised stays float with its activation, what stands around it becomes int8; shared scales and all."""
    model = randomise(nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Conv2d(5, 6, 3), nn.ReLU(), nn.Conv2d(6, 3, 3)))
    program = quantize(model, torch.zeros(IMAGE), [torch.randn(4, *IMAGE[1:])], quantises=lambda path: path != "2")
    module = from_exported_program(program, "net")
    assert integerize(module) == ["t3"]
    run_passes(module)
    kinds = [(op.kind, op.results[0].type.dtype) for op in module.infer.operations if op.kind == "conv2d"]
    assert kinds == [("conv2d", DType.INT8), ("conv2d", DType.FLOAT32), ("conv2d", DType.INT8)]
    assert_native_equals_interpreter([module])
