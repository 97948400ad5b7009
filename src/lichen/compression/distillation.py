"""Knowledge distillation: a small network learns what a large one thinks.

Soft targets: Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network" (arXiv 1503.02531). Hints: Romero et al., "FitNets"
(arXiv 1412.6550).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from lichen.errors import InputError
from lichen.nn.tensors import to_tensor
from lichen.nn.train import Loss, Progress, Recipe, cross_entropy, fit


@dataclass(frozen=True)
class Distillation:
    """What the student is to follow, and how much. Raises `InputError` for a temperature or weights that teach nothing.

    `soft` weighs the teacher's softened answers, `hard` the true classes. `hints` are pairs of module paths, of the student and of the teacher, whose
    results are to be alike; `hint` is the weight of their mean squared difference.
    """

    temperature: float = 4.0
    soft: float = 0.9
    hard: float = 0.1
    hints: tuple[tuple[str, str], ...] = ()
    hint: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise InputError(f"a temperature of {self.temperature} softens nothing; take one above 0, such as 4")
        if min(self.soft, self.hard, self.hint) < 0 or self.soft + self.hard <= 0:
            raise InputError(
                f"weights of {self.soft} for the teacher and {self.hard} for the classes teach nothing; neither may be negative, one must be above 0"
            )


def distillation_loss(teacher: nn.Module, distillation: Distillation, label_smoothing: float = 0.0) -> Loss:
    """`soft` T² KL(teacher || student) at temperature T, and `hard` times the cross-entropy with the classes; means over the batch.

    T² keeps the weight of the teacher's gradients, which fall with 1 / T², independent of the temperature. `teacher` (in evaluation mode) maps the
    student's inputs to logits (n, classes).
    """
    classes_loss = cross_entropy(label_smoothing)

    def loss(batch: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            taught = teacher(batch)
        t = distillation.temperature
        softened = nn.functional.kl_div(
            (logits / t).log_softmax(1), (taught / t).log_softmax(1), reduction="batchmean", log_target=True
        )
        value = distillation.soft * t**2 * softened
        return value + distillation.hard * classes_loss(batch, logits, targets) if distillation.hard else value

    return loss


def distil(
    student: nn.Module,
    teacher: nn.Module,
    x: NDArray[Any],
    y: NDArray[Any],
    distillation: Distillation | None = None,
    recipe: Recipe | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> nn.Module:
    """Trains `student` in place on `x` (n, …; images NHWC) and classes `y` (n) as `fit` does, with the teacher's help.

    Where a hint's two results have different channels a 1x1 regressor, trained along and dropped, stands between. Raises `InputError` if the
    teacher's logits have another shape, for a hint's path that is no module, and for results of different sizes.
    """
    distillation, recipe = distillation or Distillation(), recipe or Recipe()
    teacher.eval()
    sample = to_tensor(x[:2])
    with torch.no_grad():
        ours, theirs = student.eval()(sample).shape, teacher(sample).shape
    if ours != theirs:
        raise InputError(
            f"the teacher gives {list(theirs[1:])} logits and the student {list(ours[1:])}; they need the same classes"
        )
    loss = distillation_loss(teacher, distillation, recipe.label_smoothing)
    if not distillation.hints:
        return fit(student, x, y, recipe, progress, loss)
    ours_at, theirs_at = ([pair[side] for pair in distillation.hints] for side in (0, 1))
    with _watched(student, ours_at, "student") as seen, _watched(teacher, theirs_at, "teacher") as shown:
        with torch.no_grad():
            student(sample), teacher(sample)
        pupil = _Hinted(student, [_regressor(a, seen[a], b, shown[b], recipe.seed) for a, b in distillation.hints])

        def hinted(batch: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            value = loss(batch, logits, targets)  # runs the teacher, whose results are then in `shown`
            for (a, b), regressor in zip(distillation.hints, pupil.regressors, strict=True):
                value = value + distillation.hint * nn.functional.mse_loss(regressor(seen[a]), shown[b])
            return value

        fit(pupil, x, y, recipe, progress, hinted)
    return student.eval()


class _Hinted(nn.Module):
    """The student, and what is trained along with it."""

    def __init__(self, student: nn.Module, regressors: list[nn.Module]) -> None:
        super().__init__()
        self.student = student
        self.regressors = nn.ModuleList(regressors)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.student(x)
        return y


@contextmanager
def _watched(model: nn.Module, paths: list[str], whose: str) -> Iterator[dict[str, torch.Tensor]]:
    """The newest results of the modules at `paths`."""
    seen: dict[str, torch.Tensor] = {}
    modules = dict(model.named_modules())
    missing = [path for path in paths if path not in modules]
    if missing:
        known = ", ".join(path for path in modules if path)
        raise InputError(f"the {whose} has no module '{missing[0]}' to take hints from; it has {known}")

    def keep(path: str) -> Any:
        return lambda module, inputs, result: seen.__setitem__(path, result)

    handles = [modules[path].register_forward_hook(keep(path)) for path in paths]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _regressor(path: str, ours: torch.Tensor, other: str, theirs: torch.Tensor, seed: int) -> nn.Module:
    """From the student's result to the teacher's: nothing where they have the same shape, else a 1x1 layer over channels."""
    if ours.dim() != theirs.dim() or ours.shape[2:] != theirs.shape[2:] or ours.dim() not in (2, 4):
        raise InputError(
            f"the hint '{path}' gives {list(ours.shape[1:])} and the teacher's '{other}' {list(theirs.shape[1:])}; only channels may differ"
        )
    if ours.shape == theirs.shape:
        return nn.Identity()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if ours.dim() == 4:
            return nn.Conv2d(ours.shape[1], theirs.shape[1], 1)
        return nn.Linear(ours.shape[1], theirs.shape[1])
