"""Dense layers whose sums are known, to test what becomes of a sum: all magnitudes, all shifts, and values that end in one half."""

from __future__ import annotations

import numpy as np

from graphs import int8
from lichen.ir.module import Array, Function, Module, Operation, Value, constant
from lichen.ir.types import DType, Quantisation, TensorType

FEW_INPUTS = [[np.full((1, 1), x, np.int8)] for x in (-128, 2, 3, 4, 127)]
"""With 3, the zero point, sums are the biases."""


def from_biases(biases: Array, ratios: Array, activation: str = "none") -> Module:
    """A dense layer of one input whose sums are hardly more than its biases, each with its own ratio of scales."""
    channels, rng = len(biases), np.random.default_rng(4)
    x, y = Value("x", int8((1, 1), 0.25, 3)), Value("y", int8((1, channels), 0.5, -9))
    q = Quantisation(tuple((ratios * 2).astype(np.float32).astype(float)), (0,) * channels, 0)
    operands = [
        x,
        constant("w", rng.integers(-127, 128, (channels, 1)), TensorType((channels, 1), DType.INT8, q)),
        constant("b", biases, TensorType((channels,), DType.INT32)),
    ]
    dense = Operation("dense", operands, [y], {"activation": activation})
    return Module("scaled", {"infer": Function("infer", [x], [dense], [y])})


def every_shift(power_of_two: bool, activation: str) -> Module:
    """Sums from 1 to 2^23, of both signs, at shifts from 1 to 31; with ratios that are powers of two many end in one half."""
    rng = np.random.default_rng(power_of_two)
    shifts = np.tile(np.arange(1, 32), 10)
    ratios = 2.0**-shifts * (0.5 if power_of_two else rng.uniform(0.5, 1, len(shifts)))
    wanted = rng.uniform(-300, 300, len(shifts)) / ratios  # spread over int8 and beyond it
    spread = wanted if power_of_two else wanted * 2.0 ** rng.integers(-9, 9, len(shifts))
    biases = np.clip(spread, -(2**23 - 2**15), 2**23 - 2**15)
    biases[:8], ratios[:8] = 2**17 - np.arange(8), 0.25  # one of which 16 bits just do not hold
    return from_biases(biases.astype(np.int64), ratios, activation)
