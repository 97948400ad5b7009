"""The zoo: small enough for their boards, accurate enough to be worth it."""

from __future__ import annotations

import pytest
import torch

from lichen.data.digits import Digits, load_digits, shrink
from lichen.nn.train import accuracy, fit, predict
from lichen.nn.zoo import DIGITS_CNN, DIGITS_MLP, digits_cnn, digits_mlp


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
