from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lichen.errors import DeviceError
from lichen.targets.blocks import Block
from lichen.targets.core import PROCESSORS
from lichen.targets.cycles_cortex_m7 import SingleIssueBound
from lichen.targets.profiler import count_window

Cycles = Callable[..., int]


@pytest.fixture
def cycles(assemble: Callable[..., tuple[Path, Block]]) -> Cycles:
    """`cycles(assembly, executions=…, taken=…)` of a block of instructions separated by semicolons."""

    def cycles_(assembly: str, executions: int = 1, taken: int = 0) -> int:
        elf, block = assemble("cortex-m7f", assembly, executions, taken)
        return SingleIssueBound(elf).cycles(block)

    return cycles_


@pytest.mark.parametrize(
    ("assembly", "expected"),
    [
        # one instruction a cycle, and at the end until the results can be used for anything: 1 for the ALU
        ("nop; nop; nop", 3),
        ("adds r0, r1, r2; adds r3, r4, r5", 2 + 1),
        ("adds r0, r1, r2; adds r3, r0, r5; nop", 3),
        ("add.w r0, r1, r2, lsl #2; nop", 2),
        ("adds r0, r1, r2; add.w r3, r4, r0, lsl #2; nop", 1 + 1 + 1 + 1),  # what is shifted is needed a cycle early
        ("adds r0, r1, r2; sxtab16 r3, r4, r0; nop", 1 + 1 + 1 + 1),
        ("adds r0, r1, r2; str r3, [r0]", 1 + 1 + 1),  # so is an address
        # loads: 2 until the word can be used, 3 until it can be an address
        ("ldr r0, [r1]; nop; nop", 3),
        ("ldr r0, [r1]; adds r2, r0, r3; nop", 1 + 1 + 1 + 1),
        ("ldr r0, [r1]; ldr r2, [r0]; nop; nop", 1 + 2 + 1 + 2),
        ("ldr r0, [r1], #4; ldr r2, [r1], #4; nop; nop", 4),  # an address that was stepped on is there at once
        ("ldr r0, [r1]; str r2, [r3]; nop", 3),
        ("ldrsb r0, [r1, r2]; nop; smlabb r3, r0, r4, r3; nop; nop", 5),
        # several words
        ("ldm r0!, {r1-r4}; nop; nop", 1 + 4 + 2),
        ("stm r0!, {r1-r2}", 1 + 2),
        ("push {r4, r5, lr}", 1 + 3),
        ("ldrd r0, r1, [r2], #8; nop; nop", 2 + 2),
        ("strd r0, r1, [r2]", 2),
        # multiplications and saturations: 2
        ("smlad r0, r1, r2, r0; smlad r3, r1, r2, r3; nop; nop", 4),
        ("smlad r0, r1, r2, r0; smlad r0, r3, r4, r0; nop; nop", 1 + 1 + 1 + 2),
        ("smmulr r0, r1, r2; adds r0, r0, r3; ssat r0, #8, r0; nop; nop", 1 + 1 + 1 + 1 + 1 + 2),
        ("mul r0, r1, r2; qadd r3, r4, r5; adds r0, r0, r3; nop", 2 + 1 + 1 + 1),
        ("pkhbt r0, r1, r2, lsl #16; smuad r3, r0, r4; nop; nop", 4),
        ("sadd16 r0, r1, r2; sxtb16 r3, r4, ror #8; nop", 3),
        # division blocks
        ("sdiv r0, r1, r2; adds r0, r0, r3; nop", 34 + 1 + 1),
        # the FPU
        ("vadd.f32 s0, s1, s2; nop; nop; nop", 4),
        ("vmul.f32 s0, s1, s2; vadd.f32 s3, s0, s4; nop; nop; nop", 1 + 2 + 1 + 3),
        ("vfma.f32 s0, s1, s2; vfma.f32 s3, s1, s2; " + "nop; " * 5 + "nop", 8),
        ("vfma.f32 s0, s1, s2; vfma.f32 s0, s3, s4; " + "nop; " * 5 + "nop", 1 + 5 + 1 + 6),
        ("vldr s0, [r0]; vmul.f32 s1, s0, s2; nop; nop; nop", 1 + 1 + 1 + 3),
        ("vdiv.f32 s0, s1, s2; nop", 16 + 1),
        ("vmov r0, s1; adds r2, r0, r3; nop", 1 + 2 + 1 + 1),
    ],
)
def test_straight_code(cycles: Cycles, assembly: str, expected: int) -> None:
    """Cycles computed by hand from the latencies that the module states."""
    assert cycles(assembly) == expected
    assert cycles(assembly, executions=1000) == 1000 * expected


@pytest.mark.parametrize(
    ("assembly", "stayed", "gone"),
    [
        ("subs r0, #1; bne near", 2, 3),
        ("ldr r0, [r1], #4; subs r2, #1; bne near", 3, 4),
        ("nop; nop; cbz r1, near", 3, 4),
    ],
)
def test_conditional_branches(cycles: Cycles, assembly: str, stayed: int, gone: int) -> None:
    """A taken one leaves a cycle empty; 6 more for twice as often as it goes the rarer way, and once; never more than always."""
    assert cycles(assembly, executions=1) == stayed + 6
    assert cycles(assembly, executions=100) == 100 * stayed + 6
    assert cycles(assembly, executions=100, taken=100) == 100 * gone + 6
    assert cycles(assembly, executions=100, taken=99) == stayed + 99 * gone + 3 * 6
    assert cycles(assembly, executions=100, taken=50) == 50 * stayed + 50 * gone + 100 * 6


@pytest.mark.parametrize(
    ("assembly", "expected"),
    [
        ("b near", 1 + 1),
        ("bl near", 1 + 1),
        ("bx lr", 1 + 1 + 6),
        ("blx r3", 1 + 1 + 6),
        ("pop {r4, pc}", 1 + 2 + 1 + 6 + 2),
    ],
)
def test_other_branches(cycles: Cycles, assembly: str, expected: int) -> None:
    """What holds its target is predicted; what does not is always taken to fail, and waits for the word if that comes from memory."""
    assert cycles(assembly, executions=10) >= 10 * expected
    assert cycles(assembly, executions=10) <= 10 * (expected + 1)  # until the link register can be used for anything


@given(
    st.lists(
        st.sampled_from(
            [
                "adds r0, r0, r1",
                "ldr r2, [r3], #4",
                "smlad r4, r2, r5, r4",
                "str r4, [r6], #4",
                "ssat r4, #8, r4",
                "nop",
            ]
        ),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_bound_is_at_least_the_instructions_and_does_not_fall_with_more(cycles: Cycles, code: list[str]) -> None:
    """One a cycle is the least; another instruction never makes code faster, and two blocks take no less than one of both."""
    together = cycles("; ".join(code))
    assert together >= len(code)
    assert cycles("; ".join([*code, "nop"])) >= together
    half = len(code) // 2
    if half:
        assert cycles("; ".join(code[:half])) + cycles("; ".join(code[half:])) >= together


def test_it_says_that_it_is_a_bound(assemble: Callable[..., tuple[Path, Block]]) -> None:
    """Wherever the cycles are shown, so is what they are; other images are refused."""
    elf, block = assemble("cortex-m7f", "nop; nop", executions=3)
    cost = count_window([(block,)], elf, PROCESSORS["cortex-m7f"].core)
    assert (cost.instructions, cost.cycles, cost.cycles_are) == (6, 6, "modelled, single-issue bound")
    with pytest.raises(DeviceError, match="not the code that ran"):
        SingleIssueBound(elf).cycles(Block(block.address, 4, 3, 1, 0))
