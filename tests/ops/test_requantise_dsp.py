"""The DSP instructions and the requantisation made of them: NumPy, plain C on the host and the emulated Cortex-M4 give the same bits."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lichen.backend.emit import KERNELS
from lichen.device import Session
from lichen.ir.module import Array
from lichen.ops.fixed_point import INT32_MAX, INT32_MIN, multiply
from lichen.ops.requantise_dsp import ANY_RATIO, BELOW_HALF, CLAMPED_AT_ZERO, ratios, scales_dsp
from lichen.targets.board import load_board
from lichen.targets.build import Source, build_image
from lichen.targets.machine import machine_of
from lichen.targets.qemu import Qemu
from native_check import SANITIZERS, WARNINGS

BATCH, RESULTS = 250, 25
ZERO = -17

COMPUTE = f"""
enum {{ BATCH = {BATCH}, RESULTS = {RESULTS}, ZERO = {ZERO} }};
"""

COMPUTE += """
#include <stddef.h>
#include "lichen_requantise_dsp.h"
typedef struct { int32_t x, multiplier, shift, y; int8_t ratios, low, high, unused; } given;
static void compute(const given *g, int32_t *r)
{
    const uint32_t x = (uint32_t)g->x, y = (uint32_t)g->y;
    const lichen_scale_dsp scale = {g->multiplier, g->shift};
    const int32_t q = lichen_requantise_dsp(scale, g->x, ZERO, g->ratios);
    r[0] = q;
    r[1] = lichen_narrow_dsp(q, g->low, g->high);
    r[2] = (int32_t)lichen_sxtb16(x);
    r[3] = (int32_t)lichen_sxtb16_odd(x);
    r[4] = (int32_t)lichen_pack_low(x, y);
    r[5] = (int32_t)lichen_pack_high(x, y);
    r[6] = lichen_smlad(x, y, g->multiplier);
    r[7] = lichen_smmlar(g->x, g->multiplier, g->y);
    r[8] = lichen_smmlsr(g->x, g->multiplier, g->y);
    r[9] = lichen_ssat8(g->x);
    r[10] = lichen_low_lane(x);
    r[11] = lichen_high_lane(x);
    r[12] = (int32_t)lichen_upper_even(x, 0xff00ff00u);
    r[13] = lichen_smlawb(g->multiplier, x, g->y);
    r[14] = lichen_smlawt(g->multiplier, x, g->y);
    r[15] = lichen_smulbb(x, y);
    r[16] = lichen_smultt(x, y);
    r[17] = (int32_t)lichen_sxtab16(x, y);
    r[18] = (int32_t)lichen_sxtab16_odd(x, y);
    r[19] = lichen_usada8(x, g->y);
    r[20] = lichen_ssat8_20(g->x);
    r[21] = (int32_t)lichen_insert_second(x, y);
    r[22] = (int32_t)lichen_larger_s8(x, y);
    r[23] = (int32_t)lichen_smaller_s8(x, y);
    r[24] = lichen_smmulr(g->x, g->multiplier);
}
"""

NATIVE = (
    COMPUTE
    + """
#include <stdio.h>
int main(void)
{
    given g;
    int32_t r[RESULTS];
    while (fread(&g, sizeof g, 1, stdin) == 1) {
        compute(&g, r);
        fwrite(r, sizeof r, 1, stdout);
    }
    return 0;
}
"""
)

MODEL = (
    COMPUTE
    + """
#define MODEL_NAME "dsp"
#define MODEL_DIGEST UINT64_C(0)
#define MODEL_INPUTS 1
#define MODEL_OUTPUTS 1
#define MODEL_ARENA_BYTES sizeof(model_t)
typedef struct { given in[BATCH]; int32_t out[BATCH][RESULTS]; } model_t;
static inline void model_init(model_t *self) { (void)self; }
static inline void *model_input(model_t *self, unsigned index) { (void)index; return self->in; }
static inline const void *model_output(const model_t *self, unsigned index) { (void)index; return self->out; }
static inline size_t model_input_bytes(unsigned index) { (void)index; return sizeof(given[BATCH]); }
static inline size_t model_output_bytes(unsigned index) { (void)index; return sizeof(int32_t[BATCH][RESULTS]); }
static void model_infer(model_t *self)
{
    for (int i = 0; i < BATCH; i++) compute(&self->in[i], self->out[i]);
}
"""
)


def cases(count: int) -> tuple[Array, Array, Array]:
    """What C is given, and the mantissas and shifts it stands for: each kind of `ratios`, random and extreme sums and multipliers."""
    rng = np.random.default_rng(7)
    kinds = rng.integers(0, 3, count).astype(np.int8)
    x = rng.integers(INT32_MIN, INT32_MAX, count) >> rng.integers(0, 31, count)
    x[::11] = rng.choice([INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX], len(x[::11]))
    mantissa = rng.integers(2**30, 2**31, count)
    mantissa[::7] = rng.choice([2**30, INT32_MAX], len(mantissa[::7]))
    shift = np.where(kinds == ANY_RATIO, rng.integers(-31, 31, count), rng.integers(-31, 0, count))
    x >>= np.maximum(shift + 1, 0)  # so that nothing overflows, as with sums of a real layer
    mantissa[(kinds == ANY_RATIO) & (rng.random(count) < 0.2)] = 0
    low = np.where(kinds == CLAMPED_AT_ZERO, rng.integers(ZERO, 20, count), rng.integers(-128, 0, count))
    given = np.zeros(
        count,
        [
            *((n, "i4") for n in ("x", "multiplier", "shift", "y")),
            *((n, "i1") for n in ("ratios", "low", "high", "unused")),
        ],
    )
    for kind in (ANY_RATIO, BELOW_HALF, CLAMPED_AT_ZERO):
        chosen = kinds == kind
        given["multiplier"][chosen], given["shift"][chosen] = scales_dsp(mantissa[chosen], shift[chosen], kind)
    given["x"], given["ratios"] = x, kinds
    given["y"] = rng.integers(INT32_MIN, INT32_MAX, count)
    given["low"], given["high"] = low, rng.integers(20, 128, count)
    return given, mantissa, shift


def expected(given: Array, mantissa: Array, shift: Array) -> Array:
    """The results, from the definitions; a sum that is clamped at zero counts as it leaves the clamp."""
    x, y, m = (given[name].astype(np.int64) for name in ("x", "y", "multiplier"))
    q = ZERO + multiply(x, mantissa, shift)
    octets, lanes = (given["x"].copy().view(t).reshape(len(x), -1).astype(np.int64) for t in ("i1", "i2"))
    others, other = (given["y"].copy().view(t).reshape(len(x), -1).astype(np.int64) for t in ("i1", "i2"))

    def packed(low: Array, high: Array) -> Array:
        return (low & 0xFFFF) | high << 16

    def joined(four: Array) -> Array:
        return ((four & 0xFF) << np.array([0, 8, 16, 24])).sum(axis=1)

    columns = [
        q,
        np.clip(q, given["low"], given["high"]),
        packed(octets[:, 0], octets[:, 2]),
        packed(octets[:, 1], octets[:, 3]),
        packed(lanes[:, 0], other[:, 0]),
        packed(lanes[:, 1], other[:, 1]),
        m + (lanes * other).sum(axis=1),
        y + ((x * m + 2**31) >> 32),
        y + ((2**31 - x * m) >> 32),
        np.clip(x, -128, 127),
        lanes[:, 0],
        lanes[:, 1],
        packed(octets[:, 0] << 8, octets[:, 2] << 8),
        y + (m * lanes[:, 0] >> 16),
        y + (m * lanes[:, 1] >> 16),
        lanes[:, 0] * other[:, 0],
        lanes[:, 1] * other[:, 1],
        packed(lanes[:, 0] + others[:, 0], lanes[:, 1] + others[:, 2]),
        packed(lanes[:, 0] + others[:, 1], lanes[:, 1] + others[:, 3]),
        y + (octets & 0xFF).sum(axis=1),
        np.clip(x >> 20, -128, 127),
        (x & 0xFFFF00FF) | (y & 0xFF) << 8,
        joined(np.maximum(octets, others)),
        joined(np.minimum(octets, others)),
        (x * m + 2**31) >> 32,
    ]
    return np.stack(columns, axis=1).astype(np.int32)


def check(results: Array, given: Array, mantissa: Array, shift: Array) -> None:
    results, wanted = results.copy(), expected(given, mantissa, shift)
    clamped = given["ratios"] == CLAMPED_AT_ZERO
    np.maximum(results[:, 0], ZERO, out=results[:, 0], where=clamped)
    np.maximum(wanted[:, 0], ZERO, out=wanted[:, 0], where=clamped)
    np.testing.assert_array_equal(results, wanted)


def test_plain_c_equals_numpy(tmp_path: Path) -> None:
    """The equals of the instructions, under sanitizers."""
    (tmp_path / "check.c").write_text(NATIVE)
    build = ["gcc", "-O1", *WARNINGS, *SANITIZERS, f"-I{KERNELS}", "-o", "check", "check.c"]
    subprocess.run(build, cwd=tmp_path, check=True)
    given, mantissa, shift = cases(20000)
    done = subprocess.run([tmp_path / "check"], input=given.tobytes(), capture_output=True, check=True)
    check(np.frombuffer(done.stdout, np.int32).reshape(-1, RESULTS), given, mantissa, shift)


def test_instructions_equal_numpy(needs: Callable[..., None]) -> None:
    """The instructions themselves, on the emulated Cortex-M4."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    board, runtime = load_board("mps2-an386"), KERNELS.parent / "runtime"
    image = build_image([Source(runtime / "main.c")], board, [runtime, KERNELS], {"model.h": MODEL})
    given, mantissa, shift = cases(8 * BATCH)
    with Session(Qemu(machine_of(board), image.elf)) as session:
        batches = [session.infer([batch.view(np.uint8).ravel()])[0] for batch in given.reshape(-1, BATCH)]
    check(np.concatenate(batches).view(np.int32).reshape(-1, RESULTS), given, mantissa, shift)


@pytest.mark.parametrize(
    ("shifts", "low", "kind"),
    [([-1, -9], -128, BELOW_HALF), ([-1, -9], 3, CLAMPED_AT_ZERO), ([0, -9], 3, ANY_RATIO), ([-1, 4], -128, ANY_RATIO)],
)
def test_the_widest_ratio_decides(shifts: list[int], low: int, kind: int) -> None:
    """A shift that is not to the right takes the general way; a clamp at the zero point spares an instruction."""
    assert ratios(np.full(2, 2**30), np.array(shifts), low, zero_point=3) == kind


def test_a_ratio_of_zero_takes_the_general_way() -> None:
    """Its mantissa has no highest bit."""
    assert ratios(np.array([2**30, 0]), np.array([-3, 0]), -128, zero_point=0) == ANY_RATIO
