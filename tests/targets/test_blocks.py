from __future__ import annotations

import dataclasses
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from graphs import conv_module, random_array
from lichen.device.connect import connect
from lichen.errors import DeviceError
from lichen.targets import blocks, build
from lichen.targets.blocks import Block, BlockCounter, Interval, build_plugin, count_instructions, parse_blocks
from lichen.targets.board import Board, Emulator, load_board
from lichen.targets.build import Mark, Source, build_firmware, build_image
from lichen.targets.core import PROCESSORS
from lichen.targets.folder import ModelFolder
from lichen.targets.machine import MACHINES, machine_of
from lichen.targets.qemu import Qemu
from lichen.targets.toolchain import find_compiler

BOARD = dataclasses.replace(load_board("mps2-an386"), ram=16384)  # the less stack to paint, the shorter a trace
MACHINE = machine_of(BOARD)
COUNTED = Path(__file__).with_name("counted.c")
MARK = Path(build.__file__).with_name("firmware") / "lichen_mark.c"
PLUGIN = Path(build.__file__).with_name("plugin")

HEAD = """
    .syntax unified
    .thumb
    .text
    .balign 4
    .global counted_inference
    .type counted_inference, %function
counted_inference:
"""
TWO_OPERATORS = """
    push {r4, r5, lr}
    movs r0, #0
    bl lichen_mark
    movs r4, #100       @ the first operator: 1 + 100 * 2 + 1, as what sets the mark up is part of what lies before it
1:  subs r4, #1
    bne 1b
    movs r0, #1
    bl lichen_mark
    movs r4, #0         @ the second: 1 + 7 * (1 + 3 * 2 + 3) + 1
2:  movs r5, #3
3:  subs r5, #1
    bne 3b
    adds r4, #1
    cmp r4, #7
    blt 2b
    movs r0, #2
    bl lichen_mark
    pop {r4, r5, pc}
"""


@pytest.fixture(autouse=True)
def tools(needs: Callable[..., None]) -> None:
    """All tests here compile the plugin, build for a Cortex-M and start QEMU."""
    needs("cc", "arm-none-eabi-gcc", "qemu-system-arm")


@pytest.fixture
def image(tmp_path: Path) -> Callable[[str], Path]:
    """`image(assembly)`: firmware whose inference is this body of a function."""

    def build_(assembly: str) -> Path:
        source = tmp_path / "inference.S"
        source.write_text(HEAD + assembly)
        return build_image([Source(COUNTED), Source(MARK), Source(source)], BOARD).elf

    return build_


def infer(device: Qemu, times: int = 1) -> None:
    """Runs the inference so often."""
    for _ in range(times):
        device.write(b"x")
        assert device.read(10) == b"x"


def count(elf: Path, skip: int = 0) -> tuple[Interval, ...]:
    """The blocks of inference number `skip`."""
    with BlockCounter(elf, skip) as counter, Qemu(MACHINE, elf, counter.options) as device:
        infer(device, skip + 1)
        return counter.intervals()


def per_instruction(elf: Path, interval: Iterable[Block]) -> Counter[int]:
    """Executions of every instruction of the blocks, by its address."""
    with elf.open("rb") as file:
        segment = next(ELFFile(file).iter_segments("PT_LOAD"))
        start, data = segment["p_vaddr"], segment.data()
    executions: Counter[int] = Counter()
    for block in interval:
        address = block.address
        for _ in range(block.instructions):
            executions[address] += block.executions
            wide = data[address - start + 1] >> 3 >= 0b11101
            address += 4 if wide else 2
        assert address == block.address + block.bytes
    return executions


def traced(elf: Path, trace: Path) -> list[Counter[int]]:
    """The same from QEMU's own trace, one line an instruction (`TRACE`): the first inference, cut at the marks."""
    marks = blocks._marks(elf)
    inside = {key: range(address, address + size) for key, (address, size) in marks.items()}
    addresses: list[int] = []
    for line in trace.read_text().splitlines():
        if match := re.match(r"Trace \d+: \S+ \[\w+/(\w+)/", line):
            addresses.append(int(match[1], 16))
        elif line.startswith("Stopped execution"):  # the one just announced did not run, and will be announced again
            addresses.pop()
    first = addresses.index(marks["begin"][0])
    last = addresses.index(marks["end"][0])
    intervals: list[Counter[int]] = [Counter()]
    for address, following in zip(addresses[first:last], addresses[first + 1 : last + 1], strict=True):
        if following == marks.get("mark", (None,))[0]:
            intervals.append(Counter())
        elif following != marks["end"][0] and not any(address in function for function in inside.values()):
            intervals[-1][address] += 1
    return intervals


def trace_options(path: Path) -> tuple[str, ...]:
    """QEMU's options for a trace of every instruction."""
    return ("-singlestep", "-d", "exec,nochain", "-D", str(path))


def test_the_plugin_is_clean_c99() -> None:
    """No warning under the flags all C of Lichen is held to; the header is C++, too."""
    strict = ["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only"]
    compiler = find_compiler("cc")
    compiler.require(["-std=c99", *strict, str(PLUGIN / "lichen_blocks.c")], PLUGIN)
    compiler.require(["-x", "c++", "-std=c++17", *strict, str(PLUGIN / "qemu_plugin_api.h")], PLUGIN)


def test_the_plugin_is_compiled_once() -> None:
    """The second call finds the file of the first."""
    first = build_plugin()
    assert build_plugin() == first
    assert (first.stat().st_mtime_ns, list(first.parent.iterdir())) == (build_plugin().stat().st_mtime_ns, [first])


def test_known_loops_have_known_counts(image: Callable[[str], Path]) -> None:
    """Operators have the instructions between their marks: neither the marks nor the calls of them."""
    # Around the operators: the call of the inference, push, movs; then pop.
    assert [count_instructions(interval) for interval in count(image(TWO_OPERATORS))] == [3, 202, 72, 1]


def test_taken_branches_are_counted(image: Callable[[str], Path]) -> None:
    """A loop of 100 rounds branches back 99 times."""
    backward = [block for block in count(image(TWO_OPERATORS))[1] if block.executions > 1]
    assert [(block.instructions, block.executions, block.taken) for block in backward] == [(2, 99, 98)]


def test_waiting_for_a_row_is_not_counted(image: Callable[[str], Path]) -> None:
    """From the call of lichen_mark_row to its return, whatever it calls; the calls themselves are part of the operator."""
    elf = image("""
    push {r4, lr}
    movs r0, #0
    bl lichen_mark
    movs r4, #9
1:  bl lichen_mark_row
    nop
    subs r4, #1
    bne 1b
    bl lichen_mark
    pop {r4, pc}
    .global lichen_mark_row
    .type lichen_mark_row, %function
lichen_mark_row:
    push {r4, lr}
    movs r4, #100
2:  bl waiting
    subs r4, #1
    bne 2b
    pop {r4, pc}
    .size lichen_mark_row, . - lichen_mark_row
waiting:
    nop
    bx lr
""")
    intervals = count(elf)
    assert [count_instructions(interval) for interval in intervals] == [3, 1 + 9 * 4, 1]
    assert sum(block.taken for block in intervals[1]) == 9 + 8  # the calls, and the loop


@pytest.mark.parametrize("inference", ["first", "third"])
def test_one_inference_is_chosen(image: Callable[[str], Path], inference: str) -> None:
    """Counting can let inferences pass; inferences differ here, since the function keeps a number that grows."""
    elf = image("""
    ldr r1, =number
    ldr r2, [r1]
    adds r2, #10
    str r2, [r1]
1:  subs r2, #1
    bne 1b
    bx lr
    .ltorg
    .bss
    .balign 4
number: .space 4
    .text
""")
    rounds, skip = (10, 0) if inference == "first" else (30, 2)
    assert count_instructions(count(elf, skip)[0]) == 6 + 2 * rounds  # with the call and the return


@pytest.mark.parametrize("halfwords", range(4))
def test_blocks_across_the_border_of_a_page(image: Callable[[str], Path], tmp_path: Path, halfwords: int) -> None:
    """Where QEMU looks ahead to the next page, addresses and counts are still those of its own trace."""
    elf = image(f"""
    push {{r4, lr}}
    movs r4, #5
    b 1f
    .balign 1024
    .space {1024 - 10 + 2 * halfwords}
1:  nop
    nop
    nop
    add.w r4, r4, #1
    subs r4, #2
    nop
    nop
    bpl 1b
    pop {{r4, pc}}
""")
    trace = tmp_path / "trace"
    with Qemu(MACHINE, elf, trace_options(trace)) as device:
        infer(device)
    intervals = count(elf)
    assert [per_instruction(elf, interval) for interval in intervals] == traced(elf, trace)
    assert count_instructions(intervals[0]) == 1 + 3 + 6 * 8 + 1


def test_random_loops(image: Callable[[str], Path]) -> None:
    """Forty operators of two nested loops, each with the count that its numbers of rounds give."""
    rng = random.Random(7)
    assembly, expected = ["    push {r4, r5, lr}"], []
    for index in range(40):
        outer, inner, extra = rng.randint(1, 9), rng.randint(1, 200), rng.randint(0, 3)
        body = "\n".join(["    nop"] * extra)
        assembly.append(
            f"    bl lichen_mark\n    movs r4, #{outer}\n.Lo{index}: movs r5, #{inner}\n.Li{index}: subs r5, #1"
        )
        assembly.append(f"{body}\n    cmp r5, #0\n    bne .Li{index}\n    subs r4, #1\n    bne .Lo{index}")
        expected.append(1 + outer * (1 + inner * (3 + extra) + 2))
    intervals = count(image("\n".join([*assembly, "    bl lichen_mark", "    pop {r4, r5, pc}", ""])))
    assert [count_instructions(interval) for interval in intervals] == [2, *expected, 1]


@pytest.mark.parametrize("mark", [Mark.NONE, Mark.PROFILE], ids=lambda mark: mark.name.lower())
@pytest.mark.parametrize("name", ["mps2-an386", "microbit", "mps2-an505", "mps3-an547"])
def test_a_model_s_counts_are_those_of_qemu_s_trace(
    compile_model: Callable[..., ModelFolder], tmp_path: Path, name: str, mark: Mark
) -> None:
    """Every instruction of a compiled model is counted as often as QEMU's own trace lists it, interval by interval."""
    machine = MACHINES[name]
    board = Board(name, name, PROCESSORS[machine.core].core, 1, 16384, machine.flash.bytes, Emulator("qemu", name))
    model = compile_model()
    firmware = build_firmware(model, board, mark)
    sample = [random_array(conv_module().infer.inputs[0].type, 3)]
    trace = tmp_path / "trace"
    with connect(model, firmware, trace_options(trace)) as session:
        session.infer(sample)
    with BlockCounter(firmware.elf) as counter:
        with connect(model, firmware, counter.options) as session:
            session.infer(sample)
        intervals = counter.intervals()
    assert len(intervals) == (3 if mark is Mark.PROFILE else 1)
    assert [per_instruction(firmware.elf, interval) for interval in intervals] == traced(firmware.elf, trace)


def test_the_machine_goes_on_after_the_count(image: Callable[[str], Path]) -> None:
    """Later inferences run and change nothing in what was counted."""
    elf = image(TWO_OPERATORS)
    with BlockCounter(elf) as counter, Qemu(MACHINE, elf, counter.options) as device:
        infer(device)
        first = counter.intervals()
        infer(device, 20)
        assert counter.intervals() == first


def test_nothing_is_read_before_the_inference_has_ended(image: Callable[[str], Path]) -> None:
    """A machine that has only started has no counts, and says so."""
    elf = image(TWO_OPERATORS)
    with (
        BlockCounter(elf) as counter,
        Qemu(MACHINE, elf, counter.options),
        pytest.raises(DeviceError, match="has not finished the inference"),
    ):
        counter.intervals()


def test_an_image_without_marks_is_refused() -> None:
    """Firmware that is not Lichen's cannot be counted; the sentence names what is missing."""
    elf = build_image([Source(Path(__file__).with_name("echo.c"))], BOARD).elf
    with pytest.raises(DeviceError, match="has no function lichen_mark_begin"):
        BlockCounter(elf)


def test_qemu_refuses_a_plugin_it_cannot_use(image: Callable[[str], Path], tmp_path: Path) -> None:
    """An output that cannot be written ends QEMU at once with a reason instead of an inference without counts."""
    options = ("-plugin", f"{build_plugin()},out={tmp_path}/missing/blocks,begin=1+2,end=3+2")
    with pytest.raises(DeviceError, match="ended with exit code 1"):
        Qemu(MACHINE, image(TWO_OPERATORS), options)


def test_the_plugin_s_file_is_read() -> None:
    """A blank line ends an interval, also an empty one; blocks are in the order of their addresses."""
    assert parse_blocks("20 4 2 7 6\n16 4 1 1 0\n\n\n8 2 1 3 3\n\n") == (
        (Block(16, 4, 1, 1, 0), Block(20, 4, 2, 7, 6)),
        (),
        (Block(8, 2, 1, 3, 3),),
    )
