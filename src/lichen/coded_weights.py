"""Which weights of a planned program are coded, and where each layer is decoded: the fastest way that the RAM allows.

How this works inside: coding first says which layers it makes smaller. With each of them decoded in as little memory as it can be, the arena
leaves some RAM, which goes to the layers that gain most by being decoded once, per byte. What is left of it makes the tiles of the others as
large as fits, for each tile reads the input anew. Layers that are computed row by row cannot be decoded in each call, so they are decoded
once, or plain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lichen.backend.program import Program, Step, StreamedStep, plan_module
from lichen.coding.cost import instructions_decoding, instructions_fused, instructions_multiplying
from lichen.coding.packing import Packing, packing_of
from lichen.coding.weights import (
    DECODER_BYTES,
    CodedLayer,
    CodedWeights,
    Key,
    Place,
    Way,
    code_weights,
    key_of,
    without_codes,
)
from lichen.errors import InputError
from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Operation
from lichen.ir.operator import operator
from lichen.ops.dense import batch_of
from lichen.plan.lower import problem_of
from lichen.plan.planner import sketch
from lichen.plan.rows import Region

WEIGHTS = ("plain", "coded")
"""How weights lie in flash: as kernels read them, or in Huffman codes where that is smaller."""

_TILES = (math.inf, 32768, 16384, 8192, 4096, 2048, 1024)
"""Most bytes of a decoded tile, to choose from."""


def require_form(weights: str) -> None:
    """Raises `InputError` for a word that is not one of `WEIGHTS`."""
    if weights not in WEIGHTS:
        raise InputError(f"--weights {weights} is not one of {', '.join(WEIGHTS)}")


def coded_program(
    plain: Program, core: Core, regions: Sequence[Region], ram: int, least_saving: int = DECODER_BYTES
) -> Program:
    """`plain`, which was planned for `core` with `regions`, with weights coded where that is smaller.

    Arena and weights decoded once take at most `ram` bytes if that is possible. Coding has to save more than `least_saving` bytes.
    """
    calls = [(operation, call) for _, operation, call in _calls(plain)]
    layers = codable_layers(plain, core)
    first = code_weights(calls, {key: layer.places(core)[0] for key, layer in layers.items()}, core, least_saving)
    layers = {key: layer for key, layer in layers.items() if key in first.layers}
    if not layers:
        return plain
    places = _Choice(plain, core, regions, ram, layers, first.layers).places()
    return plan_module(plain.module, core, regions, code_weights(calls, places, core, least_saving))


@dataclass(frozen=True)
class Layer:
    """A layer whose weights can be coded."""

    operation: Operation
    packing: Packing
    by_rows: bool
    """Whether it is called row by row somewhere."""

    @property
    def can_be_fused(self) -> bool:
        """Whether there is a kernel that decodes as it multiplies."""
        return self.operation.kind == "dense" and batch_of(self.operation) == 1 and not self.by_rows

    def places(self, core: Core) -> list[Place]:
        """Where it can be decoded, the way of the least memory first, but for tiles of a number of channels between.

        On AVR plain kernels read weights from flash only, so there none is decoded at the start.
        """
        start = [] if core.has("avr") else [Place(Way.START)]
        if self.by_rows:
            return start
        if self.can_be_fused:
            return [Place(Way.FUSED), *start]
        tiles = dict.fromkeys(self.channels(most) for most in (0, math.inf))
        return [*(Place(Way.TILE, channels) for channels in tiles), *start]

    def channels(self, most_bytes: float) -> int:
        """Output channels of a tile of at most so many bytes, or the fewest that can be."""
        count, step = self.packing.channels, self.packing.step
        if not step or self.packing.table.nbytes <= most_bytes:
            return count
        step = max(step, 4)  # of fewer the input is read too often
        fitting = [n for n in range(step, count, step) if self.packing.decoded_bytes(n) <= most_bytes]
        return max(fitting, default=min(step, count))


def codable_layers(program: Program, core: Core) -> dict[Key, Layer]:
    """The layers of a plain program whose weights can be coded."""
    found: dict[Key, Layer] = {}
    for step, operation, call in _calls(program):
        key, packing = key_of(operation, call), packing_of(call, core)
        if key is not None and packing is not None:
            by_rows = isinstance(step, StreamedStep) or (key in found and found[key].by_rows)
            found[key] = Layer(operation, packing, by_rows)
    return {key: layer for key, layer in found.items() if layer.places(core)}


def _calls(program: Program) -> Iterator[tuple[Step | StreamedStep, Operation, KernelCall]]:
    for planned in program.functions.values():
        for step in planned.steps:
            yield from ((step, *pair) for pair in zip(step.operations, step.calls, strict=True))


class _Choice:
    """Where each of `layers` is decoded; `coded` is each of them where it takes the least memory."""

    def __init__(
        self,
        plain: Program,
        core: Core,
        regions: Sequence[Region],
        ram: int,
        layers: Mapping[Key, Layer],
        coded: Mapping[Key, CodedLayer],
    ) -> None:
        self.plain, self.core, self.regions, self.ram = plain, core, regions, ram
        self.layers, self.coded = layers, coded

    def places(self) -> dict[Key, Place]:
        """The places of those that are coded."""
        leanest = {key: self._leanest(key) for key, layer in self.layers.items() if not layer.by_rows}
        while (arena := self._arena(leanest)) > self.ram:
            tiles = {key: self._arena({key: place}) for key, place in leanest.items() if place.way is Way.TILE}
            if not tiles:
                break
            del leanest[max(tiles, key=lambda key: (tiles[key], self.layers[key].packing.table.nbytes))]
        at_start = self._at_start(leanest, self.ram - arena)
        left = [key for key in leanest if key not in at_start]
        for tile in _TILES:
            places = self._with(left, at_start, tile)
            if self._arena(places) + self._bytes(at_start) <= self.ram:
                return places
        return self._with(left, at_start, 0) | {key: leanest[key] for key in left}

    def _leanest(self, key: Key) -> Place:
        """Where a layer takes the least memory. A tile of all channels has more scratch, but its result may overwrite its operand."""
        found = [place for place in self.layers[key].places(self.core) if place.way is not Way.START]
        return found[0] if len(found) == 1 else min(reversed(found), key=lambda place: self._arena({key: place}))

    def _with(self, left: Sequence[Key], at_start: Sequence[Key], tile: float) -> dict[Key, Place]:
        """Those `at_start` one after the other, the others in tiles of at most so many bytes."""
        offset, places = 0, dict[Key, Place]()
        for key, layer in self.layers.items():
            if key in at_start:
                places[key] = Place(Way.START, 0, offset)
                offset += _aligned(layer)
            elif key in left:
                places[key] = Place(Way.FUSED) if layer.can_be_fused else Place(Way.TILE, layer.channels(tile))
        return places

    def _at_start(self, left: Mapping[Key, Place], room: int) -> list[Key]:
        """Those that are decoded once, in `room` bytes: what saves most instructions a byte first."""
        if self.core.has("avr"):
            return []
        saved = {key: self._saved(key) / _aligned(layer) for key, layer in self.layers.items()}
        wanted = [key for key in self.layers if key in left or self.layers[key].by_rows]
        found = []
        for key in sorted(wanted, key=lambda key: -saved[key]):
            if saved[key] > 0 and _aligned(self.layers[key]) <= room:
                room -= _aligned(self.layers[key])
                found.append(key)
        return found

    def _saved(self, key: Key) -> int:
        """Instructions of an inference that decoding once saves."""
        layer, form, symbols = self.layers[key], self.coded[key].form, self.coded[key].symbols
        if not layer.can_be_fused:
            return instructions_decoding(symbols, form, self.core)
        macs = operator(layer.operation.kind).macs(layer.operation)
        return instructions_fused(symbols, form, self.core) - instructions_multiplying(macs, self.core)

    def _bytes(self, at_start: Sequence[Key]) -> int:
        return sum(_aligned(self.layers[key]) for key in at_start)

    def _arena(self, places: Mapping[Key, Place]) -> int:
        """The peak of the functions' plans, before anything is searched exactly."""
        packings = {key: self.layers[key].packing for key in places}
        recode = CodedWeights(without_codes(packings, places)).recode
        peak = 1
        for planned in self.plain.functions.values():
            regions = [r for r in self.regions if r.operations[0] in planned.function.operations]
            peak = max(peak, sketch(problem_of(planned.function, self.core, regions, recode=recode)[0]).peak)
        return peak


def _aligned(layer: Layer) -> int:
    """Bytes of the decoded layer, up to where the next one may begin."""
    return -(-layer.packing.table.nbytes // 4) * 4
