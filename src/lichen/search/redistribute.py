"""Redistribution of the receptive field: smaller kernels and fewer blocks early, more blocks and larger kernels later, at equal MACs.

What a position at the end of the first stage sees decides how much neighbouring patches or strips of that stage compute twice, and
how many rows it keeps when it streams. Later layers are small: there a receptive field costs little memory and is not computed twice.
After Lin et al., MCUNetV2 (arXiv 2110.15352), section 3.2, where it is done by hand and by training a super network; here the notation is
searched, and which of the proposals is as accurate as the original is for training to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lichen.errors import InputError
from lichen.nn.notation import Architecture, Block, Convolution

LARGEST_KERNEL = 7
SMALL_IMAGE = 16
"""The first stage ends with the item that brings the images to so many positions a side: at 224 with the patches of the paper, which see
75 pixels."""

_Items = tuple[Convolution | Block, ...]


@dataclass(frozen=True)
class Proposal:
    """A network, of which the first `early` items are the first stage, and multiplications on the images it was made for."""

    architecture: Architecture
    early: int
    macs: int

    @property
    def early_field(self) -> int:
        """The receptive field at the end of the first stage, in pixels."""
        return self.architecture.receptive_field(self.early)

    @property
    def field(self) -> int:
        """The receptive field of the network, in pixels."""
        return self.architecture.receptive_field()


def redistribute(
    architecture: Architecture, resolution: int, classes: int, early: int | None = None, tolerance: float = 0.02
) -> list[Proposal]:
    """The network itself, then ever stronger redistributions of it: each has a smaller receptive field at the end of its first stage.

    The first stage are the first `early` items, or those up to images of `SMALL_IMAGE`. Multiplications stay within `tolerance`, a
    share, of the original's, and the receptive field of the whole is not smaller. Raises `InputError` where no block is behind the
    first stage.
    """
    early = _first_stage(architecture, resolution) if early is None else early
    if early < 1 or not any(isinstance(item, Block) for item in architecture.items[early:]):
        raise InputError(
            f"a first stage of {early} items leaves no block of the {len(architecture.items)} items that its receptive field could go to"
        )
    original = Proposal(architecture, early, architecture.macs(resolution, classes))
    proposals = [original]
    for items, length in _shrunk(architecture, early):
        grown = _grown(Architecture(items, architecture.inputs), length, resolution, classes, original.macs)
        found = Proposal(grown, length, grown.macs(resolution, classes))
        if abs(found.macs - original.macs) <= tolerance * original.macs and found.field >= original.field:
            proposals.append(found)
    return proposals


def _first_stage(architecture: Architecture, resolution: int) -> int:
    sizes = [layers[-1].size for layers in architecture.layers(resolution)]
    return next((count for count, size in enumerate(sizes, 1) if size <= SMALL_IMAGE), len(sizes))


def _shrunk(architecture: Architecture, early: int) -> Iterator[tuple[_Items, int]]:
    """The items with an ever smaller first stage, and its length: kernels above 3 shrink, then residual blocks go.

    Each time it is the item whose kernel adds most to the receptive field, the later one of two.
    """
    items = list(architecture.items)
    while True:
        jumps = _jumps(items[:early])
        large = [i for i in range(early) if items[i].kernel > 3]
        extra = [i for i in range(early) if isinstance(items[i], Block) and _is_residual(items[i])]
        if large:
            i = max(large, key=lambda i: ((items[i].kernel - 1) * jumps[i], i))
            items[i] = replace(items[i], kernel=items[i].kernel - 2)
        elif extra:
            i = max(extra, key=lambda i: ((items[i].kernel - 1) * jumps[i], i))
            del items[i]
            early -= 1
        else:
            return
        yield tuple(items), early


def _grown(architecture: Architecture, early: int, resolution: int, classes: int, budget: int) -> Architecture:
    """The network with as much more behind its first stage as `budget` multiplications allow.

    First residual blocks are repeated, each once, then each once more, and so on; then kernels grow, the smallest first. In either case
    the first that still fits into the budget is taken.
    """

    def fits(items: _Items) -> bool:
        return Architecture(items, architecture.inputs).macs(resolution, classes) <= budget

    items = architecture.items
    while (more := next(filter(fits, _with_a_block_more(items, early)), None)) or (
        more := next(filter(fits, _with_a_larger_kernel(items, early)), None)
    ):
        items = more
    return Architecture(items, architecture.inputs)


def _with_a_block_more(items: _Items, early: int) -> Iterator[_Items]:
    """Repeats of residual blocks behind the first stage, those first that there are fewest of."""
    runs: dict[int, int] = {}  # the last of each run of equal residual blocks, and their number
    for i in range(early, len(items)):
        if _is_residual(items[i]):
            runs[i] = runs.pop(i - 1) + 1 if i - 1 in runs and items[i] == items[i - 1] else 1
    for i in sorted(runs, key=lambda i: runs[i]):
        yield (*items[: i + 1], *items[i:])


def _with_a_larger_kernel(items: _Items, early: int) -> Iterator[_Items]:
    """A kernel of a block behind the first stage larger by 2, the smallest kernels first."""
    blocks = [i for i in range(early, len(items)) if isinstance(items[i], Block) and items[i].kernel < LARGEST_KERNEL]
    for i in sorted(blocks, key=lambda i: items[i].kernel):
        yield (*items[:i], replace(items[i], kernel=items[i].kernel + 2), *items[i + 1 :])


def _is_residual(item: Convolution | Block) -> bool:
    return isinstance(item, Block) and item.residual


def _jumps(items: list[Convolution | Block]) -> list[int]:
    """How many pixels of the image lie between two positions that each item reads."""
    jumps, jump = [], 1
    for item in items:
        jumps.append(jump)
        jump *= item.stride
    return jumps
