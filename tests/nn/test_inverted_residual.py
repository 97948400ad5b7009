"""Networks of inverted residuals as PyTorch modules, and what becomes of them in the graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import lichen
from lichen.compiler import prepare
from lichen.ir.operator import operator
from lichen.ir.samples import to_batch
from lichen.ir.types import DType
from lichen.nn.inverted_residual import InvertedResidual, build, random_images, settle
from lichen.nn.notation import Block, parse
from lichen.nn.quantize import quantize
from torch_nets import randomise

SMALL = "k3s2c8 8k3c4 12k5s2c6 18k3c6r k1c16"


def test_block_is_expand_depthwise_project_add() -> None:
    """A block computes what the paper's equations say, written out with PyTorch's functions."""
    block = randomise(InvertedResidual(Block(12, 5, 1, 4, residual=True), 4))
    x = torch.randn(2, 4, 7, 6, generator=torch.Generator().manual_seed(1))
    expand, first, _, depthwise, second, _, project, third = block.layers
    y = torch.clamp(first(torch.conv2d(x, expand.weight)), 0, 6)
    y = torch.clamp(second(torch.conv2d(y, depthwise.weight, padding=2, groups=12)), 0, 6)
    torch.testing.assert_close(block(x), x + third(torch.conv2d(y, project.weight)))


def test_block_that_does_not_widen_has_no_expansion() -> None:
    """Where as many channels come in as are expanded to, the block begins with its depthwise layer."""
    convolutions = [m for m in InvertedResidual(Block(8, 3, 2, 4), 8).modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.groups for c in convolutions] == [8, 1]


@pytest.mark.parametrize("resolution", [32, 33])
def test_graph_has_the_multiplications_of_the_notation(resolution: int) -> None:
    """Quantised, all of it is int8, and the graph's MACs are those of the notation; odd sizes too."""
    architecture = parse(SMALL)
    images = random_images(4, 3, resolution)
    model = settle(build(architecture, classes=5), images)
    module = prepare(lichen.from_torch(quantize(model, images[:1], [images]), "small"))
    assert sum(operator(op.kind).macs(op) for op in module.infer.operations) == architecture.macs(resolution, 5)
    assert all(v.type.dtype is DType.INT8 for op in module.infer.operations for v in op.results)
    batch, _ = to_batch(images.permute(0, 2, 3, 1).numpy(), module.infer.inputs[0], "images")
    outputs = [lichen.Interpreter(module).run([x])[0] for x in batch]
    assert len(np.unique(outputs)) > 4, "images that differ give logits that differ"


def test_settled_activations_have_unit_variance() -> None:
    """In evaluation mode the images that set the statistics leave each normalisation with mean 0 and variance 1."""
    images = random_images(4, 3, 32)
    model = settle(build(parse(SMALL), classes=5), images)
    seen: list[torch.Tensor] = []
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(lambda _module, _inputs, y: seen.append(y))
    with torch.no_grad():
        model(images)
    assert len(seen) == 10
    for y in seen:
        assert y.mean((0, 2, 3)).abs().max() < 0.02
        assert (y.var((0, 2, 3)) - 1).abs().max() < 0.1  # the running variance is the unbiased one, over few pixels


def test_random_images_survive_a_global_pool() -> None:
    """Images differ in their mean, which white noise of that size would not, and depend on the seed only."""
    images = random_images(8, 3, 64, seed=3)
    assert images.mean((2, 3)).std() > 0.2 > 10 / 64
    assert torch.equal(images, random_images(8, 3, 64, seed=3))
