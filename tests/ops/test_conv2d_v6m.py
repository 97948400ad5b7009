"""int8 layers for ARMv6-M: in plain C on the host and in assembly on an emulated core, the interpreter's bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from conv_strategies import convolutional_graphs
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.errors import DoesNotFitError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Module
from lichen.ir.operator import operator
from lichen.ops.conv2d_v6m import words
from lichen.targets.folder import open_folder
from native_check import V6M, assert_native_equals_interpreter, random_input
from scaled_sums import FEW_INPUTS, every_shift, from_biases
from strategies import conv2d_modules, dense_modules, depthwise_modules

layers = st.one_of(conv2d_modules("int8"), depthwise_modules("int8"), dense_modules("int8"))


@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(st.lists(layers, min_size=16, max_size=16))
def test_native_gives_the_interpreters_bytes(modules: list[Module]) -> None:
    """Any shape, padding, stride, dilation, quantisation and activation, under sanitizers."""
    assert_native_equals_interpreter(modules, core=V6M)


@settings(
    max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    module=st.one_of(layers, convolutional_graphs()),
    build=st.tuples(st.sampled_from(["speed", "size"]), st.sampled_from(["layers", "stream"])),
    seed=st.integers(0, 9),
)
def test_the_chip_gives_the_interpreters_bytes(
    module: Module,
    build: tuple[str, str],
    seed: int,
    needs: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The assembly, on the emulated Cortex-M0 of the micro:bit; layer by layer, and by rows, whose taps wrap at the end of a ring."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    assume(not module.infer.inputs[0].type.dtype.is_float)
    optimize, schedule = build
    rng = np.random.default_rng(seed)
    samples = [[random_input(value.type, rng) for value in module.infer.inputs] for _ in range(2)]
    path = tmp_path_factory.mktemp("chip") / "model"
    try:
        check(module, samples, path, optimize, schedule)
    except DoesNotFitError:
        assume(False)


def check(module: Module, samples: Sequence[Sequence[Array]], path: Path, optimize: str, schedule: str) -> None:
    """Every byte of every output, on the emulated micro:bit."""
    folder = open_folder(compile_model(module, "microbit", path, optimize, schedule).path)
    interpreter = Interpreter(module)
    with open_executor(folder, "qemu") as executor:
        outputs = executor.run([np.stack(arrays) for arrays in zip(*samples, strict=True)])
    for index, sample in enumerate(samples):
        for value, expected, got in zip(module.infer.outputs, interpreter.run(sample), outputs, strict=True):
            np.testing.assert_array_equal(got[index], expected, err_msg=f"sample {index}, {value.name}")


@pytest.mark.parametrize("power_of_two", [False, True], ids=["any", "halves"])
def test_every_shift_rounds_as_the_interpreter_does(
    power_of_two: bool, needs: Callable[..., None], tmp_path: Path
) -> None:
    """Sums from 1 to 2^23, of both signs, at shifts from 1 to 31; and the longest, up to the ends of int32."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    for index, activation in enumerate(("none", "relu")):
        module = every_shift(power_of_two, activation)
        check(module, FEW_INPUTS, tmp_path / f"model{index}", "speed", "layers")
    longest = np.array([2**31 - 2**16, -(2**31) + 2**16, 2**30, -(2**30), 1, 0])
    module = from_biases(longest, np.linspace(1, 2, 6) * 2.0**-24)
    check(module, FEW_INPUTS, tmp_path / "longest", "size", "layers")


def test_shifts_to_the_left_take_the_plain_kernel(needs: Callable[..., None], tmp_path: Path) -> None:
    """A multiplier above one: same bytes."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    module = from_biases(np.arange(-3, 4), np.linspace(0.2, 3, 7))
    assert kernel_of(module) == "conv2d_s8"
    check(module, FEW_INPUTS, tmp_path / "model", "size", "layers")


def kernel_of(module: Module) -> str:
    """The kernel of the only layer."""
    (layer,) = module.infer.operations
    return operator(layer.kind).lower(layer, V6M).kernel


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 9))
def test_words_hold_every_weight_in_its_place(channels: int, taps: int, seed: int) -> None:
    """A word shifted to the right by a channel's place is its weight (128 more, but for the last) and 256 times the word above it."""
    rows = np.random.default_rng(seed).integers(-128, 128, (channels, taps), np.int8)
    packed = words(rows)
    assert packed.shape == (-(-channels // 4), taps) and packed.dtype == np.int32
    for channel, row in enumerate(rows):
        place, block = channel % 4, packed[channel // 4]
        above = 256 * (block >> 8 >> 8 * place) if place < 3 else 0
        np.testing.assert_array_equal((block >> 8 * place) - above - (128 if place < 3 else 0), row)


@settings(max_examples=30, deadline=None)
@given(layers)
def test_only_depthwise_layers_keep_their_kernel(module: Module) -> None:
    """Convolutions, dense layers, and depthwise ones over a single channel share the kernel."""
    (layer,) = module.infer.operations
    alone = layer.kind == "depthwise_conv2d" and layer.operands[0].type.shape[3] > 1
    assert kernel_of(module) in (("depthwise_conv2d_s8",) if alone else ("conv2d_s8_v6m", "conv2d_s8"))
