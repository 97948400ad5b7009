"""Graph-to-graph rewrites, one file each. A pass changes the module in place and says whether it did; results stay the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lichen.ir.module import Module
from lichen.ir.verify import verify
from lichen.passes.dead_code import dead_code
from lichen.passes.fold_constant_channels import fold_constant_channels
from lichen.passes.fold_constants import fold_constants
from lichen.passes.fuse_activation import fuse_activation
from lichen.passes.fuse_pad import fuse_pad
from lichen.passes.remove_identity import remove_identity

Pass = Callable[[Module], bool]

PASSES: dict[str, Pass] = {
    "fold_constants": fold_constants,
    "remove_identity": remove_identity,
    "fuse_pad": fuse_pad,
    "fuse_activation": fuse_activation,
    "fold_constant_channels": fold_constant_channels,
    "dead_code": dead_code,
}
"""By name, in the order in which they are run by default."""

DEFAULT_PASSES = tuple(PASSES)

_MOST_ROUNDS = (
    100  # each round that changes something removes an operation, a padding or a channel, so this is never reached
)


def run_passes(module: Module, names: Sequence[str] = DEFAULT_PASSES) -> bool:
    """Runs the passes in turn until none changes anything; the module is verified after each change."""
    changed = False
    for _ in range(_MOST_ROUNDS):
        round_changed = False
        for name in names:
            if PASSES[name](module):
                verify(module)
                round_changed = True
        if not round_changed:
            return changed
        changed = True
    raise AssertionError(f"passes {', '.join(names)} do not come to an end")
