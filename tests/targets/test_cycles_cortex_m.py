from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lichen.errors import DeviceError
from lichen.targets.blocks import Block
from lichen.targets.core import PROCESSORS
from lichen.targets.cycles_cortex_m import CycleModel, cycle_table

Cycles = Callable[..., int]


@pytest.fixture
def cycles(assemble: Callable[..., tuple[Path, Block]]) -> Cycles:
    """`cycles(core, assembly, executions=…, taken=…)` of a block of instructions separated by semicolons."""

    def cycles_(core: str, assembly: str, executions: int = 1, taken: int = 0) -> int:
        elf, block = assemble(core, assembly, executions, taken)
        table = cycle_table(core)
        assert table is not None
        return CycleModel(table, elf).cycles(block)

    return cycles_


@pytest.mark.parametrize(
    ("assembly", "expected"),
    [
        # the examples of "Load/store timings" in the manual
        ("ldr r0, [r1]; ldr r1, [r2]", 3),
        ("ldr r0, [r1, r2]; str r0, [r3, #20]", 3),
        ("ldr r0, [r1, r2]; str r1, [r3, r2]", 3),
        ("ldr r0, [r1, r5]; ldr r1, [r2]; ldr r2, [r3, #4]", 4),
        ("str r0, [r1, #4]", 1),
        ("str r0, [r1, r2]", 2),
        ("str r0, [r1, #4]; ldr r2, [r3]", 1 + 2),  # nothing is pipelined behind a store
        ("ldr r0, [r1]; ldr r2, [r0]", 2 + 2),  # nor what needs the loaded address
        ("ldr r0, [r1], #4; ldr r2, [r1], #4", 3),  # an address that was stepped on is not loaded
        ("adds r1, #4; ldr r0, [r1]", 1 + 2 + 1),  # an address out of the ALU is late
        ("adds r1, #4; adds r2, #1; ldr r0, [r1]", 1 + 1 + 2),
        ("ldrb r0, [r1], #1; ldrb r2, [r3], #1; smlabb r4, r0, r2, r4", 2 + 1 + 1),
        # several words
        ("ldm r0!, {r1, r2, r3}", 1 + 3),
        ("stm r0!, {r1, r2}", 1 + 2),
        ("push {r4, r5, lr}", 1 + 3),
        ("ldrd r0, r1, [r2]", 1 + 2),
        ("ldr r3, [r4]; strd r0, r1, [r2]", 2 + 3),
        # arithmetic
        ("smull r0, r1, r2, r3; smlal r0, r1, r2, r3; mla r0, r1, r2, r3", 3),
        ("sdiv r0, r1, r2", 12),
        ("smlad r0, r1, r2, r3; ssat r0, #8, r0; uxtb r1, r0; rbit r2, r3", 4),
        # IT, folded onto a 16-bit instruction and not onto a 32-bit one
        ("cmp r0, #0; it ne; movne r0, #1", 2),
        ("mov.w r0, #1; it ne; movne r0, #1", 3),
        # the FPU
        ("vldr s0, [r0]; vldr d1, [r1]; vstr s0, [r2]", 2 + 3 + 2),
        ("vpush {d8, d9}", 1 + 4),
        ("vldmia r0!, {s0-s3}", 1 + 4),
        ("vmul.f32 s0, s1, s2; vadd.f32 s3, s4, s5", 1 + 1),
        ("vmul.f32 s0, s1, s2; vadd.f32 s3, s0, s5", 1 + 1 + 1),  # the result is consumed by what follows
        ("vfma.f32 s0, s1, s2; vdiv.f32 s3, s4, s5; vsqrt.f32 s6, s7", 3 + 14 + 14),
        ("vmov r0, r1, s0, s1; vmov s2, r3; vcvt.s32.f32 s4, s5", 2 + 2 + 1),
        ("vmov r0, s7; vmov s9, lr; vmov r2, r3, d4", 2 + 2 + 2),
        ("vmov s0, s1; vmov.f32 s2, #1.0; vmrs r4, fpscr", 1 + 1 + 1),
        # DSP instructions
        ("smlad r0, r1, r2, r0; smladx r0, r1, r2, r0; smlsd r0, r1, r2, r0; smuad r3, r4, r5; smuadx r3, r4, r5", 5),
        ("smlabb r0, r1, r2, r0; smlabt r0, r1, r2, r0; smlatb r0, r1, r2, r0; smlatt r0, r1, r2, r0", 4),
        ("smulbb r0, r1, r2; smultb r0, r1, r2; smulwb r0, r1, r2; smlawt r0, r1, r2, r0; smlald r0, r1, r2, r3", 5),
        ("smmul r0, r1, r2; smmulr r0, r1, r2; smmla r0, r1, r2, r3; smmlar r0, r1, r2, r3; smmlsr r0, r1, r2, r3", 5),
        ("sxtb16 r0, r1; sxtb16 r0, r1, ror #8; sxtab16 r0, r1, r2, ror #8; uxtb16 r0, r1; sxth r0, r1", 5),
        (
            "pkhbt r0, r1, r2, lsl #16; pkhtb r0, r1, r2, asr #16; ssat r0, #8, r1; usat r0, #8, r1, asr #3; ssat16 r0, #8, r1",
            5,
        ),
        (
            "qadd r0, r1, r2; qsub r0, r1, r2; qdadd r0, r1, r2; sadd16 r0, r1, r2; ssub16 r0, r1, r2; shadd16 r0, r1, r2",
            6,
        ),
        (
            "qadd16 r0, r1, r2; uqsub16 r0, r1, r2; sel r0, r1, r2; usada8 r0, r1, r2, r3; rev16 r0, r1; bfi r0, r1, #2, #3",
            6,
        ),
        # words and pairs, stepping their address
        ("ldrd r0, r1, [r2], #8; ldrd r4, r5, [r3, #-8]!", (1 + 2) * 2),
        ("strd r0, r1, [r2], #8; str r0, [r3], #4", 3 + 1),
        ("ldr r0, [r2], #4; ldrd r4, r5, [r3], #8", 2 + 3),  # pairs are not pipelined behind a load
        ("ldrd r4, r5, [r3], #8; ldr r0, [r2], #4", 3 + 2),  # nor in front of one
        ("ldm r0!, {r1-r8}; smlad r9, r1, r2, r9", 1 + 8 + 1),
        ("ldr r0, [r1], #4; smlad r2, r0, r3, r2", 2 + 1),  # what was loaded can be used at once
        ("ldr r0, [r1], #4; ldr r2, [r3], #4; smlad r4, r0, r2, r4; ldr r0, [r1], #4", 2 + 1 + 1 + 2),
    ],
)
def test_straight_code_on_a_cortex_m4(cycles: Cycles, assembly: str, expected: int) -> None:
    """Cycles computed by hand from the tables of the Cortex-M4's manual."""
    assert cycles("cortex-m4f", assembly) == expected
    assert cycles("cortex-m4f", assembly, executions=1000) == 1000 * expected


@pytest.mark.parametrize(
    ("assembly", "once", "taken"),
    [
        ("subs r0, #1; bne near", 1 + 1, 1),
        ("subs r0, #1; bne wide_across", 1 + 1, 2),  # the target is fetched in two words
        ("subs r0, #1; nop; cbz r1, near", 1 + 1 + 1, 1),
        ("it eq; bxeq lr", 1 + 1, 3),
        ("it eq; popeq {r4, pc}", 1 + 1, 2 + 3),
        ("b near", 1 + 1, 0),
        ("bl near", 1 + 1, 0),
        ("b.w wide_across", 1 + 2, 0),
        ("bx lr", 1 + 3, 0),
        ("blx r3", 1 + 3, 0),
        ("pop {r4, r5, pc}", 1 + 3 + 3, 0),
        ("ldr pc, [r0]", 2 + 3, 0),  # "at least five cycles"
        ("tbb [pc, r0]", 6, 0),  # "at least six cycles"
    ],
)
def test_branches_on_a_cortex_m4(cycles: Cycles, assembly: str, once: int, taken: int) -> None:
    """A conditional branch refills the pipeline as often as it was taken, any other every time."""
    assert cycles("cortex-m4f", assembly, executions=10) == 10 * once
    assert cycles("cortex-m4f", assembly, executions=10, taken=7) == 10 * once + 7 * taken


@pytest.mark.parametrize(
    ("core", "assembly", "expected"),
    [
        ("cortex-m3", "mla r0, r1, r2, r3; smull r0, r1, r2, r3; smlal r0, r1, r2, r3", 2 + 5 + 7),
        ("cortex-m3", "ldr r0, [r1]; ldr r2, [r3]", 3),
        ("cortex-m3", "ldm r0!, {r1-r4}; sdiv r0, r1, r2; ssat r0, #8, r1", 5 + 12 + 1),
        ("cortex-m0", "ldr r0, [r1]; ldr r2, [r3]; str r0, [r1]", 6),
        ("cortex-m0", "muls r0, r1, r0; adds r0, r1, r2", 2),
        ("cortex-m0", "bl near", 4),
        ("cortex-m0", "bx lr", 3),
        ("cortex-m0", "pop {r4, pc}", 4 + 2),
        ("cortex-m0", "dmb", 4),
        ("cortex-m0plus", "ldm r0!, {r1, r2, r3}; push {r4, lr}", 4 + 3),
        ("cortex-m0plus", "ldr r0, [r1]; str r0, [r2, r3]; ldrsb r0, [r1, r2]; strb r0, [r1]", 2 * 4),
        ("cortex-m0plus", "stm r0!, {r1-r4}; pop {r4, r5}; push {r4}", 5 + 3 + 2),
        ("cortex-m0plus", "muls r0, r1, r0; lsls r0, r1; sxtb r0, r1; rev r0, r1; adds r0, #1; mov r8, r0", 6),
        ("cortex-m0plus", "b near", 2),
        ("cortex-m0plus", "blx r3", 2),
        ("cortex-m0plus", "mrs r0, primask; isb", 3 + 3),
        ("cortex-m0plus", "bl near", 3),
        ("cortex-m0plus", "bx lr", 2),
        ("cortex-m0plus", "pop {r4, pc}", 3 + 2),
        ("cortex-m0plus", "dmb", 3),
    ],
)
def test_other_cores(cycles: Cycles, core: str, assembly: str, expected: int) -> None:
    """Cycles computed by hand from the tables of the other manuals."""
    assert cycles(core, assembly) == expected


@pytest.mark.parametrize(("core", "taken"), [("cortex-m0", 3), ("cortex-m0plus", 2)])
def test_conditional_branches_of_the_small_cores(cycles: Cycles, core: str, taken: int) -> None:
    """One cycle if not taken; three on the M0 and two on the M0+ if taken."""
    assert cycles(core, "beq near", executions=5) == 5
    assert cycles(core, "beq near", executions=5, taken=5) == 5 * taken


@given(runs=st.lists(st.integers(1, 6), min_size=1, max_size=6))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_n_loads_take_n_plus_one_cycles(cycles: Cycles, runs: list[int]) -> None:
    """Runs of independent loads between other instructions take one cycle each and one more together."""
    assembly = "; nop; ".join("; ".join(["ldr r0, [r1, #4]"] * loads) for loads in runs)
    assert cycles("cortex-m4f", assembly) == sum(loads + 1 for loads in runs) + len(runs) - 1


@pytest.mark.parametrize("core", ["cortex-m7f", "cortex-m33", "cortex-m55", "avr5"])
def test_cores_without_a_published_table_have_no_model(core: str) -> None:
    """No figure is better than a made-up one; the M7 has a bound instead."""
    assert cycle_table(core) is None


def test_every_other_core_has_a_model() -> None:
    """A Cortex-M added later must be decided on."""
    assert {core for core in PROCESSORS if cycle_table(core)} == {
        "cortex-m0",
        "cortex-m0plus",
        "cortex-m3",
        "cortex-m4f",
    }


def test_blocks_of_another_image_are_refused(assemble: Callable[..., tuple[Path, Block]]) -> None:
    """Addresses outside the image, or a wrong number of instructions, are an error and not a wrong figure."""
    table = cycle_table("cortex-m4f")
    assert table is not None
    elf, _ = assemble("cortex-m4f", "nop")
    model = CycleModel(table, elf)
    with pytest.raises(DeviceError, match="Code ran at 0x20000000"):
        model.cycles(Block(0x20000000, 4, 2, 1, 0))
    with pytest.raises(DeviceError, match="not the code that ran"):
        model.cycles(Block(0x1000, 4, 3, 1, 0))
