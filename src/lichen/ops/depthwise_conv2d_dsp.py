"""How an int8 depthwise convolution is lowered for cores with DSP instructions: tiles, and weights in the order of the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lichen.ir.kernel import KernelCall, Operand, Result, Scratch, Table
from lichen.ir.module import Array, Operation
from lichen.ops.fixed_point import INT8_MAX, INT8_MIN
from lichen.ops.params import int16_params
from lichen.ops.requantise_dsp import ANY_RATIO, needs, ratios, scales_dsp
from lichen.ops.weights import bias_or_zero, channel_ratios, clamp_params, multiplier_tables
from lichen.ops.window import Window

_GROUP = 4  # channels that are gathered at once
_ROW = 16  # bytes that describe a row of a tile
_BEYOND = 8  # bytes behind the input that may be read
_MOST_SCRATCH = 1536  # bytes for the input of a tile
_LEAN_SCRATCH = (160, 256, 512)  # the same for each row of the kernel, where one row is computed at a time


@dataclass(frozen=True)
class Tile:
    """A tile of `rows` x `columns` outputs; `pitch` words hold a row of its input."""

    rows: int
    columns: int
    pitch: int


def serves(window: Window, channels: int) -> bool:
    """Whether the kernel computes a depthwise convolution of `channels` channels in and out."""
    return channels >= _GROUP and window.dilation == (1, 1) and window.stride[1] <= 2


@lru_cache(maxsize=512)
def tiles_of(window: Window) -> tuple[Tile, ...]:
    """The tiles to choose from, from the leanest to the fastest: of a single row, then of ever more rows."""
    tiles = [tile_of(window, 1, most * window.kernel[0]) for most in _LEAN_SCRATCH]
    rows = [max(1, window.out_h >> n) for n in range(window.out_h.bit_length(), -1, -1)]
    tiles += [tile_of(window, most, _MOST_SCRATCH) for most in rows]
    return tuple(dict.fromkeys(tiles))


def tile_of(window: Window, rows: int, most_scratch: int) -> Tile:
    """The best tile of at most `rows` rows with so much scratch for its input, or the smallest one."""
    smallest = min(4, window.out_w)
    tiles = [
        tile
        for columns in {*range(4, window.out_w, 4), window.out_w}
        for height in range(1, rows + 1)
        if scratch_bytes(window, tile := _tile(window, height, columns)) <= most_scratch
    ]
    return min(tiles, key=lambda tile: _cost(window, tile), default=_tile(window, 1, smallest))


def _tile(window: Window, rows: int, columns: int) -> Tile:
    return Tile(rows, columns, (columns + 1) // 2 * window.stride[1] + tap_words(window) - 1)


def tap_words(window: Window) -> int:
    """Words of weights that an output takes for a kernel row: with stride 1 outputs in odd columns begin in the middle of a word."""
    kernel_w = window.kernel[1]
    return kernel_w // 2 + 1 if window.stride[1] == 1 else (kernel_w + 1) // 2


def scratch_bytes(window: Window, tile: Tile) -> int:
    """Bytes for the input of a tile."""
    return 4 * _GROUP * tile.pitch * _input_rows(window, tile)


def _input_rows(window: Window, tile: Tile) -> int:
    return min((tile.rows - 1) * window.stride[0] + window.kernel[0], window.in_h)


def _cost(window: Window, tile: Tile) -> int:
    """Instructions a channel, about, of what is done once a tile: gathering, widening weights, and calls."""
    across, down = -(-window.out_w // tile.columns), -(-window.out_h // tile.rows)
    weights = 4 * window.kernel[0] * tap_words(window)
    return across * down * (_input_rows(window, tile) * (4 * tile.pitch + 4) + weights + 60 + 12 * tile.rows)


def depthwise_conv2d_dsp(
    operation: Operation,
    params: Mapping[str, int | float],
    views: tuple[Operand, Result],
    weights: Array,
    window: Window,
) -> KernelCall:
    """The call for `weights` (channels, kernel_h, kernel_w)."""
    source, result = operation.operands[0].type, operation.results[0].type
    channels = len(weights)
    mantissas, shifts = multiplier_tables(channel_ratios(operation, channels))
    clamp = clamp_params(operation)
    is_saturated = (clamp["low"], clamp["high"]) == (INT8_MIN, INT8_MAX)
    finish = ratios(mantissas, shifts, INT8_MIN, result.zero_point) if is_saturated else ANY_RATIO
    packed = pack(weights, tap_words(window))
    weight_words = packed.shape[1] if window.stride[1] == 1 else packed.shape[1] // 2
    members = {
        **params,
        **int16_params(operation, tap_words=tap_words(window), weight_words=weight_words),
    }
    requantisation = {"in_zero": source.zero_point, "out_zero": result.zero_point, **clamp, "finish": finish}
    ends = np.stack([bias_or_zero(operation, channels), *scales_dsp(mantissas, shifts, finish)], axis=1)
    tables = Table("weights", packed), Table("channels", ends.astype(np.int32))

    def call(tile: Tile, lean: KernelCall | None = None) -> KernelCall:
        sizes = int16_params(operation, tile_rows=tile.rows, tile_columns=tile.columns, tile_pitch=tile.pitch)
        scratch = Scratch(_ROW * tile.rows + 4 * weight_words + scratch_bytes(window, tile) + _BEYOND)
        accesses = window.band_accesses(source, result, tile.rows)
        arguments = *views, *tables, scratch
        return KernelCall(
            "depthwise_conv2d_s8_dsp",
            members | sizes | requantisation,
            arguments,
            window.out_h,
            accesses,
            lean,
            needs(finish),
        )

    leanest, *tiles = tiles_of(window)
    found = call(leanest)
    for tile in tiles:
        found = call(tile, found)
    return found


def pack(weights: Array, words: int) -> Array:
    """Weights (channels, kernel_h, kernel_w) as int8 bytes (channels, 2 * kernel_h * words, and what makes pairs of words).

    A kernel row becomes `words` words of two weights each. Four bytes are two words: their first weights, lowest first, are bytes 0 and 1,
    their second ones bytes 2 and 3.
    """
    channels, _, kernel_w = weights.shape
    padded = np.pad(weights, ((0, 0), (0, 0), (0, 2 * words - kernel_w)))
    flat = padded.reshape(channels, -1, 2)
    pairs = np.pad(flat, ((0, 0), (0, flat.shape[1] % 2), (0, 0))).reshape(channels, -1, 2, 2)
    return np.ascontiguousarray(pairs.transpose(0, 1, 3, 2)).reshape(channels, -1)
