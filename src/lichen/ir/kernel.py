"""What an operator asks of the backend: one call of a C kernel, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lichen.ir.accesses import Accesses
from lichen.ir.module import Array


@dataclass(frozen=True)
class Core:
    """What kernels may rely on in a processor core: any of `dsp`, `mve`, `fpu`, `v6m`, `avr`."""

    name: str
    features: frozenset[str] = frozenset()

    def has(self, feature: str) -> bool:
        return feature in self.features


PLAIN = Core("plain")


@dataclass(frozen=True)
class Operand:
    """The address of operand `index`; as a row view with `rows` rows if that is given."""

    index: int
    rows: int | None = None


@dataclass(frozen=True)
class Result:
    """The address of result `index`; as a row view with `rows` rows if that is given."""

    index: int
    rows: int | None = None


@dataclass(frozen=True)
class Table:
    """An array in flash, packed in the order in which the kernel reads it (int8, int16, int32 or float32)."""

    role: str  # "weights", "bias", "multiplier": becomes part of its name
    data: Array


@dataclass(frozen=True)
class Scratch:
    """Working memory of the call in the arena."""

    bytes: int
    alignment: int = 4


@dataclass(frozen=True)
class CodeTable:
    """A canonical Huffman code in flash, int8: how many words of each length from `shortest` to `longest`, then the symbols."""

    table: Array
    shortest: int
    longest: int

    @property
    def symbols(self) -> int:
        """How many there are."""
        return len(self.table) - (self.longest - self.shortest + 1)


@dataclass(frozen=True)
class Coded:
    """Weights in flash as code words (`backend/runtime/lichen_decoder.h`): the address of a `lichen_coded`."""

    role: str
    words: Array
    values: CodeTable
    gaps: CodeTable | None = None
    escape: int = 0
    channels: int = 0
    """Output channels that the kernel decodes at a time, where it decodes some at a time."""


@dataclass(frozen=True)
class Decoded:
    """Weights that `init` has decoded into the instance, from this byte on, as the kernel reads them (int8 or int32)."""

    offset: int
    dtype: str


Argument = Operand | Result | Table | Scratch | Coded | Decoded


@dataclass(frozen=True)
class KernelCall:
    """`lichen_<kernel>(&params, arguments…[, row_begin, row_end])`, defined in `backend/kernels/lichen_<kernel>.h`.

    `params` are the members of `lichen_<kernel>_params`, in the order of the struct. `rows` is the number of output rows of a
    spatial kernel, whose calls end in a range of rows; `None` for the others. `accesses` is the order in which this kernel touches
    operands and results where it is not the operator's; `lean` computes the same in less memory, but slower. `needs` names rarely used parts of
    kernels that this call takes; a model that takes none of them has less code.
    """

    kernel: str
    params: Mapping[str, int | float]
    arguments: tuple[Argument, ...]
    rows: int | None = None
    accesses: Accesses | None = None
    lean: KernelCall | None = None
    needs: frozenset[str] = frozenset()

    @property
    def scratch_offsets(self) -> tuple[int, ...]:
        """Where each scratch argument starts within the scratch of the call."""
        offsets, end = [], 0
        for part in self._scratch:
            offsets.append(-(-end // part.alignment) * part.alignment)
            end = offsets[-1] + part.bytes
        return tuple(offsets)

    @property
    def scratch(self) -> Scratch:
        """All scratch arguments as one; of no bytes where there are none."""
        parts, offsets = self._scratch, self.scratch_offsets
        return Scratch(offsets[-1] + parts[-1].bytes, max(part.alignment for part in parts)) if parts else Scratch(0, 1)

    @property
    def _scratch(self) -> list[Scratch]:
        return [argument for argument in self.arguments if isinstance(argument, Scratch)]
