"""TensorBoard logs of a compression: losses epoch by epoch, figures stage by stage."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from lichen.compression.chain import Figures, Step
from lichen.errors import MissingToolError


class Logs:
    """Writes what it is told of into `folder`, for `tensorboard --logdir`; a context manager.

    Raises `MissingToolError` without the package tensorboard.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise MissingToolError(
                f"logs need the package {error.name}, which is not installed: pip install 'lichen[compression]'"
            ) from error
        self._writer = SummaryWriter(str(folder))
        self._stages = 0

    def step(self, step: Step) -> None:
        """The loss of an epoch."""
        if step.loss is not None:
            self._writer.add_scalar(f"loss/{step.stage}", step.loss, step.done)

    def stage(self, figures: Figures) -> None:
        """What a stage leaves, one place on the axis after the other."""
        values = {
            "accuracy": figures.accuracy,
            "weights_bytes": figures.weights_bytes,
            "flash_bytes": figures.flash_bytes,
            "macs": figures.macs,
        }
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(f"stages/{name}", value, self._stages)
        self._stages += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
