"""Distillation: the loss of the paper, a student that follows, hints that carry over."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from compression_cases import three_patterns
from lichen.compression.distillation import Distillation, distil, distillation_loss
from lichen.errors import InputError
from lichen.nn.train import Recipe, accuracy, fit, predict


class Fixed(nn.Module):
    """A teacher that gives the same logits whatever it sees."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits


def dense(width: int, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 3))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 20), st.floats(0, 2), st.floats(0.01, 2))
def test_loss_is_the_papers(seed: int, temperature: float, soft: float, hard: float) -> None:
    """T² times the divergence of softened answers, and the cross-entropy, as NumPy computes them in float64."""
    rng = np.random.default_rng(seed)
    ours, theirs, y = rng.normal(0, 3, (5, 4)), rng.normal(0, 3, (5, 4)), rng.integers(0, 4, 5)

    def log_softmax(z: np.ndarray) -> np.ndarray:
        z = z - z.max(1, keepdims=True)
        return z - np.log(np.exp(z).sum(1, keepdims=True))

    p, q = log_softmax(theirs / temperature), log_softmax(ours / temperature)
    expected = soft * temperature**2 * (np.exp(p) * (p - q)).sum(1).mean()
    expected -= hard * log_softmax(ours)[np.arange(5), y].mean()
    loss = distillation_loss(Fixed(torch.tensor(theirs)), Distillation(temperature, soft, hard))
    got = loss(torch.zeros(5, 1), torch.tensor(ours), torch.tensor(y))
    assert got.item() == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_gradient_keeps_its_size_at_high_temperature() -> None:
    """T² undoes what the temperature takes: the gradient tends to (student - teacher) / classes for centred logits, whatever T."""
    ours = torch.tensor([[0.4, -0.1, -0.3]], requires_grad=True)
    theirs = torch.tensor([[-0.2, 0.3, -0.1]])
    for temperature in (50.0, 500.0):
        loss = distillation_loss(Fixed(theirs), Distillation(temperature, 1.0, 0.0))
        (gradient,) = torch.autograd.grad(loss(theirs, ours, torch.tensor([0])), ours)
        torch.testing.assert_close(gradient, (ours.detach() - theirs) / 3, rtol=0.05, atol=1e-3)


def test_student_follows_the_teacher_and_not_the_classes() -> None:
    """Taught by soft targets alone, with classes that are wrong, the student knows what the teacher knows."""
    x, y = three_patterns(300)
    teacher = fit(dense(64), x[:200], y[:200], Recipe(epochs=20, batch_size=20))
    student = distil(
        dense(16, 1),
        teacher,
        x[:200],
        (y[:200] + 1) % 3,
        Distillation(soft=1.0, hard=0.0),
        Recipe(epochs=20, batch_size=20),
    )
    known = accuracy(predict(teacher, x[200:]), y[200:])
    assert known > 0.6 and accuracy(predict(student, x[200:]), y[200:]) > known - 0.15
    assert not student.training


def test_hints_make_results_alike() -> None:
    """With a hint a linear map takes the student's hidden layer nearer to the teacher's than without; the regressor is not kept."""
    x, y = three_patterns(200)
    teacher = fit(dense(24), x, y, Recipe(epochs=10, batch_size=20))

    def unexplained(hints: tuple[tuple[str, str], ...]) -> float:
        lesson = Distillation(hints=hints, hint=10.0)
        student = distil(dense(8, 1), teacher, x, y, lesson, Recipe(epochs=10, batch_size=20))
        assert len(list(student.parameters())) == 4
        seen = [predict(nn.Sequential(*list(model)[:3]), x) for model in (student, teacher)]
        design = np.concatenate([seen[0], np.ones((len(x), 1))], 1)
        return float(np.linalg.lstsq(design, seen[1], rcond=None)[1].sum())

    assert unexplained((("2", "2"),)) < 0.8 * unexplained(())


def test_misuse_is_refused() -> None:
    """Temperatures and weights that teach nothing, other classes, hints that name no module or differ in size."""
    x, y = three_patterns(12)
    with pytest.raises(InputError, match="temperature of 0"):
        Distillation(temperature=0)
    with pytest.raises(InputError, match="teach nothing"):
        Distillation(soft=0.0, hard=0.0)
    with pytest.raises(InputError, match=r"teacher gives \[2\] logits and the student \[3\]"):
        distil(dense(4), nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), x, y)
    with pytest.raises(InputError, match="teacher has no module '9'"):
        distil(dense(4), dense(5), x, y, Distillation(hints=(("2", "9"),)))
    flat = nn.Sequential(nn.Conv2d(1, 3, 8), nn.Flatten())
    with pytest.raises(InputError, match="only channels may differ"):
        distil(flat, dense(5), x, y, Distillation(hints=(("0", "2"),)))
