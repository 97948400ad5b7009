"""A whole network trained on a microcontroller, and PyTorch beside it.

After Lee, Kwak, Cho (Kyungpook National University): a dense network with three hidden layers learns the output of a power plant by
back-propagation on a Cortex-M4, from batches sent over the serial line. Here the same initial weights, batches and order go to PyTorch
and, over the emulated UART, to the firmware on the emulated chip.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lichen.compiler import compile_model, prepare
from lichen.data.power_plant import PowerPlant, load_power_plant
from lichen.demos.progress import ProgressBar
from lichen.device.count import count_first, count_lesson
from lichen.device.executor import Executor, open_executor
from lichen.learning.choice import All
from lichen.learning.trainable import make_trainable
from lichen.nn.threads import single_threaded
from lichen.passes.gradient_descent import GradientDescent
from lichen.reading import from_torch
from lichen.report.loss_curves import draw_loss_curves
from lichen.targets.folder import open_folder

BOARD = "nucleo-f411re"
HIDDEN = 32
EPOCHS = 20
HOW = GradientDescent(learning_rate=0.1, batch=20)  # chosen on the validation part; 20 divides the 5,740 samples

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Result:
    """Losses are means over an epoch, of standardised power; errors in MW on the test part; memory in bytes as linked."""

    loss_chip: list[float]
    loss_torch: list[float]
    max_relative_difference: float
    rmse_chip: float
    rmse_torch: float
    ram: int
    flash: int | None
    arena: int
    state: int
    instructions_per_sample: int | None
    instructions_infer: int | None


def run(bar: ProgressBar, keep: Path | None = None, on: str = "qemu", epochs: int = EPOCHS) -> Result:
    """Runs the demo for `epochs` on the emulated chip, or on `native`; the model folder is written below `keep` if that is given."""
    data = load_power_plant()
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Linear(4, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()),
        *(nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)),
    )
    module = prepare(from_torch(torch.export.export(network, (torch.zeros(1, 4),)), "power_plant"))
    trainable = make_trainable(module, All(), "mean_squared_error", HOW)
    orders = [np.random.default_rng(epoch).permutation(len(data.train_x)) for epoch in range(epochs)]
    with bar("PyTorch", epochs) as progress, single_threaded():
        loss_torch = _train_torch(network, data, orders, progress)
    with tempfile.TemporaryDirectory() as scratch:
        compiled = compile_model(trainable, BOARD, (keep or Path(scratch)) / "power_plant")
        folder = open_folder(compiled.path)
        total = epochs * len(data.train_x)
        with open_executor(folder, on) as executor:
            with bar(f"learning on {on}", total) as progress:
                loss_chip = [
                    _epoch(executor, data, order, rate, progress)
                    for order, rate in zip(orders, _rates(epochs), strict=True)
                ]
            with bar(f"testing on {on}", len(data.test_x)) as progress:
                (on_chip,) = executor.run([data.test_x[:, None]], progress)
        lesson = count_lesson(folder, on, [data.train_x[:1, None], data.train_y[:1, None]])
        inference = count_first(folder, on, [data.test_x[:1, None]])
    with single_threaded(), torch.no_grad():
        in_torch = network(torch.from_numpy(data.test_x)).numpy()
    differences = np.abs(np.array(loss_chip) / np.array(loss_torch) - 1)
    return Result(
        loss_chip=loss_chip,
        loss_torch=loss_torch,
        max_relative_difference=float(differences.max()),
        rmse_chip=_rmse(on_chip, data),
        rmse_torch=_rmse(in_torch, data),
        ram=compiled.ram,
        flash=compiled.flash,
        arena=compiled.arena,
        state=compiled.state,
        instructions_per_sample=lesson.instructions,
        instructions_infer=inference.instructions,
    )


def draw(result: Result, folder: Path) -> None:
    """Writes the picture `loss.png` into `folder`. Raises `MissingToolError` without matplotlib."""
    draw_loss_curves(
        folder / "loss.png",
        "Power plant: the same network, trained by Lichen and by PyTorch",
        "mean squared error, standardised power",
        {"Lichen": result.loss_chip, "PyTorch": result.loss_torch},
    )


def _train_torch(
    network: nn.Module, data: PowerPlant, orders: list[NDArray[np.int64]], progress: Callable[[int], None]
) -> list[float]:
    """The mean loss of each epoch."""
    optimiser = torch.optim.SGD(network.parameters(), HOW.learning_rate)
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    losses = []
    for order, rate in zip(orders, _rates(len(orders)), strict=True):
        optimiser.param_groups[0]["lr"] = rate
        total = 0.0
        for batch in np.split(order, len(order) // HOW.batch):
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(network(x[batch]), y[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach())
        losses.append(total * HOW.batch / len(order))
        progress(1)
    return losses


def _rates(epochs: int) -> list[float]:
    """The learning rate of each epoch, falling in equal steps to a twentieth; it is set on the device at run time."""
    return [float(rate) for rate in np.linspace(HOW.learning_rate, HOW.learning_rate / 20, epochs)]


def _epoch(
    executor: Executor, data: PowerPlant, order: NDArray[np.int64], rate: float, progress: Callable[[int], None]
) -> float:
    executor.begin_learning(rate)
    executor.learn([data.train_x[order, None], data.train_y[order, None]], progress)
    return executor.lessons().mean_loss


def _rmse(prediction: Floats, data: PowerPlant) -> float:
    """In MW, on the test part."""
    difference = prediction.reshape(-1).astype(np.float64) - data.test_y.reshape(-1)
    return float(np.sqrt(np.mean(difference**2)) * data.scale)
