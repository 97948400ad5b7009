from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphs import conv_module, random_array
from lichen.device.connect import connect
from lichen.errors import DeviceError
from lichen.targets.blocks import Block, BlockCounter, Interval, count_instructions
from lichen.targets.board import load_board
from lichen.targets.build import Mark, build_firmware
from lichen.targets.core import PROCESSORS
from lichen.targets.folder import ModelFolder
from lichen.targets.profiler import OpProfile, Profile, count_window, profile_qemu, profile_simavr
from lichen.targets.simavr import Count, InferenceCount

CORE = PROCESSORS["cortex-m55"].core  # has no model, so that no image is needed where blocks are made up
NOWHERE = Path("no image is read")


def manifest(*names: str) -> dict[str, Any]:
    """The part of a manifest that is read."""
    return {"ops": [{"name": name, "kind": "conv2d", "macs": 10} for name in names]}


def interval(instructions: int, executions: int) -> Interval:
    """An interval of one block."""
    return (Block(0, 2 * instructions, instructions, executions, 0),)


@pytest.fixture
def counted(
    compile_model: Callable[..., ModelFolder], needs: Callable[..., None]
) -> Callable[..., tuple[tuple[Interval, ...], Path, ModelFolder]]:
    """`counted(board, mark)`: the blocks of an inference of a small convolution, its image and its folder."""
    needs("cc", "arm-none-eabi-gcc", "qemu-system-arm")

    def run(board: str, mark: Mark) -> tuple[tuple[Interval, ...], Path, ModelFolder]:
        model = compile_model(board)
        firmware = build_firmware(model, load_board(board), mark)
        with BlockCounter(firmware.elf) as counter:
            with connect(model, firmware, counter.options) as session:
                session.infer([random_array(conv_module().infer.inputs[0].type, 1)])
            return counter.intervals(), firmware.elf, model

    return run


@pytest.mark.parametrize("board", ["nano33ble", "pico"])
def test_a_model_is_profiled_on_its_board_s_emulator(counted: Callable[..., Any], board: str) -> None:
    """The convolution takes nearly all of the inference, and at least an instruction a multiplication."""
    intervals, elf, model = counted(board, Mark.PROFILE)
    core = load_board(board).core
    profile = profile_qemu(intervals, elf, core, model.manifest["ops"])
    (op,) = profile.ops
    assert (op.name, op.kind, op.macs) == ("y", "conv2d", 6 * 7 * 5 * 27)
    assert op.macs < op.instructions < 40 * op.macs
    assert op.cycles is not None and op.instructions < op.cycles < 3 * op.instructions
    assert profile.cycles_are == "modelled"

    whole = count_window(intervals, elf, core)
    outside = count_instructions(intervals[0]) + count_instructions(intervals[-1])
    assert whole.instructions == op.instructions + outside and outside < 50
    assert whole.cycles is not None and op.cycles < whole.cycles < op.cycles + 200


def test_marks_hardly_change_what_they_measure(counted: Callable[..., Any], tmp_path: Path) -> None:
    """The operators of a profiled build add up to the whole of the build that is shipped, to one percent."""
    shipped, elf, model = counted("mps2-an386", Mark.NONE)
    core = load_board("mps2-an386").core
    cost = count_window(shipped, elf, core)
    profiled = build_firmware(model, load_board("mps2-an386"), Mark.PROFILE)
    with BlockCounter(profiled.elf) as counter:
        with connect(model, profiled, counter.options) as session:
            session.infer([random_array(conv_module().infer.inputs[0].type, 1)])
        total = profile_qemu(counter.intervals(), profiled.elf, core, model.manifest["ops"]).total
    assert total.instructions == pytest.approx(cost.instructions, rel=0.01)
    assert total.cycles == pytest.approx(cost.cycles, rel=0.01)


def test_operators_take_the_intervals_between_marks() -> None:
    """Interval k + 1 is operator k; what lies before the first and behind the last mark is no operator's."""
    intervals = (interval(3, 1), interval(2, 100), interval(5, 7), interval(1, 1))
    profile = profile_qemu(intervals, NOWHERE, CORE, manifest("a", "b")["ops"])
    assert profile.ops == (OpProfile("a", "conv2d", 10, 200, None), OpProfile("b", "conv2d", 10, 35, None))
    assert count_window(intervals, NOWHERE, CORE).instructions == 3 + 200 + 35 + 1


def test_cycles_without_a_model_are_none() -> None:
    """A core whose manual has no table gives instructions and no invented cycles."""
    profile = profile_qemu((interval(1, 1), interval(2, 3), ()), NOWHERE, CORE, manifest("a")["ops"])
    assert (profile.total.cycles, profile.cycles_are) == (None, None)
    cost = count_window((interval(2, 3),), NOWHERE, CORE)
    assert (cost.instructions, cost.cycles, cost.cycles_are) == (6, None, None)


def test_the_total_is_the_sum() -> None:
    """Of multiplications, instructions and cycles alike."""
    profile = Profile((OpProfile("a", "x", 1, 20, 300), OpProfile("b", "y", 4, 50, 600)), "emulated")
    total = profile.total
    assert (total.macs, total.instructions, total.cycles) == (5, 70, 900)


def test_simavr_gives_the_same_profile() -> None:
    """Its cycles are emulated, its operators those of the manifest in their order."""
    count = InferenceCount(1000, 900, (Count(300, 250), Count(600, 500)))
    profile = profile_simavr(count, manifest("a", "b")["ops"])
    assert profile.ops == (OpProfile("a", "conv2d", 10, 250, 300), OpProfile("b", "conv2d", 10, 500, 600))
    assert profile.cycles_are == "emulated"


@pytest.mark.parametrize("calls", [0, 1, 3])
def test_a_firmware_of_another_model_is_refused(calls: int) -> None:
    """Figures are never put beside operators they do not belong to."""
    with pytest.raises(DeviceError, match=f"made {calls} kernel calls and the manifest has 2"):
        profile_qemu([interval(1, 1)] * (calls + 2), NOWHERE, CORE, manifest("a", "b")["ops"])
    with pytest.raises(DeviceError, match=f"made {calls} kernel calls and the manifest has 2"):
        profile_simavr(InferenceCount(9, 9, (Count(1, 1),) * calls), manifest("a", "b")["ops"])


def test_a_build_without_marks_has_no_operators() -> None:
    """An image built for shipping is not silently profiled as one operator."""
    with pytest.raises(DeviceError, match="made 0 kernel calls"):
        profile_qemu([interval(1, 1)], NOWHERE, CORE, manifest("a")["ops"])
