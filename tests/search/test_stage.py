"""What a first stage costs, as the planner has it: strips, streaming, layer by layer."""

from __future__ import annotations

import pytest

from lichen.errors import InputError
from lichen.ir.kernel import PLAIN
from lichen.ir.operator import operator
from lichen.nn.notation import parse
from lichen.plan.schedule import front
from lichen.search.candidate import candidate
from lichen.search.redistribute import redistribute
from lichen.search.stage import cost_in_strips, stage_cost

NETWORK = parse("k3s2c8 48k5c8r 48k3c8r 48k5s2c16 48k3s2c16 48k3c16r 48k3c16r")
RESOLUTION, CLASSES, EARLY = 64, 3, 5


def test_redistribution_saves_what_strips_compute_twice() -> None:
    """At equal multiplications the redistributed network computes less twice and needs less memory; more strips compute more twice."""
    proposals = redistribute(NETWORK, RESOLUTION, CLASSES, early=EARLY)
    assert len(proposals) >= 3
    overheads, arenas = [], []
    for proposal in (proposals[0], proposals[-1]):
        module = candidate(proposal.architecture, RESOLUTION, CLASSES)
        assert sum(operator(op.kind).macs(op) for op in module.infer.operations) == proposal.macs
        two = stage_cost(proposal, module, 2, PLAIN)
        (one, one_macs), (_, three_macs) = (cost_in_strips(proposal, module, strips, PLAIN) for strips in (1, 3))
        assert one_macs == proposal.macs < two.strips_macs < three_macs
        assert two.layers > one > two.strips
        schedules = [schedule for schedule in front(module.infer, PLAIN) if not schedule.more_macs]
        assert (two.layers, two.streamed) == (schedules[0].arena, schedules[-1].arena)
        overheads.append(two.strips_macs / proposal.macs - 1)
        arenas.append(two.strips)
    assert overheads[1] < 0.6 * overheads[0] and arenas[1] < arenas[0]


def test_overhead_by_hand() -> None:
    """One 3x3 depthwise layer between two strips: a column of the expansion at either side of the border is computed twice, no more."""
    network = parse("k1c4 8k3c4 8k3c4")
    (original, *_) = redistribute(network, 16, 2, early=2)
    cost = stage_cost(original, candidate(network, 16, 2), 2, PLAIN)
    halo = 2 * 16  # a column on either side, 16 rows high
    assert cost.strips_macs == original.macs + halo * (3 * 4 + 4 * 8)


def test_too_many_strips_are_refused() -> None:
    """A strip has a column at least."""
    (original, *_) = redistribute(NETWORK, RESOLUTION, CLASSES, early=EARLY)
    with pytest.raises(InputError, match="9 strips"):
        stage_cost(original, candidate(NETWORK, RESOLUTION, CLASSES), 9, PLAIN)
