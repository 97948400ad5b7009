"""Two profiles operator by operator: what changed between two builds, and where."""

from __future__ import annotations

from dataclasses import dataclass

from lichen.targets.profiler import OpProfile, Profile


@dataclass(frozen=True)
class OpPair:
    """An operator in this build and in another; `None` in the one that does not have it."""

    this: OpProfile | None
    against: OpProfile | None

    @property
    def op(self) -> OpProfile:
        """The operator, of this build where it has it."""
        found = self.this or self.against
        assert found is not None
        return found

    @property
    def instructions(self) -> int | None:
        """How many more this build executes than the other; `None` where only one has the operator."""
        return self.this.instructions - self.against.instructions if self.this and self.against else None

    @property
    def cycles(self) -> int | None:
        """How many more this build takes than the other; `None` also where they are not known."""
        ours, theirs = self._cycles()
        return None if ours is None or theirs is None else ours - theirs

    @property
    def instructions_ratio(self) -> float | None:
        """This build's instructions divided by the other's."""
        return _ratio(self.this.instructions, self.against.instructions) if self.this and self.against else None

    @property
    def cycles_ratio(self) -> float | None:
        """This build's cycles divided by the other's."""
        return _ratio(*self._cycles())

    def _cycles(self) -> tuple[int | None, int | None]:
        return self.this.cycles if self.this else None, self.against.cycles if self.against else None


def pair(this: Profile, against: Profile) -> tuple[OpPair, ...]:
    """The operators of `this` in their order, and behind them those that only `against` has.

    Operators are the same if they have the same name and kind: a streamed region is called after its last operator, and is not that
    operator.
    """
    theirs = {(op.name, op.kind): op for op in against.ops}
    pairs = [OpPair(op, theirs.pop((op.name, op.kind), None)) for op in this.ops]
    return (*pairs, *(OpPair(None, op) for op in theirs.values()))


def total(this: Profile, against: Profile) -> OpPair:
    """All operators of each together."""
    return OpPair(this.total, against.total)


def _ratio(ours: int | None, theirs: int | None) -> float | None:
    return None if ours is None or not theirs else ours / theirs
