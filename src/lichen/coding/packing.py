"""How kernels read their weights, and what has to be coded so that a decoder gives them that."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lichen.ir.kernel import Argument, Coded, Core, Decoded, KernelCall, Scratch, Table
from lichen.ir.module import Array

_ENDS = 6
"""Numbers beside the words of a pair of channels in the stream of `lichen_products_dsp.h`."""
_BYTES = (
    "conv2d_s8",
    "conv2d_s8_mve",
    "depthwise_conv2d_s8",
    "depthwise_conv2d_s8_dsp",
    "depthwise_3x3_s8_dsp",
    "depthwise_conv2d_s8_mve",
)


@dataclass(frozen=True)
class Packing:
    """The weights of a call. `data` are the int8 that are coded, in the order of decoding; `ends` what else the kernel's table has."""

    call: KernelCall
    data: Array
    table: Array
    ends: Table | None
    step: int
    """Output channels whose weights lie together; 0 where all of them have to be decoded at once."""

    decode_all: str
    """The C function that decodes them all, and `sizes`, its last arguments."""
    sizes: tuple[int, ...]
    header: str

    @property
    def channels(self) -> int:
        """Output channels."""
        return int(self.call.params["out_c"])

    def decoded_bytes(self, channels: int) -> int:
        """Bytes of so many decoded channels, a multiple of `step` or all."""
        if channels >= self.channels:
            return self.table.nbytes
        padded = -(-self.channels // self.step) * self.step if self.ends is not None else self.channels
        return self.table.nbytes * channels // padded

    def of_call(self, call: KernelCall) -> Packing:
        """The same weights, which another call reads as well."""
        params = {key: self.call.params[key] if key == "block" else value for key, value in call.params.items()}
        return replace(self, call=replace(call, params=params))

    def decoded_in_call(self, coded: Coded) -> KernelCall:
        """The call that decodes `coded`, some channels at a time, into scratch of its own."""
        arguments = [*self._with(coded), Scratch(self.decoded_bytes(coded.channels or self.channels))]
        name = f"{self.call.kernel}_coded"
        return replace(self.call, kernel=name, arguments=tuple(arguments), lean=None)

    def decoded_at_start(self, offset: int) -> KernelCall:
        """The call that finds its weights decoded in the instance."""
        weights = Decoded(offset, str(self.table.dtype))
        arguments = [weights if _is_weights(a) else a for a in self.call.arguments]
        return replace(self.call, arguments=tuple(arguments), lean=None)

    def _with(self, coded: Coded) -> list[Argument]:
        found: list[Argument] = []
        for argument in self.call.arguments:
            if not _is_weights(argument):
                found.append(argument)
            else:
                found += [coded] if self.ends is None else [coded, self.ends]
        return found


def packing_of(call: KernelCall, core: Core) -> Packing | None:
    """The weights of `call`, which was lowered for `core`; `None` where they cannot be coded."""
    table = next((a.data for a in call.arguments if isinstance(a, Table) and _is_weights(a)), None)
    if table is None:
        return None
    if call.kernel in _BYTES and core.has("avr"):
        # Its loops read weights from flash; those that read RAM go channel by channel.
        data = _rows(table, call).reshape(-1)
        one_by_one = replace(call, params={**call.params, "block": 1})
        step = 1 if call.kernel == "conv2d_s8" else 0
        return Packing(one_by_one, data, data, None, step, "lichen_decode_all", (data.size,), "lichen_decoder.h")
    if call.kernel in _BYTES:
        # The plain kernel alone computes some channels only: four at a time, or any number where they come one by one.
        step = int(call.params["block"]) if call.kernel == "conv2d_s8" else 0
        data = np.ascontiguousarray(table).reshape(-1)
        return Packing(call, data, table, None, step, "lichen_decode_all", (data.size,), "lichen_decoder.h")
    if call.kernel == "conv2d_s8_dsp":
        words = int(call.params["words"])
        pairs = table.reshape(-1, words + _ENDS)
        lanes = np.ascontiguousarray(pairs[:, 1 : 1 + words]).view("<i2").astype(np.int32)
        first = lanes.astype(np.int8)
        data = np.stack([first, (lanes - first >> 8).astype(np.int8)], axis=-1).reshape(-1)
        ends = Table("ends", np.ascontiguousarray(np.delete(pairs, np.s_[1 : 1 + words], axis=1)).reshape(-1))
        sizes = len(pairs), words
        return Packing(call, data, table, ends, 2, "lichen_decode_all_pairs_dsp", sizes, "lichen_decode_dsp.h")
    if call.kernel == "conv2d_s8_v6m":
        data = np.ascontiguousarray(table).reshape(-1).view(np.uint8) ^ np.tile(
            np.array([128, 128, 128, 0], np.uint8), table.size
        )
        return Packing(
            call, data.view(np.int8), table, None, 0, "lichen_decode_all_v6m", (table.size,), "lichen_decode_v6m.h"
        )
    return None


def _rows(table: Array, call: KernelCall) -> Array:
    """Weights (channels, taps) of which four channels are interleaved where `block` is 4 (`ops.weights.interleave`)."""
    rows = table.reshape(int(call.params["out_c"]), -1)
    blocked = len(rows) - len(rows) % 4 if call.params["block"] == 4 else 0
    blocks = rows[:blocked].reshape(blocked // 4, rows.shape[1], 4).swapaxes(1, 2).reshape(blocked, rows.shape[1])
    return np.concatenate([blocks, rows[blocked:]])


def _is_weights(argument: Argument) -> bool:
    return isinstance(argument, Table) and argument.role == "weights"
