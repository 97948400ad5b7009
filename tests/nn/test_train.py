"""The training loop: it learns, repeats itself, reports, refuses nonsense, and leaves the surroundings as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lichen.errors import InputError
from lichen.nn.train import Progress, Recipe, accuracy, fit, predict


def two_blobs(n: int = 200) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Two classes on either side of a plane, well apart."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    return (rng.normal(size=(n, 5)) + 3 * y[:, None]).astype(np.float32), y


def small_net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_learns(optimizer: str) -> None:
    """Both optimisers separate two blobs, and the model comes back in evaluation mode."""
    x, y = two_blobs()
    model = fit(small_net(), x, y, Recipe(epochs=30, batch_size=16, optimizer=optimizer))  # type: ignore[arg-type]
    assert accuracy(predict(model, x), y) > 0.95 and not model.training


def test_same_seed_same_weights() -> None:
    """Training repeats bit for bit, dropout and augmentation included, and another seed gives other weights."""
    images = np.random.default_rng(0).random((40, 6, 6, 1), np.float32)
    y = np.arange(40) % 2

    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(3)
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Dropout(), nn.Linear(32, 2))
        fit(model, images, y, Recipe(epochs=2, shift=1, seed=seed))
        return next(model.parameters())

    assert torch.equal(weights(0), weights(0)) and not torch.equal(weights(0), weights(1))


def test_mirrored_images_are_halves_of_a_pair() -> None:
    """With `mirror` about half of the images are shown mirrored, whole and left to right; without it none is."""
    images = np.random.default_rng(0).random((40, 5, 6, 1), np.float32)
    seen: list[torch.Tensor] = []

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(30, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x[:, 0].clone())
            return self.last(x.flatten(1))

    def mirrored(mirror: bool) -> int:
        seen.clear()
        fit(Watching(), images, np.arange(40) % 2, Recipe(epochs=1, batch_size=40, mirror=mirror))
        (batch,) = seen
        plain, turned = (
            {x.tobytes() for x in half[..., 0]} for half in (images, np.ascontiguousarray(images[:, :, ::-1]))
        )
        shown = [x.numpy().tobytes() for x in batch]
        assert all(x in plain | turned for x in shown)
        return sum(x in turned for x in shown)

    assert mirrored(False) == 0 and 8 <= mirrored(True) <= 32


def test_progress_is_reported_once_an_epoch() -> None:
    """The callback sees epochs 1..n and a loss that falls."""
    x, y = two_blobs()
    seen: list[Progress] = []
    fit(small_net(), x, y, Recipe(epochs=5), seen.append)
    assert [p.epoch for p in seen] == [1, 2, 3, 4, 5] and seen[-1].loss < seen[0].loss


def test_surroundings_stay_as_they_were() -> None:
    """The caller's random state and number of threads do not change."""
    x, y = two_blobs()
    model = small_net()
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        fit(model, x, y, Recipe(epochs=1))
        assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_nothing_to_train_on_is_refused() -> None:
    """Sizes that do not match and a loss that diverges are the user's to mend."""
    x, y = two_blobs()
    with pytest.raises(InputError, match="199 classes"):
        fit(small_net(), x, y[1:])
    with pytest.raises(InputError, match="smaller learning rate"):
        fit(small_net(), x * np.float32(np.inf), y, Recipe(epochs=1))


def test_loss_of_the_caller_is_what_is_made_small() -> None:
    """A loss is given the batch as the model saw it, the logits and the classes, and training follows it and nothing else."""
    x, y = two_blobs()

    def wrong_way_round(batch: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        assert batch.shape == (len(logits), 5) and len(targets) == len(logits)
        return nn.functional.cross_entropy(logits, 1 - targets)

    model = fit(small_net(), x, y, Recipe(epochs=30, batch_size=16), loss=wrong_way_round)
    assert accuracy(predict(model, x), y) < 0.05


def test_after_step_has_the_last_word() -> None:
    """What `after_step` puts back stays so, and it is called once for each batch."""
    x, y = two_blobs()
    model = small_net()
    weight = next(model.parameters())
    before = weight.detach().clone()
    steps: list[int] = []

    def keep_first_row() -> None:
        steps.append(1)
        with torch.no_grad():
            weight[0] = before[0]

    fit(model, x, y, Recipe(epochs=2, batch_size=50), after_step=keep_first_row)
    assert len(steps) == 8 and torch.equal(weight[0], before[0]) and not torch.equal(weight[1], before[1])
