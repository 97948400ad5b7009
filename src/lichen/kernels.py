"""How fast and how large the code shall be: what `backend.emit` and the compiler are told."""

from __future__ import annotations

from dataclasses import dataclass

from lichen.targets.board import Board

OPTIMIZE = ("speed", "balanced", "size")
"""Fast loops for a compiler that goes for speed, the same for one that goes for size, and loops that are short themselves."""


@dataclass(frozen=True)
class Kernels:
    """`optimize` is one of `OPTIMIZE`; `specialised` names the operations with a copy of their own, `None` leaves it to the compiler.

    `notes` say what could not be measured.
    """

    optimize: str
    specialised: frozenset[str] | None = None
    notes: tuple[str, ...] = ()


def kernels_for(optimize: str, board: Board) -> Kernels:
    """All kernels specialised for speed, all shared for size; on AVR all are specialised always, or their params would take RAM."""
    is_shared = optimize == "size" and not board.core.has("avr")
    return Kernels(optimize, frozenset() if is_shared else None)
