"""The weights of a program as they lie in flash: which are coded, in which form and with which codes, and where they are decoded.

Coding is lossless and a matter of lowering: a call that reads a table of weights becomes one that reads code words. Graph, digest and results
stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias

import numpy as np

from lichen.coding.cost import instructions_decoding, instructions_fused
from lichen.coding.huffman import Code, Counts
from lichen.coding.packing import Packing, packing_of
from lichen.coding.sharing import shared_codes
from lichen.coding.stream import Codes, Symbols
from lichen.ir.accesses import Accesses, whole
from lichen.ir.kernel import Coded, CodeTable, Core, Decoded, KernelCall, Table
from lichen.ir.module import Constant, Operation, State
from lichen.ops.dense import batch_of
from lichen.ops.dense_coded import dense_coded
from lichen.ops.weights import constant_operand

Key: TypeAlias = tuple[str, bytes]
"""What is computed, and the bytes of its table of weights: the frozen part of a model has the same in `infer` and in `learn`."""

DECODER_BYTES = 900
"""Code of the decoder and of the check of tables, which coding has to save at least."""
_LAYER_BYTES = 75
"""The same for each layer: what describes its code words, and a call."""


class Way(Enum):
    """Where the weights of a layer are decoded; the value is its name."""

    FUSED = "fused"
    """In the kernel's loop, weight by weight: no memory, and no product with a zero in the sparse form."""
    TILE = "tile"
    """In each call, some or all output channels at a time, into scratch."""
    START = "start"
    """By `init`, into the instance."""


@dataclass(frozen=True)
class Place:
    """Where a layer is decoded: some `channels` at a time, or at byte `offset` of the decoded weights of the instance."""

    way: Way
    channels: int = 0
    offset: int = 0


@dataclass(frozen=True, eq=False)
class CodedLayer:
    """One table of weights that is coded. `plain_bytes` are those of all tables of the plain call, `bytes` those of the coded one and of
    the codes that no layer before it has.
    """

    name: str
    """The operation, of several with the same weights the first."""
    place: Place
    form: str
    coded: Coded
    packing: Packing
    bytes: int
    plain_bytes: int
    symbols: int
    """Code words."""
    instructions: int
    """What decoding adds to an inference, modelled; in the fused kernel with its multiplications."""

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "name": self.name,
            "form": self.form,
            "decoded": self.place.way.value,
            "bytes": self.bytes,
            "plain_bytes": self.plain_bytes,
            "symbols": self.symbols,
            "instructions": self.instructions,
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
        key = key_of(operation, call)
        layer = None if key is None else self.layers.get(key)
        return call if layer is None else _recoded(operation, call, layer)

    def of(self, call: KernelCall) -> CodedLayer | None:
        """The layer whose coded weights a call decodes, or has decoded at the start; `None` for any other."""
        for argument in call.arguments:
            for layer in self.layers.values():
                if isinstance(argument, Coded) and layer.coded is argument:
                    return layer
                if isinstance(argument, Decoded) and layer.place == Place(Way.START, 0, argument.offset):
                    return layer
        return None

    @property
    def at_start(self) -> list[CodedLayer]:
        """The layers that `init` decodes."""
        return [layer for layer in self.layers.values() if layer.place.way is Way.START]

    @property
    def decoded_bytes(self) -> int:
        """Bytes of the instance that they take."""
        return max((layer.place.offset + layer.packing.table.nbytes for layer in self.at_start), default=0)


PLAIN_WEIGHTS = CodedWeights()
"""All weights lie in flash as their kernels read them."""


def key_of(operation: Operation, call: KernelCall) -> Key | None:
    """What stands for the weights of a call; `None` where it has none. Calls of one key are decoded in the same way: rows and strips of a layer,
    but not a convolution whose weights happen to be those of a fully connected layer.
    """
    tables = [a for a in call.arguments if isinstance(a, Table) and a.role == "weights"]
    kind = (operation.kind, batch_of(operation)) if operation.kind == "dense" else operation.kind
    what = kind, call.kernel, call.params.get("out_c"), call.params.get("block")
    return (repr(what), tables[0].data.tobytes()) if tables else None


def code_weights(
    calls: Iterable[tuple[Operation, KernelCall]],
    places: Mapping[Key, Place],
    core: Core,
    least_saving: int | None = DECODER_BYTES,
) -> CodedWeights:
    """The smallest form of the weights of each of `calls` that has a place, together; plain where that is smaller, and all plain where
    coding saves no more than `least_saving` bytes beside what its code takes for each layer. With `None` whatever can be coded is.
    """
    candidates: dict[Key, _Candidate] = {}
    for operation, call in calls:
        key = key_of(operation, call)
        packing = packing_of(call, core)
        if key is not None and packing is not None and key in places and key not in candidates:
            candidates[key] = _Candidate(operation, packing, places[key])
    while losers := _losers(candidates, codes := _best_codes(candidates), least_saving is None):
        for key in losers:
            del candidates[key]
    layers: dict[Key, CodedLayer] = {}
    tables: set[bytes] = set()
    for key, candidate in candidates.items():
        new = {table.tobytes() for table in codes[key].tables} - tables
        tables |= new
        layers[key] = candidate.layer(codes[key], candidate.own_bytes(codes[key]) + sum(map(len, new)), core)
    found = CodedWeights(layers)
    saved = found.saved - _LAYER_BYTES * len(layers)
    return found if least_saving is None or saved > least_saving else PLAIN_WEIGHTS


_NOTHING = Coded("weights", np.zeros(0, np.int8), CodeTable(np.zeros(0, np.int8), 1, 1))
"""Stands for weights that have no codes yet."""


def without_codes(packings: Mapping[Key, Packing], places: Mapping[Key, Place]) -> dict[Key, CodedLayer]:
    """Layers that are decoded at `places` but have no codes yet: to plan with."""
    return {
        key: CodedLayer("", place, "", replace(_NOTHING, channels=place.channels), packings[key], 0, 0, 0, 0)
        for key, place in places.items()
    }


class _Candidate:
    """A layer, and the form that is smallest for it alone."""

    def __init__(self, operation: Operation, packing: Packing, place: Place) -> None:
        self.operation, self.packing, self.place = operation, packing, place
        self.data = constant_operand(operation, 1) if place.way is Way.FUSED else packing.data
        forms = [Symbols.sparse(self.data), Symbols.dense(self.data)]
        self.symbols = min(forms, key=lambda s: sum(_bits(c) for c in (s.values, s.gaps) if c is not None))

    def own_bytes(self, codes: Codes) -> int:
        """Bytes in flash without the tables of codes."""
        bits = codes.values.bits(self.symbols.values)
        if codes.gaps is not None and self.symbols.gaps is not None:
            bits += codes.gaps.bits(self.symbols.gaps)
        if self.place.way is Way.FUSED:
            rest = _table_bytes(dense_coded(self.operation, _NOTHING))
        else:
            ends = self.packing.ends
            rest = self.plain_bytes - self.packing.table.nbytes + (0 if ends is None else ends.data.nbytes)
        return 2 * -(-bits // 16) + rest

    @property
    def plain_bytes(self) -> int:
        """Bytes in flash of all tables of the plain call."""
        return _table_bytes(self.packing.call)

    def layer(self, codes: Codes, size: int, core: Core) -> CodedLayer:
        """The layer, which takes `size` bytes, on `core`."""
        gaps = None if codes.gaps is None else _table(codes.gaps)
        words = codes.encode(self.data)
        coded = Coded("weights", words, _table(codes.values), gaps, codes.escape, self.place.channels)
        count = sum(int(c.sum()) for c in (self.symbols.values, self.symbols.gaps) if c is not None)
        cost = {
            Way.START: 0,
            Way.TILE: instructions_decoding(count, codes.form, core),
            Way.FUSED: instructions_fused(count, codes.form, core),
        }
        return CodedLayer(
            self.operation.name,
            self.place,
            codes.form,
            coded,
            self.packing,
            size,
            self.plain_bytes,
            count,
            cost[self.place.way],
        )


def _best_codes(candidates: Mapping[Key, _Candidate]) -> dict[Key, Codes]:
    """The codes of each candidate that has some, shared where that pays."""
    values = _codes([c.symbols.values for c in candidates.values()])
    gaps = _codes([c.symbols.gaps for c in candidates.values()])
    return {
        key: Codes(value, gap, candidate.symbols.escape)
        for (key, candidate), value, gap in zip(candidates.items(), values, gaps, strict=True)
        if value is not None and (gap is not None or candidate.symbols.gaps is None)
    }


def _losers(candidates: Mapping[Key, _Candidate], codes: Mapping[Key, Codes], whatever: bool) -> set[Key]:
    """The candidates that have no code or, unless `whatever` can be coded is, are smaller plain: by themselves, or together with all that
    share a code.
    """
    if whatever:
        return candidates.keys() - codes.keys()
    saved = {key: candidates[key].plain_bytes - candidates[key].own_bytes(codes[key]) - _LAYER_BYTES for key in codes}
    lost = {key for key in candidates if key not in saved or saved[key] <= 0}
    if lost:
        return lost
    groups: dict[bytes, list[Key]] = {}
    for key, found in codes.items():
        groups.setdefault(found.values.table.tobytes(), []).append(key)
    for members in groups.values():
        others = {table.tobytes() for key, found in codes.items() if key not in members for table in found.tables}
        own = {table.tobytes() for key in members for table in codes[key].tables} - others
        if sum(saved[key] for key in members) <= sum(map(len, own)):
            lost.update(members)
    return lost


def _codes(histograms: Sequence[Counts | None]) -> list[Code | None]:
    """Codes that are shared where that pays; `None` where there is nothing to code."""
    codes = iter(shared_codes([h for h in histograms if h is not None]))
    return [None if h is None else next(codes) for h in histograms]


def _recoded(operation: Operation, call: KernelCall, layer: CodedLayer) -> KernelCall:
    if layer.place.way is Way.FUSED:
        return dense_coded(operation, layer.coded)
    packing = layer.packing.of_call(call)
    if layer.place.way is Way.START:
        return packing.decoded_at_start(layer.place.offset)
    decoded = packing.decoded_in_call(layer.coded)
    if layer.place.channels >= packing.channels:
        return decoded
    return replace(decoded, accesses=_again_and_again(operation))


def _table(code: Code) -> CodeTable:
    return CodeTable(code.table, code.shortest, code.longest)


def _table_bytes(call: KernelCall) -> int:
    return sum(a.data.nbytes for a in call.arguments if isinstance(a, Table))


def _bits(counts: Counts) -> int:
    code = Code.of(counts)
    return 1 << 60 if code is None else code.bits(counts) + 8 * len(code.table)


def _again_and_again(operation: Operation) -> Accesses:
    """All of the operands is read, again and again, while results are written: of kernels that compute channel by channel."""
    held = {i: v.type.bytes for i, v in enumerate(operation.operands) if not isinstance(v, Constant | State)}
    return whole(held, {i: v.type.bytes for i, v in enumerate(operation.results)})
