"""The zoo: small enough for their boards, accurate enough to be worth it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lichen.data.digits import Digits, load_digits, shrink
from lichen.errors import InputError
from lichen.nn.notation import Block
from lichen.nn.train import accuracy, fit, predict
from lichen.nn.zoo import (
    CIFAR_MOBILENET,
    DIGITS_CNN,
    DIGITS_MLP,
    MCUNET_VWW1,
    cifar_mobilenet,
    digits_cnn,
    digits_mlp,
    lenet_5,
    lenet_300_100,
    mcunet_vww1,
    mobilenet_v2,
    mobilenet_v2_architecture,
    resnet8,
)


@pytest.fixture(scope="module")
def digits() -> Digits:
    return load_digits()


def test_cnn_reads_digits(digits: Digits) -> None:
    """The convolutional network reaches 97 % with its recipe."""
    model = fit(digits_cnn(), digits.train_x, digits.train_y, DIGITS_CNN)
    assert accuracy(predict(model, digits.test_x), digits.test_y) >= 0.97


def test_mlp_reads_digits_within_an_uno(digits: Digits) -> None:
    """The dense network reaches 93 % with weights that leave room in 32 KB of flash."""
    model = fit(digits_mlp(), shrink(digits.train_x, 2), digits.train_y, DIGITS_MLP)
    assert accuracy(predict(model, shrink(digits.test_x, 2)), digits.test_y) >= 0.93
    assert sum(p.numel() for p in model.parameters()) <= 20_000


def test_lenets_are_those_of_the_papers() -> None:
    """266,200 and 430,500 weights, as Han et al. count them, beside 410 and 580 biases; ten logits for a digit."""
    for model, weights, biases in ((lenet_300_100(), 266_200, 410), (lenet_5(), 430_500, 580)):
        sizes = [p.numel() for p in model.parameters()]
        assert (sum(sizes[::2]), sum(sizes[1::2])) == (weights, biases)
        assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_initial_weights_depend_on_the_seed_only() -> None:
    """A model is the same for the same seed whatever was drawn before, and building one draws nothing."""
    state = torch.get_rng_state()
    first = digits_cnn(seed=4)
    torch.rand(5)
    second = digits_cnn(seed=4)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(next(first.parameters()), next(digits_cnn(seed=5).parameters()))
    torch.set_rng_state(state)
    digits_mlp()
    assert torch.equal(torch.get_rng_state(), state)


def test_mcunet_is_the_published_network() -> None:
    """mcunet-vww1 has the 11.60 million operations it is stated with: multiplications, and the additions of its residuals."""
    layers = list(MCUNET_VWW1.layers(80))
    residuals = [
        convolutions[-1]
        for item, convolutions in zip(MCUNET_VWW1.items, layers, strict=True)
        if isinstance(item, Block) and item.residual
    ]
    multiplications = MCUNET_VWW1.macs(80, classes=2)
    assert multiplications == 11_578_816
    assert round((multiplications + sum(r.size**2 * r.channels for r in residuals)) / 1e6, 2) == 11.60
    assert layers[-1][-1].size == 3
    assert mcunet_vww1()(torch.zeros(1, 3, 80, 80)).shape == (1, 2)


def test_cifar_mobilenet_is_small_enough_to_train_in_minutes() -> None:
    """Ten logits of 32x32x3 images, below two million MACs."""
    assert CIFAR_MOBILENET.macs(32, classes=10) == 1_700_992
    assert cifar_mobilenet()(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("width", "resolution", "macs", "parameters"),
    [(1.0, 224, 300, 3.47), (0.5, 224, 97, 1.95), (0.35, 160, 30, 1.66)],
)
def test_mobilenet_v2_is_the_published_network(width: float, resolution: int, macs: float, parameters: float) -> None:
    """Multiplications and parameters, in millions, are those of the authors' table, at other widths and resolutions too."""
    architecture = mobilenet_v2_architecture(width)
    assert architecture.macs(resolution, classes=1000) / 1e6 == pytest.approx(macs, rel=0.03)
    model = mobilenet_v2(width, resolution=32)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(parameters, rel=0.02)
    assert sum(isinstance(item, Block) for item in architecture.items) == 17


def test_a_width_without_channels_is_refused() -> None:
    """Widths are above 0."""
    with pytest.raises(InputError, match="width"):
        mobilenet_v2_architecture(0.0)


def test_resnet8_is_mlperf_tinys() -> None:
    """12,501,632 MACs, as the reference model has; twice the width is the network with twice the channels; no channels are refused."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        assert resnet8().eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    assert counter.get_total_flops() == 2 * 12_501_632
    assert [m.weight.shape[0] for m in resnet8(2.0).modules() if isinstance(m, nn.Conv2d)][-1] == 128
    with pytest.raises(InputError, match="leaves no channels"):
        resnet8(0.01)
