from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from counting import ForeignCode, count_foreign, count_lichen, sample
from graphs import conv_module
from lichen.ir.interpret import Interpreter

BOARD = "mps2-an386"

# Four instructions a byte: load, store, count down, branch.
_COPY = """
#include "peer.h"
__attribute__((naked)) void peer_infer(const int8_t *input, const int8_t *last_input, int8_t *output)
{
    __asm volatile("movs r3, #100\\n"
                   "1: ldrb r1, [r0], #1\\n"
                   "strb r1, [r2], #1\\n"
                   "subs r3, #1\\n"
                   "bne 1b\\n"
                   "bx lr\\n");
}
"""

_NEGATE = """
#include "peer.h"
static uint8_t mask;
void peer_prepare(const int8_t *input) { (void)input; mask = 255; }
void peer_infer(const int8_t *input, const int8_t *last_input, int8_t *output)
{
    (void)last_input;
    for (int i = 0; i < 100; i++) output[i] = (int8_t)(input[i] ^ mask);
}
"""


@pytest.fixture(autouse=True)
def tools(needs: Callable[..., None]) -> None:
    """Everything here is built for a Cortex-M and counted in QEMU."""
    needs("arm-none-eabi-gcc", "qemu-system-arm", "cc")


def test_foreign_code_is_counted_between_the_marks(tmp_path: Path) -> None:
    """Exactly the instructions of the function, a few to call it, and no start-up, waiting or sending."""
    source = tmp_path / "copy.c"
    source.write_text(_COPY)
    counted = count_foreign(ForeignCode((source,), (), ("-O2",), 1, 100, 100), BOARD)
    assert 2 + 4 * 100 < counted.cost.instructions < 2 + 4 * 100 + 10
    assert np.array_equal(counted.output, ((np.arange(100) * 37 + 11) % 256 - 128).astype(np.int8))


def test_both_sides_get_the_same_input(tmp_path: Path) -> None:
    """What Lichen is counted with is what the foreign code finds, so outputs may be compared."""
    module = conv_module("one")
    inputs = sample(module)
    (expected,) = Interpreter(module).run(inputs)
    built, counted = count_lichen(module, BOARD)
    assert np.array_equal(counted.output, expected.ravel())
    assert built.macs > 0 and counted.cost.instructions > built.macs
    source = tmp_path / "copy.c"
    source.write_text(_COPY)
    copied = count_foreign(ForeignCode((source,), (), (), 1, inputs[0].size, 100), BOARD).output
    assert np.array_equal(copied, inputs[0].ravel()[:100])


@pytest.mark.parametrize("board", ["mps2-an386", "uno"])
def test_both_ways_count_on_every_emulator(board: str, tmp_path: Path, needs: Callable[..., None]) -> None:
    """A loop over all bytes costs more than so many instructions, on AVR cycles are emulated, and the output is that of the chip."""
    if board == "uno":
        needs("avr-gcc", "simavr")
    source = tmp_path / "negate.c"
    source.write_text(_NEGATE)
    counted = count_foreign(ForeignCode((source,), (), ("-O2",), 1, 100, 100), board)
    expected = 255 - (np.arange(100) * 37 + 11) % 256
    assert np.array_equal(counted.output.view(np.uint8) ^ 0x80, expected)
    assert 300 < counted.cost.instructions < 2000
    assert counted.cost.cycles is not None and counted.cost.cycles > counted.cost.instructions
    assert counted.cost.cycles_are == ("emulated" if board == "uno" else "modelled")
    _, lichen = count_lichen(conv_module("one"), board)
    assert lichen.cost.cycles_are == counted.cost.cycles_are
