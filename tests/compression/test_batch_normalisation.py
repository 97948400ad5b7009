"""Batch normalisation steps aside for sharing: what is found behind which layer, that nothing is computed otherwise, and that int8 keeps what was shared."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lichen.compression.batch_normalisation import folded_normalisations, normalised_layers
from lichen.compression.weight_sharing import settle_weights, share_weights
from lichen.errors import InputError
from lichen.nn.quantize import export, quantize
from lichen.nn.residual import Residual
from lichen.nn.stored_weights import take_weights
from lichen.nn.train import Recipe, fit
from lichen.reading import from_torch

EXAMPLE = torch.zeros(1, 1, 8, 8)


def settled(model: nn.Module) -> nn.Module:
    """The model with statistics, factors (some below zero) and shifts as training might leave them, far apart."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                assert module.running_mean is not None and module.running_var is not None
                module.running_mean.normal_(generator=random)
                module.running_var.uniform_(0.2, 4, generator=random)
                if module.affine:
                    module.weight.normal_(generator=random)
                    module.bias.normal_(generator=random)
    return model.eval()


def network() -> nn.Module:
    """Convolutions with and without a bias, depthwise and in a residual block, and dense layers; a normalisation without factors of its own, and a layer with none behind it."""
    torch.manual_seed(0)
    return settled(
        nn.Sequential(
            *(nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
            *(nn.Conv2d(6, 6, 3, 2, 1, groups=6), nn.BatchNorm2d(6, affine=False), nn.ReLU()),
            Residual(6, 8),
            *(nn.Flatten(), nn.Linear(72, 10, bias=False), nn.BatchNorm1d(10, eps=0.01), nn.ReLU(), nn.Linear(10, 3)),
        )
    )


def samples(n: int = 20) -> torch.Tensor:
    return torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_what_is_behind_a_layer_is_found() -> None:
    """Each convolution and dense layer with its normalisation, by paths, those in blocks too; not one behind an activation, nor one along another axis than the layer's outputs."""
    found = normalised_layers(network(), EXAMPLE)
    assert found == {
        "0": "1", "3": "4", "6.layers.0": "6.layers.1", "6.layers.3": "6.layers.4", "8": "9",
    }  # fmt: skip
    after = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 3))
    assert normalised_layers(after, EXAMPLE) == {}
    rows = nn.Sequential(nn.Flatten(1, 2), nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Flatten(), nn.Linear(64, 3))
    assert normalised_layers(rows, EXAMPLE) == {}


def test_nothing_is_computed_otherwise() -> None:
    """Folded and put back, the network answers what it did, to within rounding; it is that of its code again, and its normalisations leave all channels in proportion."""
    model, x = network(), samples()
    expected, kinds = model(x), [type(m) for m in model.modules()]
    with folded_normalisations(model, EXAMPLE):
        assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in model.modules())
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)
    assert [type(m) for m in model.modules()] == kinds
    stored = export(model, EXAMPLE).state_dict
    assert torch.equal(take_weights(network(), stored).eval()(x), model(x))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            factors = torch.rsqrt(module.running_var + module.eps) * (module.weight if module.affine else 1)  # type: ignore[operator]
            torch.testing.assert_close(factors, torch.ones(len(factors)))
            assert len(factors.unique()) == 1


def test_training_goes_on_with_what_is_left() -> None:
    """While they are folded, training moves weights and biases, those that folding has made too; what it has found remains."""
    rng = np.random.default_rng(0)
    model, x = network(), samples()
    with folded_normalisations(model, EXAMPLE):
        share_weights(model, 4)
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        assert "0.bias" in before
        fit(model, rng.normal(size=(60, 8, 8, 1)).astype(np.float32), np.arange(60) % 3, Recipe(epochs=1, batch_size=8))
        assert all(not torch.equal(before[name], p) for name, p in model.named_parameters())
        settle_weights(model)
        expected = model(x)
    torch.testing.assert_close(model(x), expected)
    assert all(p.grad is None or p.grad.shape == p.shape for p in model.parameters())


def test_int8_keeps_what_was_shared() -> None:
    """Shared within, each layer has at most k values and zero in int8; shared with factors behind it, it has more: it is folding that does it."""

    def most_values(model: nn.Module) -> int:
        program = quantize(model, EXAMPLE, [samples()], weight_scale="tensor")
        weights = [c.data for c in from_torch(program).constants() if c.type.dtype.numpy == np.int8]
        assert len(weights) == 7
        return max(len(np.unique(data[data != 0])) for data in weights)

    model = network()
    with folded_normalisations(model, EXAMPLE):
        settle_weights(share_weights(model, 5))
    assert most_values(model) <= 5
    assert most_values(settle_weights(share_weights(network(), 5))) > 20


class Forked(nn.Module):
    """A convolution and a normalisation, called as `how` says."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.conv, self.norm, self.other = nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1), nn.BatchNorm2d(1)
        self.dense = nn.Linear(64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        if self.how == "result used twice":
            y = self.norm(y) + y
        elif self.how == "layer called twice":
            y = self.other(self.conv(self.norm(y)))
        elif self.how == "normalisation called twice":
            y = self.norm(self.norm(y))
        else:
            y = nn.functional.batch_norm(y, torch.zeros(1), torch.ones(1))
        result: torch.Tensor = self.dense(y.flatten(1))
        return result


@pytest.mark.parametrize("how", ["result used twice", "layer called twice", "normalisation called twice"])
def test_what_is_used_elsewhere_is_refused(how: str) -> None:
    """A layer whose result goes elsewhere too, or that is called twice, and a normalisation that is: its factor would reach what it does not belong to. Nothing is changed."""
    model = settled(Forked(how))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    refused = pytest.raises(InputError, match="'conv' cannot be shared, for the batch normalisation 'norm' cannot")
    with refused, folded_normalisations(model, EXAMPLE):
        raise AssertionError("folded")
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_normalisation_that_is_no_module_is_refused() -> None:
    """There is nothing that could be put back in its place."""
    with pytest.raises(InputError, match="behind 'conv', whose weights are to be shared, is no module"):
        normalised_layers(Forked("function").eval(), EXAMPLE)
