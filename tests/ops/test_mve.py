"""Loops of Helium and the requantisation made of it: NumPy, plain C on the host and the emulated Cortex-M55 give the same bits."""

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
from lichen.targets.board import load_board
from lichen.targets.build import Source, build_image
from lichen.targets.machine import machine_of
from lichen.targets.qemu import Qemu
from native_check import SANITIZERS, WARNINGS

pytestmark = pytest.mark.long

BATCH, MOST, BLOCKS, UNTOUCHED = 100, 40, 3, -99
GIVEN = np.dtype(
    [
        ("sums", "i4", 4),
        ("mantissas", "i4", 4),
        ("shifts", "i4", 4),
        ("n", "i4"),
        ("count", "i4"),
        ("zero", "i4"),
        ("low", "i4"),
        ("high", "i4"),
        ("weights", "i1", (BLOCKS, 4, 16)),
        ("x", "i1", 48),
    ]
)
RESULT = np.dtype(
    [("dots", "i4", 4), ("moved", "i4"), ("finished", "i1", 4), ("copied", "i1", 48), ("filled", "i1", 48)]
)

COMPUTE = f"""
enum {{ BATCH = {BATCH}, UNTOUCHED = {UNTOUCHED} }};
"""
COMPUTE += """
#include <stddef.h>
#include "lichen_mve.h"
typedef struct {
    int32_t sums[4], mantissas[4], shifts[4], n, count, zero, low, high;
    int8_t weights[192], x[48];
} given;
typedef struct { int32_t dots[4], moved; int8_t finished[4], copied[48], filled[48]; } result;
static void compute(const given *g, result *r)
{
    const lichen_scales_mve scales = {g->mantissas, g->shifts};
    const int8_t *weights = g->weights;
    const lichen_four_mve dots = lichen_dot4_mve(g->sums, g->x, &weights, (int)g->n);
    const lichen_four_mve sums = lichen_dot4_mve(g->sums, g->x, &weights, 0);
    int any_left = 0;
    for (int k = 0; k < 4; k++) any_left |= g->shifts[k] > 0;
    memset(r, UNTOUCHED, sizeof *r);
    memcpy(r->dots, &dots, sizeof dots);
    r->moved = (int32_t)(weights - g->weights);
    lichen_finish4_mve(sums, scales, r->finished, (int)g->count, (int)g->zero, (int)g->low, (int)g->high, any_left);
    lichen_copy_mve(r->copied, g->x, (int)g->n);
    lichen_fill_mve(r->filled, (int)g->zero, (int)g->n);
}
"""

NATIVE = (
    COMPUTE
    + """
#include <stdio.h>
int main(void)
{
    given g;
    result r;
    while (fread(&g, sizeof g, 1, stdin) == 1) {
        compute(&g, &r);
        fwrite(&r, sizeof r, 1, stdout);
    }
    return 0;
}
"""
)

MODEL = (
    COMPUTE
    + """
#define MODEL_NAME "mve"
#define MODEL_DIGEST UINT64_C(0)
#define MODEL_INPUTS 1
#define MODEL_OUTPUTS 1
#define MODEL_ARENA_BYTES sizeof(model_t)
typedef struct { given in[BATCH]; result out[BATCH]; } model_t;
static inline void model_init(model_t *self) { (void)self; }
static inline void *model_input(model_t *self, unsigned index) { (void)index; return self->in; }
static inline const void *model_output(const model_t *self, unsigned index) { (void)index; return self->out; }
static inline size_t model_input_bytes(unsigned index) { (void)index; return sizeof(given[BATCH]); }
static inline size_t model_output_bytes(unsigned index) { (void)index; return sizeof(result[BATCH]); }
static void model_infer(model_t *self)
{
    for (int i = 0; i < BATCH; i++) compute(&self->in[i], &self->out[i]);
}
"""
)


def cases(count: int) -> Array:
    """Random and extreme sums, multipliers and vectors; sums so small that no shift to the left overflows, as in a real layer."""
    rng = np.random.default_rng(8)
    given = np.zeros(count, GIVEN)
    shape = (count, 4)
    shifts = rng.integers(-31, 1, shape)
    shifts[::5] = rng.integers(-31, 31, shifts[::5].shape)
    sums = rng.integers(INT32_MIN, INT32_MAX, shape) >> rng.integers(0, 31, shape)
    sums[::11] = rng.choice([INT32_MIN, INT32_MIN + 1, -3, -2, -1, 0, 1, 2, INT32_MAX], sums[::11].shape)
    mantissas = rng.integers(2**30, 2**31, shape)
    mantissas[::7] = rng.choice([0, 2**30, INT32_MAX], mantissas[::7].shape)
    given["sums"], given["mantissas"], given["shifts"] = sums >> np.maximum(shifts + 1, 0), mantissas, shifts
    given["n"], given["count"] = rng.integers(1, MOST + 1, count), rng.integers(1, 9, count)
    given["zero"], given["low"] = rng.integers(-128, 128, count), rng.integers(-128, 0, count)
    given["high"] = rng.integers(1, 128, count)
    given["weights"], given["x"] = (rng.integers(-128, 128, given[name].shape) for name in ("weights", "x"))
    return given


def expected(given: Array) -> Array:
    """The results, from the definitions."""
    wanted = np.zeros(len(given), RESULT)
    place = np.arange(48)
    inside = place < given["n"][:, None]
    x = np.where(inside, given["x"], 0).astype(np.int64)
    rows = given["weights"].swapaxes(2, 3).reshape(len(given), 48, 4).astype(np.int64)
    wanted["dots"] = (given["sums"] + (x[:, :, None] * rows).sum(axis=1)).astype(np.int32)
    wanted["moved"] = -(-given["n"] // 16) * 64
    q = multiply(given["sums"], given["mantissas"], given["shifts"]) + given["zero"][:, None]
    limited = np.clip(q, given["low"][:, None], given["high"][:, None])
    wanted["finished"] = np.where(np.arange(4) < given["count"][:, None], limited, UNTOUCHED)
    wanted["copied"] = np.where(inside, given["x"], UNTOUCHED)
    wanted["filled"] = np.where(inside, given["zero"][:, None], UNTOUCHED)
    return wanted


def check(raw: bytes, given: Array) -> None:
    got, wanted = np.frombuffer(raw, RESULT), expected(given)
    for name in RESULT.names or ():
        np.testing.assert_array_equal(got[name], wanted[name], err_msg=name)


def test_plain_c_equals_numpy(tmp_path: Path) -> None:
    """The equals of the loops, under sanitizers."""
    (tmp_path / "check.c").write_text(NATIVE)
    build = ["gcc", "-O1", *WARNINGS, *SANITIZERS, f"-I{KERNELS}", "-o", "check", "check.c"]
    subprocess.run(build, cwd=tmp_path, check=True)
    given = cases(10000)
    given["sums"] >>= 1  # plain C may not overflow in a sum of products
    done = subprocess.run([tmp_path / "check"], input=given.tobytes(), capture_output=True, check=True)
    check(done.stdout, given)


def test_vectors_equal_numpy(needs: Callable[..., None]) -> None:
    """The instructions themselves, on the emulated Cortex-M55."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    board, runtime = load_board("mps3-an547"), KERNELS.parent / "runtime"
    image = build_image([Source(runtime / "main.c")], board, [runtime, KERNELS], {"model.h": MODEL})
    given = cases(20 * BATCH)
    with Session(Qemu(machine_of(board), image.elf)) as session:
        batches = [session.infer([batch.view(np.uint8).ravel()])[0] for batch in given.reshape(-1, BATCH)]
    check(np.concatenate(batches).tobytes(), given)
