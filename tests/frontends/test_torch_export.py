"""Float programs: the graph computes what PyTorch computes, in the layout that is documented, and refuses the rest by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from lichen.errors import InputError, UnsupportedError
from lichen.frontends.torch_export import from_exported_program, load_pt2
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Module
from lichen.nn.quantize import export
from lichen.nn.threads import single_threaded
from lichen.passes import run_passes
from native_check import assert_native_equals_interpreter
from torch_nets import Net, memory_order, random_input, randomise

IMAGE = (1, 4, 8, 6)
SIGNAL = (1, 3, 16)
VECTOR = (1, 12)


def lowered(model: nn.Module, shape: tuple[int, ...]) -> Module:
    return from_exported_program(export(model, torch.zeros(shape)), "net")


def assert_same(model: nn.Module, shape: tuple[int, ...]) -> Module:
    """The graph, before and after the passes, gives PyTorch's output to 1e-5."""
    torch.manual_seed(0)
    randomise(model)
    module = lowered(model, shape)
    x, given_ = random_input(module, shape)
    with single_threaded():
        expected = model(x)
    for _ in range(2):
        (y,) = Interpreter(module).run([given_])
        np.testing.assert_allclose(y, memory_order(expected, ()), rtol=1e-5, atol=1e-5)
        run_passes(module)
    return module


def kinds(module: Module) -> list[str]:
    return [op.kind for op in module.infer.operations]


IMAGES = {
    "conv": nn.Conv2d(4, 5, 3),
    "conv of all attributes": nn.Conv2d(4, 5, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(2, 1), bias=False),
    "conv same": nn.Conv2d(4, 5, 4, padding="same"),
    "depthwise": nn.Conv2d(4, 8, 3, padding=1, groups=4),
    "conv, norm, relu": nn.Sequential(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5), nn.ReLU()),
    "depthwise, norm, relu6": nn.Sequential(nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.BatchNorm2d(4), nn.ReLU6()),
    "norm alone": nn.BatchNorm2d(4),
    "norm of what has another user": Net(
        lambda x, c, n: (lambda y: n(y) + y)(c(x)), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5)
    ),
    "max pool": nn.MaxPool2d(3, stride=2, padding=1),
    "max pool, ceil": nn.MaxPool2d(3, stride=2, ceil_mode=True),
    "avg pool": nn.AvgPool2d(2),
    "avg pool counting padding": nn.AvgPool2d(3, stride=2, padding=1),
    "avg pool not counting padding": nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
    "global mean": nn.AdaptiveAvgPool2d(1),
    "adaptive mean": nn.AdaptiveAvgPool2d((4, 3)),
    "mean of rows": Net(lambda x: x.mean(dim=(2,))),
    "mean of channels": Net(lambda x: x.mean(dim=1, keepdim=True)),
    "flatten, linear": nn.Sequential(nn.Flatten(), nn.Linear(192, 3)),
    "flatten, relu, linear": nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Dropout(), nn.Linear(192, 3)),
    "flatten": nn.Flatten(),
    "flatten, add": Net(lambda x: torch.flatten(x, 1) + torch.flatten(x * 2, 1)),
    "flatten, norm": nn.Sequential(nn.Flatten(), nn.BatchNorm1d(192), nn.Linear(192, 3)),
    "view": Net(lambda x: x.view(1, 8, 24)),
    "view, conv": nn.Sequential(nn.Flatten(), nn.Unflatten(1, (2, 8, 12)), nn.Conv2d(2, 3, 3)),
    "permute": Net(lambda x: x.permute(0, 3, 1, 2) * 2.0),
    "permute, linear": Net(lambda x, f: f(x.permute(0, 2, 3, 1)), nn.Linear(4, 3)),
    "transpose": Net(lambda x: x.transpose(1, 2).contiguous() + x.mean(dim=(1, 2)).reshape(1, 1, 1, 6)),
    "linear on images": nn.Linear(6, 5),
    "residual": Net(lambda x, c: F.relu(x + c(x)), nn.Conv2d(4, 4, 3, padding=1)),
    "squeeze and excite": Net(lambda x, c: x * torch.sigmoid(c(x.mean((2, 3), keepdim=True))), nn.Conv2d(4, 4, 1)),
    "broadcast vector": Net(lambda x: x * torch.arange(6.0) - torch.arange(4.0).view(4, 1, 1)),
    "scalars": Net(lambda x: 1.5 - x * 2 / 255 + 3),
    "cat": Net(lambda x: torch.cat([x, x * 2, x[:, :1]], 1)),
    "cat of rows": Net(lambda x: torch.cat([x, x], 2)),
    "chunk": Net(lambda x: (lambda a, b: a * b)(*x.chunk(2, 1))),
    "split": Net(lambda x: (lambda a, b: torch.cat([b, a], 1))(*x.split([1, 3], 1))),
    "slice, select": Net(lambda x: x[:, 1:, ::2, -1]),
    "pad": Net(lambda x: F.pad(x, (1, 2, 0, 3), value=0.5)),
    "zero pad, conv": nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(4, 3, 3, stride=2)),
    "upsample": nn.Upsample(scale_factor=2),
    "upsample to size": Net(lambda x: F.interpolate(x, size=(16, 18))),
    "softmax of channels": nn.Softmax(dim=1),
    "softmax of rows": nn.Softmax(dim=2),
    "activations": nn.Sequential(nn.LeakyReLU(0.2), nn.Hardswish(), nn.SiLU(), nn.Tanh(), nn.Sigmoid()),
    "clamp": Net(lambda x: F.hardtanh(x * 2)),
    "in place": nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True), nn.Hardswish(inplace=True)),
    "unsqueeze": Net(lambda x: x.mean((2, 3)).unsqueeze(-1).unsqueeze(-1) * x),
}

SIGNALS = {
    "conv": nn.Conv1d(3, 5, 4, stride=2, padding=1, dilation=2),
    "depthwise, norm, relu": nn.Sequential(nn.Conv1d(3, 3, 5, groups=3), nn.BatchNorm1d(3), nn.ReLU()),
    "pools": nn.Sequential(nn.MaxPool1d(2, padding=1), nn.AvgPool1d(3), nn.Conv1d(3, 2, 1)),
    "global mean, linear": nn.Sequential(nn.Conv1d(3, 5, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(5, 2)),
    "flatten, linear": nn.Sequential(nn.Conv1d(3, 5, 3), nn.Flatten(), nn.Linear(70, 2)),
    "no convolution": nn.Linear(16, 4),
    "transpose, linear": Net(lambda x, f: f(x.transpose(1, 2)), nn.Linear(3, 4)),
    "pad, conv": Net(lambda x, c: c(F.pad(x, (4, 0))), nn.Conv1d(3, 4, 5)),
}

VECTORS = {
    "mlp": nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3, bias=False), nn.Softmax(dim=-1)),
    "linear, norm": nn.Sequential(nn.Linear(12, 8), nn.BatchNorm1d(8)),
    "to image": nn.Sequential(nn.Unflatten(1, (3, 2, 2)), nn.Conv2d(3, 2, 2)),
    "matmul": Net(lambda x: x @ torch.arange(36.0).reshape(12, 3)),
    "addmm": Net(lambda x: torch.addmm(torch.ones(3), x, torch.arange(36.0).reshape(12, 3), alpha=0.5)),
    "computed constant": Net(lambda x: x + torch.arange(12.0).sqrt()),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images(name: str) -> None:
    """Networks of images agree with PyTorch."""
    assert_same(IMAGES[name], IMAGE)


@pytest.mark.parametrize("name", SIGNALS)
def test_signals(name: str) -> None:
    """Networks of one-dimensional signals agree with PyTorch."""
    assert_same(SIGNALS[name], SIGNAL)


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name: str) -> None:
    """Networks of feature vectors agree with PyTorch."""
    assert_same(VECTORS[name], VECTOR)


def test_c_follows_the_interpreter() -> None:
    """The C of every third of these networks (each compilation takes time) gives the interpreter's values, under sanitizers."""
    cases = [
        (net, shape) for nets, shape in ((IMAGES, IMAGE), (SIGNALS, SIGNAL), (VECTORS, VECTOR)) for net in nets.values()
    ]
    modules = [lowered(randomise(net), shape) for net, shape in cases[::3]]
    for module in modules:
        run_passes(module)
    assert_native_equals_interpreter(modules, samples=1)


@st.composite
def networks(draw: st.DrawFn) -> nn.Module:
    """Up to five random layers on an image, with or without a dense layer at the end."""
    layers: list[nn.Module] = []
    channels, side = IMAGE[1], 6
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["conv", "depthwise", "pool", "norm", "activation", "upsample"]))
        if kind == "conv":
            outputs, kernel = draw(st.integers(1, 6)), draw(st.sampled_from([1, 3]))
            layers.append(nn.Conv2d(channels, outputs, kernel, padding=kernel // 2, bias=draw(st.booleans())))
            channels = outputs
        elif kind == "depthwise":
            layers.append(nn.Conv2d(channels, channels * 2, 3, padding=1, groups=channels))
            channels *= 2
        elif kind == "pool" and side >= 2:
            layers.append(draw(st.sampled_from([nn.MaxPool2d(2), nn.AvgPool2d(2)])))
            side //= 2
        elif kind == "norm":
            layers.append(nn.BatchNorm2d(channels))
        elif kind == "activation":
            layers.append(draw(st.sampled_from([nn.ReLU(), nn.ReLU6(), nn.Hardswish(), nn.SiLU(), nn.LeakyReLU(0.1)])))
        elif side <= 6:
            layers.append(nn.Upsample(scale_factor=2))
            side *= 2
    if draw(st.booleans()):
        layers += [nn.Flatten(), nn.LazyLinear(3)]
    return nn.Sequential(*layers)


@settings(max_examples=12, deadline=None)
@given(networks())
def test_random_networks(model: nn.Module) -> None:
    """Random stacks of layers agree with PyTorch."""
    torch.manual_seed(0)
    model.eval()(torch.zeros(1, IMAGE[1], 6, 6))  # gives the lazy layer its size
    assert_same(model, (1, IMAGE[1], 6, 6))


def test_flatten_is_folded_into_the_weights() -> None:
    """The order in which PyTorch flattens an image costs no transposition on the chip."""
    module = assert_same(nn.Sequential(nn.Conv2d(4, 3, 3), nn.Flatten(), nn.ReLU(), nn.Linear(72, 5)), IMAGE)
    assert "transpose" not in kinds(module)


def test_norm_and_activation_are_folded() -> None:
    """Convolution, normalisation and ReLU are one operation after the passes."""
    module = assert_same(nn.Sequential(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5), nn.ReLU()), IMAGE)
    assert kinds(module) == ["conv2d"]


def test_layouts_of_inputs_and_outputs() -> None:
    """Images are NHWC, convolved signals are images of height 1, all else keeps its shape."""
    image = lowered(nn.Conv2d(4, 5, 3), IMAGE).infer
    assert image.inputs[0].type.shape == (1, 8, 6, 4) and image.outputs[0].type.shape == (1, 6, 4, 5)
    signal = lowered(nn.Conv1d(3, 5, 3), SIGNAL).infer
    assert signal.inputs[0].type.shape == (1, 1, 16, 3) and signal.outputs[0].type.shape == (1, 5, 14)
    assert lowered(nn.Linear(16, 2), SIGNAL).infer.inputs[0].type.shape == SIGNAL


def test_values_are_called_after_layers() -> None:
    """Results carry the path of their layer, which is what a user knows it by."""

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(4, 4, 1)
            self.head = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.stem(x).mean((2, 3)))

    module = lowered(Named(), IMAGE)
    assert [op.name for op in module.infer.operations if op.kind in ("conv2d", "dense")] == ["stem", "head"]
    assert {"stem_weights", "head_bias"} <= {c.name for c in module.constants()}


def test_mutated_buffers_become_state() -> None:
    """A streaming network keeps its buffer from call to call, and forgets it on reset."""

    class Streaming(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(3, 4, 3)
            self.register_buffer("history", torch.ones(1, 3, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            joined = torch.cat([self.history, x], 2)
            self.history.copy_(joined[:, :, -2:])
            return self.conv(joined)

    model = Streaming().eval()
    module = from_exported_program(export(model, torch.zeros(1, 3, 5)), "stream")
    assert [s.name for s in module.states()] == ["history"]
    interpreter = Interpreter(module)
    for seed in range(3):
        x, given_ = random_input(module, (1, 3, 5), seed)
        (y,) = interpreter.run([given_])
        np.testing.assert_allclose(y, model(x).detach().numpy(), atol=1e-5)
    interpreter.reset()
    assert (interpreter.state[module.states()[0]] == 1).all()


REFUSED = {
    "aten.log_softmax.int": (nn.LogSoftmax(dim=1), VECTOR),
    "aten.hardsigmoid.default": (nn.Hardsigmoid(), VECTOR),
    "aten.erf.default": (Net(torch.erf), VECTOR),
    "2 groups for 4 channels": (nn.Conv2d(4, 4, 3, groups=2), IMAGE),
    "aten.conv_transpose2d.input": (nn.ConvTranspose2d(4, 4, 3), IMAGE),
    "alpha = 2": (Net(lambda x: torch.add(x, x, alpha=2)), VECTOR),
    "clamp to 0.0..1.0": (Net(lambda x: F.hardtanh(x, 0.0, 1.0)), VECTOR),
    "differ in size": (nn.AdaptiveAvgPool2d(5), IMAGE),
    "dilated pooling": (nn.MaxPool2d(2, dilation=2), IMAGE),
    "must be constant": (Net(lambda x: x @ x.mT), SIGNAL),
    "leading dimension is 1": (nn.Linear(12, 3), (2, 12)),
    "division by a computed": (Net(lambda x: x / (x + 1)), VECTOR),
    "float32 is supported": (Net(lambda x: x * 2), torch.int64),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_supported_is_named(reason: str) -> None:
    """Operators and attributes without a counterpart give an error that names them; nothing is skipped."""
    model, shape = REFUSED[reason]
    example = torch.zeros(VECTOR, dtype=shape) if isinstance(shape, torch.dtype) else torch.zeros(shape)
    program = torch.export.export(model.eval(), (example,))
    with pytest.raises(UnsupportedError, match=reason.replace(".", r"\.").replace("+", r"\+")):
        from_exported_program(program, "net")


def test_the_place_of_an_unsupported_operator_is_named() -> None:
    """The error tells node and module."""
    model = nn.Sequential(nn.Linear(12, 3), nn.Sequential(nn.Softplus())).eval()
    with pytest.raises(UnsupportedError, match=r"aten\.softplus\.default 'softplus' in module '1\.0' \(Softplus\)"):
        from_exported_program(export(model, torch.zeros(VECTOR)), "net")


def test_dynamic_shapes_are_refused() -> None:
    """A dynamic dimension gives a sentence that says what to do."""
    batch = torch.export.Dim("batch", min=1, max=8)
    program = torch.export.export(nn.Linear(12, 3), (torch.zeros(2, 12),), dynamic_shapes=({0: batch},))
    with pytest.raises(UnsupportedError, match="export the model without dynamic_shapes"):
        from_exported_program(program, "net")


def test_training_mode_is_refused() -> None:
    """Batch normalisation that would still learn is not lowered as if it did not."""
    program = torch.export.export(nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)).train(), (torch.zeros(IMAGE),))
    with pytest.raises(InputError):
        from_exported_program(program, "net")


def test_pt2_file(tmp_path: Path) -> None:
    """A saved program gives the same graph as the program itself, called after the file."""
    program = export(nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU()), torch.zeros(IMAGE))
    torch.export.save(program, tmp_path / "small_net.pt2")
    module = load_pt2(tmp_path / "small_net.pt2")
    assert module.name == "small_net" and kinds(module) == ["conv2d", "relu"]
    _, given_ = random_input(module, IMAGE)
    np.testing.assert_array_equal(
        Interpreter(module).run([given_])[0], Interpreter(from_exported_program(program, "net")).run([given_])[0]
    )
