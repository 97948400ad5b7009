"""What is compared computes the same: where the packages of the extra `bench` are installed, their C gives Lichen's bytes."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from counting import count_foreign, sample
from layer_models import binary, convolution, dense, depthwise, layers, pool, softmax
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Module
from lichen.targets.core import PROCESSORS

BOARD, CORE = "mps2-an386", PROCESSORS["cortex-m4f"].core


@pytest.fixture(autouse=True)
def tools(needs: Callable[..., None]) -> None:
    """Everything here is built for a Cortex-M and counted in QEMU."""
    needs("arm-none-eabi-gcc", "qemu-system-arm", "cc")


def interpreted(module: Module) -> Array:
    return Interpreter(module).run(sample(module))[0].ravel()


@pytest.mark.parametrize(
    "module",
    [
        convolution(9, 7, 3, 5, 3, 2),
        convolution(6, 6, 8, 12, 1, 1),
        depthwise(8, 6, 3, 2),
        depthwise(7, 5, 5, 1),
        depthwise(6, 4, 3, 1, multiplier=2),
        dense(40, 12),
        pool("avg_pool2d", 7, 6, 3, 2),
        pool("max_pool2d", 6, 5, 2, 2),
    ],
    ids=lambda module: module.infer.operations[0].kind,
)
def test_cmsis_nn_is_called_for_the_same_layer(module: Module, tmp_path: Path) -> None:
    """Every kind of layer, with padding that differs between sides: shapes, offsets, multipliers and clamps are right."""
    pytest.importorskip("bakenn")
    import cmsis_nn

    assert {m.infer.operations[0].kind for _, m in layers()} > set(cmsis_nn.KINDS)
    counted = count_foreign(cmsis_nn.layer(module, tmp_path), BOARD)
    assert np.array_equal(counted.output, interpreted(module))


@pytest.mark.parametrize("explicit_padding", [False, True])
@pytest.mark.parametrize(
    "module",
    [convolution(9, 8, 3, 5, 3, 2), depthwise(8, 6, 3, 2), dense(40, 12), binary("add", (3, 3, 4)), softmax(10)],
    ids=lambda module: module.infer.operations[0].kind,
)
def test_bakenn_is_given_the_same_model(module: Module, explicit_padding: bool, tmp_path: Path) -> None:
    """As it is and with paddings made explicit, which lets CMSIS-NN in where bakenn takes its own C otherwise."""
    pytest.importorskip("bakenn")
    from bakenn_peer import BakennPeer, pads_unevenly

    peer = BakennPeer(module, CORE, tmp_path, explicit_padding)
    assert np.array_equal(count_foreign(peer.code, BOARD).output, interpreted(module))
    if pads_unevenly(module):
        assert any("cmsis_nn" in kernel for kernel in peer.kernels) == explicit_padding


def test_emlearn_is_given_the_same_network(tmp_path: Path) -> None:
    """Its float32 outputs are PyTorch's."""
    if find_spec("emlearn") is None:  # to import it changes how NumPy treats underflow, which emlearn_peer undoes
        pytest.skip("emlearn is not installed")
    import emlearn_peer

    network = emlearn_peer.dense(20, 7, 3)
    counted = count_foreign(emlearn_peer.dense_network(network, tmp_path), BOARD)
    x = ((np.arange(20) * 37 + 11) % 256 - 128).astype(np.float32) / 128
    expected = network(torch.from_numpy(x)).detach().numpy()
    assert np.allclose(counted.output.view(np.float32), expected, atol=1e-5)
