"""int8 layers for ARMv6-M: in plain C on the host and in assembly on an emulated core, the interpreter's bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from conv_strategies import convolutional_graphs
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.errors import DoesNotFitError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ops.conv2d_v6m import words
from lichen.targets.folder import open_folder
from native_check import V6M, assert_native_equals_interpreter, random_input
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
        folder = open_folder(compile_model(module, "microbit", path, optimize, schedule).path)
    except DoesNotFitError:
        assume(False)
    interpreter = Interpreter(module)
    with open_executor(folder, "qemu") as executor:
        outputs = executor.run([np.stack(arrays) for arrays in zip(*samples, strict=True)])
    for index, sample in enumerate(samples):
        for value, expected, got in zip(module.infer.outputs, interpreter.run(sample), outputs, strict=True):
            np.testing.assert_array_equal(got[index], expected, err_msg=f"sample {index}, {value.name}")


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


def test_only_what_has_one_channel_a_product_takes_another_kernel() -> None:
    """Convolutions, dense layers, and depthwise ones over a single channel share the kernel."""

    @settings(max_examples=30, deadline=None)
    @given(layers)
    def check(module: Module) -> None:
        (layer,) = module.infer.operations
        alone = layer.kind == "depthwise_conv2d" and layer.operands[0].type.shape[3] > 1
        expected = "depthwise_conv2d_s8" if alone else "conv2d_s8_v6m"
        assert operator(layer.kind).lower(layer, V6M).kernel == expected

    check()
