"""What the first stage of a network costs: its memory under three schedules, and what strips compute twice."""

from __future__ import annotations

from dataclasses import dataclass

from lichen.errors import InputError
from lichen.ir.kernel import Core
from lichen.ir.module import Function, Module
from lichen.ir.operator import operator
from lichen.nn.notation import Block
from lichen.plan.lower import problem_of
from lichen.plan.planner import make_plan
from lichen.plan.rows import Region, Streams
from lichen.plan.schedule import choose
from lichen.plan.strips import in_strips
from lichen.search.redistribute import Proposal


@dataclass(frozen=True)
class StageCost:
    """Bytes of arena as planned, input and output included: layer by layer, streamed, and with the first stage in strips.

    Streaming computes nothing twice; `strips_macs` are all multiplications with the first stage in strips.
    """

    layers: int
    streamed: int
    strips: int
    strips_macs: int


def stage_cost(proposal: Proposal, module: Module, strips: int, core: Core) -> StageCost:
    """Plans the graph `module` of `proposal`; with its first stage in `strips` the rest runs layer by layer.

    Raises `InputError` where the images at the end of the first stage are too narrow for so many strips.
    """
    function = module.infer
    arena, macs = cost_in_strips(proposal, module, strips, core)
    return StageCost(
        layers=choose(function, core, "layers", 0).arena,
        streamed=choose(function, core, "stream", 0).arena,
        strips=arena,
        strips_macs=macs,
    )


def cost_in_strips(proposal: Proposal, module: Module, strips: int, core: Core) -> tuple[int, int]:
    """Bytes of arena and all multiplications with the first stage in `strips` alone; raises what `stage_cost` raises."""
    function = module.infer
    region = Streams(function).region(0, _operations(proposal, function))
    striped = in_strips(region, strips)
    if striped is None:
        raise InputError(f"the first stage of {proposal.architecture} cannot be computed in {strips} strips; try fewer")
    macs = sum(operator(op.kind).macs(op) for op in function.operations)
    return _arena(function, core, striped), macs - region.macs + striped.macs


def _arena(function: Function, core: Core, region: Region) -> int:
    problem, _ = problem_of(function, core, (region,))
    return make_plan(problem, exact=False).peak


def _operations(proposal: Proposal, function: Function) -> int:
    """How many operations of the graph are the first stage."""
    architecture, count = proposal.architecture, 0
    for item, incoming in zip(architecture.items[: proposal.early], architecture.incoming, strict=False):
        count += 2 + (item.expanded != incoming) + item.residual if isinstance(item, Block) else 1
    assert operator(function.operations[count - 1].kind).kind in ("conv2d", "add")
    return count
