"""The fixed-point arithmetic: NumPy against exact fractions, C against NumPy."""

from __future__ import annotations

import math
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.backend.emit import KERNELS
from lichen.device import Session
from lichen.errors import VerifyError
from lichen.ir.module import Array
from lichen.ops.fixed_point import (
    ACTIVATIONS,
    INT32_MAX,
    INT32_MIN,
    activation_range,
    multiply,
    quantize_multiplier,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)
from lichen.targets.board import load_board
from lichen.targets.build import Source, build_image
from lichen.targets.simavr import Simavr
from native_check import SANITIZERS, WARNINGS
from ops_oracle import i8

int32s = st.integers(INT32_MIN, INT32_MAX)
mantissas = st.one_of(st.integers(2**30, INT32_MAX), st.integers(0, INT32_MAX))


@given(int32s, mantissas)
def test_high_mul_rounds_halves_up(a: int, b: int) -> None:
    """`a * b / 2^31` to the nearest integer."""
    expected = math.floor(Fraction(a * b, 2**31) + Fraction(1, 2))
    assert saturating_rounding_doubling_high_mul(a, b) == expected


def test_high_mul_saturates_at_its_only_overflow() -> None:
    """-2^31 times itself is the one product that does not fit."""
    assert saturating_rounding_doubling_high_mul(INT32_MIN, INT32_MIN) == INT32_MAX


@given(int32s, st.integers(0, 31))
def test_division_rounds_halves_away_from_zero(x: int, exponent: int) -> None:
    """`x / 2^exponent` to the nearest integer."""
    magnitude = math.floor(Fraction(abs(x), 2**exponent) + Fraction(1, 2))
    assert rounding_divide_by_pot(x, exponent) == (magnitude if x >= 0 else -magnitude)


@given(st.floats(2.0**-31, 2.0**29))
def test_multipliers_are_near_the_real_number(real: float) -> None:
    """A 31-bit mantissa with its highest bit set, off by at most half a unit of it."""
    multiplier = quantize_multiplier(real)
    assert 2**30 <= multiplier.mantissa <= INT32_MAX
    assert abs(Fraction(multiplier.mantissa) * Fraction(2) ** (multiplier.shift - 31) / Fraction(real) - 1) <= 2.0**-30


@pytest.mark.parametrize("real", [math.inf, math.nan, 2.0**31])
def test_ratios_beyond_reach_are_refused(real: float) -> None:
    """Scales of a damaged file end in a sentence."""
    with pytest.raises(VerifyError, match="ratio of scales"):
        quantize_multiplier(real)


def test_ratios_too_small_to_matter_become_zero() -> None:
    """Below 2^-32 nothing is left of a 32-bit sum; a mantissa that rounds up to 2^31 moves into the shift."""
    assert quantize_multiplier(2.0**-40).mantissa == 0
    assert quantize_multiplier(0.0).mantissa == 0
    assert quantize_multiplier(1.0 - 2.0**-40) == quantize_multiplier(1.0)


def test_activations_clamp_to_stored_values() -> None:
    """Limits are quantised; infinite ones are those of int8."""
    assert {a: activation_range(a, i8(1, scale=0.1, zero=-100)) for a in ACTIVATIONS} == {
        "none": (-128, 127),
        "relu": (-100, 127),
        "relu6": (-100, -40),
        "relu_n1_to_1": (-110, -90),
    }


NATIVE = """
#include <stdio.h>
#include "lichen_fixed_point.h"
int main(void)
{
    int32_t row[3];
    while (fread(row, sizeof row, 1, stdin) == 1) {
        const int32_t results[] = {
            lichen_high_mul_wide(row[0], row[1]), lichen_high_mul_halves(row[0], row[1]),
            lichen_divide_by_pot(row[0], row[2] < 0 ? -row[2] : 0), lichen_requantise(row[0], row[1], row[2]),
        };
        fwrite(results, sizeof results, 1, stdout);
    }
    return 0;
}
"""


def rows(count: int) -> Array:
    """Factors, mantissas and shifts (n, 3), random and extreme; some of the sums are small."""
    rng = np.random.default_rng(3)
    extremes = np.array(
        [INT32_MIN, INT32_MIN + 1, -65537, -65536, -32768, -1, 0, 1, 32767, 32768, 65535, 65536, INT32_MAX]
    )
    x = np.concatenate(
        [rng.integers(INT32_MIN, INT32_MAX, count), np.repeat(extremes, 8), rng.integers(-999, 999, count // 4)]
    )
    mantissa = rng.integers(2**30, INT32_MAX, len(x))
    mantissa[::7] = rng.choice([0, 1, 2**15, 2**16 - 1, 2**16, 2**30, INT32_MAX], len(mantissa[::7]))
    return np.stack([x, mantissa, rng.integers(-31, 31, len(x))], axis=1).astype(np.int32)


def test_c_equals_numpy(tmp_path: Path) -> None:
    """Random and extreme numbers; the multiplication for small cores gives the bits of the wide one."""
    (tmp_path / "check.c").write_text(NATIVE)
    build = ["gcc", "-O1", *WARNINGS, *SANITIZERS, f"-I{KERNELS}", "-o", "check", "check.c"]
    subprocess.run(build, cwd=tmp_path, check=True)
    given = rows(20000)
    done = subprocess.run([tmp_path / "check"], input=given.tobytes(), capture_output=True, check=True)
    wide, halves, divided, requantised = np.frombuffer(done.stdout, np.int32).reshape(-1, 4).T
    x, mantissa, shift = given.T
    high = saturating_rounding_doubling_high_mul(x, mantissa)
    np.testing.assert_array_equal(wide, high)
    np.testing.assert_array_equal(halves, high)
    np.testing.assert_array_equal(divided, rounding_divide_by_pot(x, np.maximum(-shift, 0)))
    np.testing.assert_array_equal(requantised, multiply(x, mantissa, shift))


BATCH = 40
AVR = f"""
#include <stddef.h>
#include "lichen_fixed_point.h"
#define MODEL_NAME "fixed"
#define MODEL_DIGEST UINT64_C(0)
#define MODEL_INPUTS 1
#define MODEL_OUTPUTS 1
#define MODEL_ARENA_BYTES sizeof(model_t)
typedef struct {{ int32_t rows[{BATCH}][3]; }} model_t;
static inline void model_init(model_t *self) {{ (void)self; }}
static inline void *model_input(model_t *self, unsigned index) {{ (void)index; return self->rows; }}
static inline const void *model_output(const model_t *self, unsigned index) {{ (void)index; return self->rows; }}
static inline size_t model_input_bytes(unsigned index) {{ (void)index; return sizeof(model_t); }}
static inline size_t model_output_bytes(unsigned index) {{ (void)index; return sizeof(model_t); }}
static void model_infer(model_t *self)
{{
    for (int i = 0; i < {BATCH}; i++) {{
        int32_t *const row = self->rows[i];
        const int32_t high = lichen_high_mul(row[0], row[1]);
        const int32_t divided = lichen_divide_by_pot(row[0], row[2] < 0 ? -(int)row[2] : 0);
        row[2] = lichen_requantise(row[0], row[1], (int)row[2]);
        row[0] = high;
        row[1] = divided;
    }}
}}
"""


@pytest.mark.skipif(shutil.which("avr-gcc") is None, reason="avr-gcc is not installed: apt install gcc-avr avr-libc")
def test_avr_equals_numpy() -> None:
    """The same on the emulated ATmega328P, whose multiplication is written in assembly."""
    runtime = KERNELS.parent / "runtime"
    image = build_image([Source(runtime / "main.c")], load_board("uno"), [runtime, KERNELS], {"model.h": AVR})
    given = rows(1200)
    given = given[: len(given) // BATCH * BATCH]
    with Session(Simavr(image.elf)) as session:
        batches = [session.infer([batch.view(np.uint8).ravel()])[0] for batch in given.reshape(-1, BATCH, 3)]
    high, divided, requantised = np.concatenate(batches).view(np.int32).reshape(-1, 3).T
    x, mantissa, shift = given.T
    np.testing.assert_array_equal(high, saturating_rounding_doubling_high_mul(x, mantissa))
    np.testing.assert_array_equal(divided, rounding_divide_by_pot(x, np.maximum(-shift, 0)))
    np.testing.assert_array_equal(requantised, multiply(x, mantissa, shift))
