"""Moving bytes by words, on the emulated Cortex-M4: what memmove does, for every length, distance and direction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lichen.backend.emit import KERNELS
from lichen.device import Session
from lichen.targets.board import load_board
from lichen.targets.build import Source, build_image
from lichen.targets.machine import machine_of
from lichen.targets.qemu import Qemu

BATCH, BYTES = 200, 96

MODEL = f"""
enum {{ BATCH = {BATCH}, BYTES = {BYTES} }};
"""
MODEL += """
#include <stddef.h>
#include "lichen_move.h"
#define MODEL_NAME "move"
#define MODEL_DIGEST UINT64_C(0)
#define MODEL_INPUTS 1
#define MODEL_OUTPUTS 1
#define MODEL_ARENA_BYTES sizeof(model_t)
typedef struct { uint8_t to, from, n; int8_t bytes[BYTES]; } given;
typedef struct { given in[BATCH]; } model_t;
static inline void model_init(model_t *self) { (void)self; }
static inline void *model_input(model_t *self, unsigned index) { (void)index; return self->in; }
static inline const void *model_output(const model_t *self, unsigned index) { (void)index; return self->in; }
static inline size_t model_input_bytes(unsigned index) { (void)index; return sizeof(given[BATCH]); }
static inline size_t model_output_bytes(unsigned index) { (void)index; return sizeof(given[BATCH]); }
static void model_infer(model_t *self)
{
    for (int i = 0; i < BATCH; i++) {
        given *g = &self->in[i];
        lichen_move(g->bytes + g->to, g->bytes + g->from, g->n, 0);
    }
}
"""


def test_it_does_what_memmove_does(needs: Callable[..., None]) -> None:
    """Up and down, with and without overlap, and no byte beside the target changes."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    board, runtime = load_board("mps2-an386"), KERNELS.parent / "runtime"
    image = build_image([Source(runtime / "main.c")], board, [runtime, KERNELS], {"model.h": MODEL})
    rng = np.random.default_rng(0)
    cases = [(to, to + by, n) for n in range(40) for by in (-25, -9, -8, -3, -1, 0, 1, 2, 8, 11) for to in (25, 26)]
    given = np.zeros(len(cases), [("where", "u1", 3), ("bytes", "i1", BYTES)])
    given["where"], given["bytes"] = cases, rng.integers(-128, 128, given["bytes"].shape)
    expected = given.copy()
    for one, before in zip(expected, given, strict=True):
        to, source, n = map(int, one["where"])
        one["bytes"][to : to + n] = before["bytes"][source : source + n]
    with Session(Qemu(machine_of(board), image.elf)) as session:
        for begin in range(0, len(cases), BATCH):
            batch = slice(begin, begin + BATCH)
            (got,) = session.infer([given[batch].view(np.uint8).ravel()])
            np.testing.assert_array_equal(got, expected[batch].view(np.uint8).ravel())
