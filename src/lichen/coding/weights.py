"""The weights of a program as they lie in flash: which are coded, in which form and with which codes, and where they are decoded.

Coding is lossless and a matter of lowering: a call that reads a table of weights becomes one that reads code words. Graph, digest and results
stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from lichen.coding.huffman import Code, Counts
from lichen.coding.sharing import shared_codes
from lichen.coding.stream import Codes, Symbols
from lichen.ir.kernel import Coded, CodeTable, KernelCall, Table
from lichen.ir.module import Operation
from lichen.ops.dense_coded import dense_coded
from lichen.ops.weights import constant_operand

Key: TypeAlias = tuple[str, bytes]
"""A kernel and the bytes of its table of weights: the frozen part of a model has the same in `infer` and in `learn`."""

DECODER_BYTES = 600
"""Code of the decoder, which coding has to save at least."""


class Way(Enum):
    """Where the weights of a layer are decoded; the value is its name."""

    FUSED = "fused"
    """In the kernel's loop, weight by weight: no memory, and no product with a zero in the sparse form."""


@dataclass(frozen=True, eq=False)
class CodedLayer:
    """One table of weights that is coded. `plain_bytes` are those of all tables of the plain call, `bytes` those of the coded one and of
    the codes that no layer before it has.
    """

    name: str
    """The operation, of several with the same weights the first."""
    way: Way
    form: str
    coded: Coded
    bytes: int
    plain_bytes: int
    symbols: int
    """Code words."""

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "name": self.name,
            "form": self.form,
            "decoded": self.way.value,
            "bytes": self.bytes,
            "plain_bytes": self.plain_bytes,
            "symbols": self.symbols,
        }


@dataclass(frozen=True)
class CodedWeights:
    """How the weights of a program lie in flash. What is not in `layers` is plain."""

    layers: Mapping[Key, CodedLayer] = field(default_factory=dict)

    @property
    def saved(self) -> int:
        """Bytes of flash that coding saves."""
        return sum(layer.plain_bytes - layer.bytes for layer in self.layers.values())

    def recode(self, operation: Operation, call: KernelCall) -> KernelCall:
        """`call` with the weights as they lie in flash."""
        key = key_of(call)
        layer = None if key is None else self.layers.get(key)
        return call if layer is None else _recoded(operation, layer.coded)

    def of(self, call: KernelCall) -> CodedLayer | None:
        """The layer that a coded call decodes; `None` for any other."""
        coded = next((a for a in call.arguments if isinstance(a, Coded)), None)
        return next((layer for layer in self.layers.values() if layer.coded is coded), None)


PLAIN_WEIGHTS = CodedWeights()
"""All weights lie in flash as their kernels read them."""


def key_of(call: KernelCall) -> Key | None:
    """What stands for the weights of a call; `None` where it has none."""
    tables = [a for a in call.arguments if isinstance(a, Table) and a.role == "weights"]
    return (call.kernel, tables[0].data.tobytes()) if tables else None


def codable(operation: Operation, call: KernelCall) -> bool:
    """Whether the weights of a call can be coded."""
    weights = key_of(call)
    return weights is not None and operation.kind == "dense" and not operation.results[0].type.dtype.is_float


def code_weights(
    calls: Iterable[tuple[Operation, KernelCall]], ways: Mapping[Key, Way], least_saving: int = DECODER_BYTES
) -> CodedWeights:
    """The smallest form of the weights of each of `calls` that has a way, together; plain where that is smaller, and all plain where
    coding saves no more than `least_saving` bytes.
    """
    candidates: dict[Key, _Candidate] = {}
    for operation, call in calls:
        key = key_of(call)
        if key is not None and key in ways and key not in candidates:
            candidates[key] = _Candidate(operation, call, ways[key])
    while True:
        layers = _coded(candidates)
        losing = [key for key, layer in layers.items() if layer is None or layer.bytes >= layer.plain_bytes]
        if not losing:
            break
        del candidates[losing[-1]]
    found = {key: layer for key, layer in layers.items() if layer is not None}
    saved = sum(layer.plain_bytes - layer.bytes for layer in found.values())
    return CodedWeights(found) if saved > least_saving else PLAIN_WEIGHTS


class _Candidate:
    """A layer, and the form that is smallest for it alone."""

    def __init__(self, operation: Operation, call: KernelCall, way: Way) -> None:
        self.operation, self.call, self.way = operation, call, way
        self.data = constant_operand(operation, 1)
        forms = [Symbols.sparse(self.data), Symbols.dense(self.data)]
        self.symbols = min(forms, key=lambda s: sum(_bits(c) for c in (s.values, s.gaps) if c is not None))

    def layer(self, values: Code | None, gaps: Code | None, tables: set[bytes]) -> CodedLayer | None:
        """The layer with these codes, `tables` being those that are there already."""
        if values is None or (self.symbols.gaps is not None and gaps is None):
            return None
        codes = Codes(values, gaps, self.symbols.escape)
        coded = Coded(
            "weights", codes.encode(self.data), _table(values), None if gaps is None else _table(gaps), codes.escape
        )
        new = {code.table.tobytes() for code in (values, gaps) if code is not None} - tables
        tables |= new
        plain = _table_bytes(self.call)
        size = _table_bytes(_recoded(self.operation, coded)) + sum(map(len, new)) + len(coded.words)
        words = sum(int(c.sum()) for c in (self.symbols.values, self.symbols.gaps) if c is not None)
        return CodedLayer(self.operation.name, self.way, codes.form, coded, size, plain, words)


def _coded(candidates: Mapping[Key, _Candidate]) -> dict[Key, CodedLayer | None]:
    values = _codes([c.symbols.values for c in candidates.values()])
    gaps = _codes([c.symbols.gaps for c in candidates.values()])
    tables: set[bytes] = set()
    return {
        key: candidate.layer(value, gap, tables)
        for (key, candidate), value, gap in zip(candidates.items(), values, gaps, strict=True)
    }


def _codes(histograms: Sequence[Counts | None]) -> list[Code | None]:
    """Codes that are shared where that pays; `None` where there is nothing to code."""
    codes = iter(shared_codes([h for h in histograms if h is not None]))
    return [None if h is None else next(codes) for h in histograms]


def _recoded(operation: Operation, coded: Coded) -> KernelCall:
    return dense_coded(operation, coded)


def _table(code: Code) -> CodeTable:
    return CodeTable(code.table, code.shortest, code.longest)


def _table_bytes(call: KernelCall) -> int:
    return sum(a.data.nbytes for a in call.arguments if isinstance(a, Table))


def _bits(counts: Counts) -> int:
    code = Code.of(counts)
    return 1 << 60 if code is None else code.bits(counts) + 8 * len(code.table)
