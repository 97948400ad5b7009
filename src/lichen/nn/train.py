"""A training loop for small classifiers: seeded, deterministic, with a callback for progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lichen.errors import InputError
from lichen.nn.tensors import to_tensor
from lichen.nn.threads import single_threaded


@dataclass(frozen=True)
class Recipe:
    """How to train. The learning rate falls to zero along half a cosine after a linear warm-up over a tenth of the steps."""

    epochs: int = 15
    batch_size: int = 64
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-2
    weight_decay: float = 1e-4
    momentum: float = 0.9  # of sgd
    label_smoothing: float = 0.05
    shift: int = 0  # images move by up to so many pixels in each direction, at random
    mirror: bool = False  # images are mirrored left to right, half of them, at random
    channels_last: bool = (
        False  # images lie channels last: twice as fast, but code that calls `view` on a feature map fails
    )
    seed: int = 0


Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]  # of inputs, outputs and classes


@dataclass(frozen=True)
class Progress:
    """Where training stands after an epoch, counted from 1; the loss is the epoch's mean."""

    epoch: int
    epochs: int
    loss: float


def fit(
    model: nn.Module,
    x: NDArray[Any],
    y: NDArray[Any],
    recipe: Recipe | None = None,
    progress: Callable[[Progress], None] | None = None,
    loss: Loss | None = None,
    after_step: Callable[[], None] | None = None,
) -> nn.Module:
    """Trains `model` in place on `x` (n, …; images NHWC) and classes `y` (n), and returns it in evaluation mode.

    `loss` is the scalar to be made small, of what the model saw (n, …; images NCHW, moved and mirrored), what it answered and the classes (n);
    without one it is the cross-entropy with the recipe's label smoothing. `after_step` is called after each step of the optimizer: it may
    put parameters back to what they have to obey, such as a mask.

    Equal models, data and recipes give equal weights on one kind of processor. Raises `InputError` if there is nothing to train on or the
    loss stops being a number.
    """
    recipe = recipe or Recipe()
    if len(x) != len(y) or len(x) < 2 or recipe.epochs < 1:
        raise InputError(f"cannot train for {recipe.epochs} epochs on {len(x)} samples with {len(y)} classes given")
    inputs, targets = to_tensor(x), torch.from_numpy(np.asarray(y, np.int64))
    random = torch.Generator().manual_seed(recipe.seed)
    batches = math.ceil(len(inputs) / recipe.batch_size)
    optimizer = _optimizer(model, recipe)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _cosine(recipe.epochs * batches))
    loss = loss or cross_entropy(recipe.label_smoothing)
    model.train()
    with single_threaded(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)  # dropout draws from the global generator
        for epoch in range(1, recipe.epochs + 1):
            total = 0.0
            for chosen in torch.randperm(len(inputs), generator=random).chunk(batches):
                batch = _shifted(inputs[chosen], recipe.shift, random)
                if recipe.mirror:
                    batch = _mirrored(batch, random)
                if recipe.channels_last:
                    batch = batch.contiguous(memory_format=torch.channels_last)
                optimizer.zero_grad()
                value = loss(batch, model(batch), targets[chosen])
                torch.autograd.backward(value)
                optimizer.step()
                schedule.step()
                if after_step is not None:
                    after_step()
                total += value.item() * len(chosen)
            if not math.isfinite(total):
                raise InputError(f"the loss is no longer a number in epoch {epoch}; try a smaller learning rate")
            if progress is not None:
                progress(Progress(epoch, recipe.epochs, total / len(inputs)))
    return model.eval()


def cross_entropy(label_smoothing: float = 0.0) -> Loss:
    """The mean cross-entropy of logits (n, classes), `label_smoothing` of the target shared out among all classes."""

    def loss(batch: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(logits, targets, label_smoothing=label_smoothing)

    return loss


def predict(
    model: Callable[[torch.Tensor], torch.Tensor], x: NDArray[Any], batch_size: int = 256
) -> NDArray[np.float32]:
    """The model's outputs (n, …) for `x` (n, …; images NHWC). A module should be in evaluation mode."""
    with single_threaded(), torch.no_grad():
        parts = [model(batch).numpy() for batch in torch.split(to_tensor(x), batch_size)]
    return np.concatenate(parts)


def accuracy(scores: NDArray[Any], y: NDArray[Any]) -> float:
    """The share of rows of `scores` (n, classes) whose largest element is at the index `y` (n)."""
    return float((scores.reshape(len(y), -1).argmax(axis=1) == y).mean())


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            model.parameters(), recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    return torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)


def _cosine(steps: int) -> Callable[[int], float]:
    """The factor on the learning rate at each step."""
    warm_up = max(steps // 10, 1)

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / max(steps - warm_up, 1)))

    return factor


def _shifted(images: torch.Tensor, most: int, random: torch.Generator) -> torch.Tensor:
    """Each image (n, C, H, W) moved by up to `most` pixels down and right or up and left; zeros come in at the edges."""
    if most == 0:
        return images
    n, channels, height, width = images.shape
    padded = nn.functional.pad(images, (most, most, most, most))
    top, left = torch.randint(0, 2 * most + 1, (2, n, 1, 1, 1), generator=random)
    rows, columns = top + torch.arange(height).view(1, 1, -1, 1), left + torch.arange(width).view(1, 1, 1, -1)
    return padded[torch.arange(n).view(-1, 1, 1, 1), torch.arange(channels).view(1, -1, 1, 1), rows, columns]


def _mirrored(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Each image (n, C, H, W) mirrored left to right with probability one half."""
    chosen = torch.rand(len(images), 1, 1, 1, generator=random) < 0.5
    return torch.where(chosen, images.flip(3), images)
