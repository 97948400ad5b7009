"""The innermost loops of float32 kernels, which are in assembly where there is a floating-point unit: the same bits everywhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gradient_strategies import EVERY
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.targets.folder import open_folder
from native_check import random_input
from strategies import conv2d_modules, dense_modules, depthwise_modules

MODULES = {
    "conv2d": conv2d_modules("float32"),
    "depthwise_conv2d": depthwise_modules("float32"),
    "dense": dense_modules("float32"),
    **{
        kind: EVERY[kind]
        for kind in sorted(EVERY)
        if kind.endswith(("update", "conv2d_grad_input", "dense_grad_input"))
    },
}


@pytest.mark.parametrize("kind", MODULES)
@settings(
    max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), optimize=st.sampled_from(["speed", "size"]), seed=st.integers(0, 9))
def test_the_chip_gives_the_bits_of_plain_c(
    kind: str,
    data: st.DataObject,
    optimize: str,
    seed: int,
    needs: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The emulated Cortex-M4 and the host, which has the plain loops: no sum in another order, none rounded once instead of twice."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    module = data.draw(MODULES[kind])
    rng = np.random.default_rng(seed)
    samples = [np.stack([random_input(value.type, rng) for _ in range(2)]) for value in module.infer.inputs]
    path = tmp_path_factory.mktemp("loops") / "model"
    folder = open_folder(compile_model(module, "mps2-an386", path, optimize).path)
    results = []
    for on in ("qemu", "native"):
        with open_executor(folder, on) as executor:
            results.append(executor.run(samples))
    for chip, host in zip(*results, strict=True):
        np.testing.assert_array_equal(chip.view(np.uint32), host.view(np.uint32))
