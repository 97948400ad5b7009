"""Several networks that answer as one."""

from __future__ import annotations

import torch
from torch import nn

from lichen.nn.ensemble import Ensemble


def test_logits_are_the_mean() -> None:
    """The ensemble's logits are the mean of its members', and it goes into evaluation mode with them."""
    torch.manual_seed(0)
    members = [nn.Sequential(nn.Linear(4, 3), nn.Dropout()) for _ in range(3)]
    ensemble, x = Ensemble(members).eval(), torch.randn(5, 4)
    assert not any(member.training for member in members)
    torch.testing.assert_close(ensemble(x), sum(member(x) for member in members) / 3)
