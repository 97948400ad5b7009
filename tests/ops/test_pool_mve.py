"""Poolings for cores with Helium: in plain C on the host and on the emulated Cortex-M55, the interpreter's bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chip_check import assert_chip_equals_interpreter
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Function, Module, Operation, Value
from lichen.ir.operator import operator
from lichen.plan.schedule import front
from lichen.targets.folder import open_folder
from native_check import MVE, assert_native_equals_interpreter, random_input
from ops_oracle import fixed, i8, one_op
from strategies import pool_modules

KINDS = ("avg_pool2d", "max_pool2d")
BOARD = "mps3-an547"


def pool(
    kind: str,
    shape: tuple[int, int, int],
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (1, 1, 1, 1),
    activation: str = "none",
) -> Module:
    """Of (height, width, channels)."""
    top, bottom, left, right = padding
    out_h, out_w = (
        (n + p - k) // s + 1 for n, p, k, s in zip(shape[:2], (top + bottom, left + right), kernel, stride, strict=True)
    )
    source, result = i8(1, *shape, scale=0.05, zero=3), i8(1, out_h, out_w, shape[2], scale=0.05, zero=3)
    window = {"kernel": kernel, "stride": stride, "padding": padding, "activation": activation}
    return one_op(kind, [source], [result], window)


CASES = {
    f"{kind}, {name}": module
    for kind in KINDS
    for name, module in {
        "sixteens": pool(kind, (5, 6, 32)),
        "sixteens and fewer than eight": pool(kind, (5, 6, 21)),
        "sixteens and more than eight": pool(kind, (6, 5, 28)),
        "eight": pool(kind, (4, 4, 8)),
        "fewer than eight": pool(kind, (4, 5, 3)),
        "fewer than sixteen, clamped": pool(kind, (4, 5, 13), activation="relu6"),
        "sixteens, clamped": pool(kind, (4, 5, 16), activation="relu"),
        "every second pixel": pool(kind, (8, 8, 16), (2, 2), (2, 2), (0, 0, 0, 0)),
        "steps larger than the window": pool(kind, (9, 10, 18), (1, 2), (3, 4), (0, 0, 0, 1)),
        "padded on two sides": pool(kind, (7, 8, 17), (4, 3), (2, 3), (0, 3, 2, 0)),
        "window larger than the image": pool(kind, (2, 3, 20), (5, 5), (1, 2), (4, 3, 2, 4)),
        "the whole image": pool(kind, (8, 8, 40), (8, 8), padding=(0, 0, 0, 0)),
        "as many taps as columns": pool(kind, (6, 3, 16), (3, 3), (3, 3), (0, 0, 0, 0)),
        "255 taps": pool(kind, (15, 17, 19), (15, 17), padding=(0, 0, 0, 0)),
    }.items()
}


def lowered(module: Module) -> str:
    (operation,) = module.infer.operations
    return operator(operation.kind).lower(operation, MVE).kernel


def extremes(module: Module) -> list[Array]:
    """Inputs of the smallest and of the largest values only, and of both in turn by channel."""
    shape = module.infer.inputs[0].type.shape
    by_channel = np.where(np.arange(shape[3]) % 2, -128, 127)
    return [np.broadcast_to(np.int8(x), shape).copy() for x in (-128, 127, by_channel.astype(np.int8))]


def test_native_gives_the_interpreter_s_bytes() -> None:
    """Every way through the kernels, under sanitizers."""
    assert {lowered(module) for module in CASES.values()} == {f"{kind}_s8_mve" for kind in KINDS}
    assert_native_equals_interpreter(list(CASES.values()), core=MVE)


@pytest.mark.parametrize("kind", KINDS)
def test_native_gives_the_interpreter_s_bytes_for_any_window(kind: str) -> None:
    """Random shapes, paddings, strides, quantisations and activations, and up to three vectors of channels."""

    @settings(max_examples=2, deadline=None, phases=[Phase.generate])
    @given(st.lists(pool_modules(kind, "int8", most_channels=48), min_size=16, max_size=16))
    def check(modules: list[Module]) -> None:
        assert_native_equals_interpreter(modules, core=MVE)

    check()


def test_other_kernels_serve_where_it_cannot() -> None:
    """Channels so few that a loop over them is faster, and sums that int16 does not hold; maxima have no sums."""
    wide = {kind: pool(kind, (16, 16, 18), (16, 16), padding=(0, 0, 0, 0)) for kind in KINDS}
    modules = [*wide.values(), *(pool(kind, (4, 4, 2)) for kind in KINDS)]
    assert [lowered(m) for m in modules] == ["avg_pool2d_s8", "max_pool2d_s8_mve", "avg_pool2d_s8", "max_pool2d_s8"]
    assert_native_equals_interpreter(modules, core=MVE)


def streamed() -> Module:
    """A convolution to many channels, which are not to be in memory all at once, and poolings with windows of three rows."""
    x, wide = Value("x", i8(1, 13, 9, 2)), Value("wide", i8(1, 13, 9, 21, scale=0.5, zero=3))
    weights = fixed(np.random.default_rng(3).integers(-127, 128, (21, 1, 1, 2)), i8(21, 1, 1, 2), "weights")
    step = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "activation": "none"}
    source, operations = wide, [Operation("conv2d", [x, weights], [wide], dict(step))]
    for kind, stride in (("max_pool2d", 1), ("avg_pool2d", 1), ("max_pool2d", 2)):
        out = [(n - 1) // stride + 1 for n in source.type.shape[1:3]]
        y = Value(f"y{len(operations)}", source.type.with_shape(1, *out, 21))
        window = {"kernel": (3, 3), "stride": (stride,) * 2, "padding": (1,) * 4, "activation": "none"}
        operations.append(Operation(kind, [source], [y], dict(window)))
        source = y
    return Module("pools", {"infer": Function("infer", [x], operations, [source])})


def test_rows_come_from_rings() -> None:
    """Rows in ring buffers, whole and in strips, natively: a window goes on at the first row behind the last."""
    module = streamed()
    regions = [schedule.regions for schedule in front(module.infer, MVE)[1:]]
    assert all(3 in region.rings.values() for (region,) in regions) and regions[-1][0].strips
    assert_native_equals_interpreter([module] * len(regions), core=MVE, regions=regions)


@pytest.mark.parametrize("optimize", ["speed", "size"])
def test_the_chip_gives_the_interpreter_s_bytes(optimize: str, needs: Callable[..., None], tmp_path: Path) -> None:
    """The vectors, on the emulated Cortex-M55."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    assert_chip_equals_interpreter(CASES, BOARD, optimize, tmp_path)


@pytest.mark.parametrize("optimize", ["speed", "size"])
def test_the_chip_takes_rows_from_rings(optimize: str, needs: Callable[..., None], tmp_path: Path) -> None:
    """The same by rows: a window goes on at the first row of a ring behind the last."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    x = random_input(streamed().infer.inputs[0].type, np.random.default_rng(2))
    model = open_folder(compile_model(streamed(), BOARD, tmp_path / "m", optimize, "stream").path)
    assert "stream" in {op["kind"] for op in model.manifest["ops"]}
    with open_executor(model, "qemu") as executor:
        (got,) = executor.run([x[None]])
    np.testing.assert_array_equal(got[0], Interpreter(streamed()).run([x])[0])


@pytest.mark.parametrize("name", [f"{kind}, {name}" for kind in KINDS for name in ("255 taps", "fewer than eight")])
def test_extreme_values_on_the_chip(name: str, needs: Callable[..., None], tmp_path: Path) -> None:
    """Nothing wraps in the sums of the widest windows, and borders count for nothing."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    module = CASES[name]
    inputs = extremes(module)
    model = open_folder(compile_model(module, BOARD, tmp_path / "m").path)
    with open_executor(model, "qemu") as executor:
        (got,) = executor.run([np.stack(inputs)])
    for x, y in zip(inputs, got, strict=True):
        np.testing.assert_array_equal(y, Interpreter(module).run([x])[0])
