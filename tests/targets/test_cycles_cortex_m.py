from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lichen.errors import DeviceError
from lichen.targets.blocks import Block
from lichen.targets.core import PROCESSORS
from lichen.targets.cycles_cortex_m import CycleModel, cycle_table
from lichen.targets.toolchain import find_compiler

Cycles = Callable[..., int]

_SOURCE = """
    .syntax unified
    .thumb
    .text
    .global first, behind
    nop
first:
{assembly}
behind:
    nop             @ or CBZ would have nowhere to go
    .balign 4
near:
    nop
wide_across:        @ 32 bits across a word boundary
    dmb
"""


@pytest.fixture
def cycles(tmp_path: Path, needs: Callable[..., None]) -> Cycles:
    """`cycles(core, assembly, executions=…, taken=…)` of a block of instructions separated by semicolons."""
    needs("arm-none-eabi-gcc")

    def cycles_(core: str, assembly: str, executions: int = 1, taken: int = 0) -> int:
        processor, source, elf = PROCESSORS[core], tmp_path / "block.S", tmp_path / "block.elf"
        source.write_text(_SOURCE.format(assembly=assembly))
        options = ["-nostdlib", "-Wl,-Ttext=0x1000,-e,first", str(source), "-o", str(elf)]
        find_compiler("arm-none-eabi-gcc").require([*processor.flags, *options], tmp_path)
        with elf.open("rb") as file:
            symbols = ELFFile(file).get_section_by_name(".symtab")
            first, behind = (symbols.get_symbol_by_name(name)[0]["st_value"] & ~1 for name in ("first", "behind"))
        table = cycle_table(core)
        assert table is not None
        count = len([line for line in assembly.replace(";", "\n").splitlines() if line.strip()])
        return CycleModel(table, elf).cycles(Block(first, behind - first, count, executions, taken))

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
        ("vmov r0, r1, s0, s1; vmov s2, r3; vcvt.s32.f32 s4, s5", 2 + 1 + 1),
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
        ("cortex-m0", "ldr r0, [r1]; ldr r2, [r3]; str r0, [r1]", 6),
        ("cortex-m0", "muls r0, r1, r0; adds r0, r1, r2", 2),
        ("cortex-m0", "bl near", 4),
        ("cortex-m0", "bx lr", 3),
        ("cortex-m0", "pop {r4, pc}", 4 + 2),
        ("cortex-m0", "dmb", 4),
        ("cortex-m0plus", "ldm r0!, {r1, r2, r3}; push {r4, lr}", 4 + 3),
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
    """No figure is better than a made-up one."""
    assert cycle_table(core) is None


def test_every_other_core_has_a_model() -> None:
    """A Cortex-M added later must be decided on."""
    assert {core for core in PROCESSORS if cycle_table(core)} == {
        "cortex-m0",
        "cortex-m0plus",
        "cortex-m3",
        "cortex-m4f",
    }


def test_blocks_of_another_image_are_refused(cycles: Cycles, tmp_path: Path) -> None:
    """Addresses outside the image, or a wrong number of instructions, are an error and not a wrong figure."""
    table = cycle_table("cortex-m4f")
    assert table is not None
    cycles("cortex-m4f", "nop")
    model = CycleModel(table, tmp_path / "block.elf")
    with pytest.raises(DeviceError, match="Code ran at 0x20000000"):
        model.cycles(Block(0x20000000, 4, 2, 1, 0))
    with pytest.raises(DeviceError, match="not the code that ran"):
        model.cycles(Block(0x1000, 4, 3, 1, 0))
