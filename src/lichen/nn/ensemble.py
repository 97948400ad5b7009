"""Several networks that answer as one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


class Ensemble(nn.Module):
    """The mean of the logits of `members`, which take the same inputs: a good teacher that was cheap to train."""

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([member(x) for member in self.members]).mean(0)
