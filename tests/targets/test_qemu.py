from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphs import conv_module, random_array
from lichen.device.connect import connect
from lichen.errors import DeviceError
from lichen.ir.interpret import Interpreter
from lichen.targets import qemu
from lichen.targets.board import Board, Emulator, all_boards, load_board
from lichen.targets.build import Mark, Source, build_firmware, build_image
from lichen.targets.core import PROCESSORS
from lichen.targets.folder import ModelFolder
from lichen.targets.machine import MACHINES, Machine
from lichen.targets.qemu import Qemu

ECHO = Path(__file__).with_name("echo.c")
CORTEX_M = [machine for machine in MACHINES.values() if machine.core != "avr5"]
QEMU_BOARDS = [board.name for board in all_boards() if board.emulator and board.emulator.kind == "qemu"]


@pytest.fixture(autouse=True)
def tools(needs: Callable[..., None]) -> None:
    """All tests here build for a Cortex-M and start QEMU."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")


def whole(machine: Machine) -> Board:
    """A board that has all of a machine's memory."""
    emulator = Emulator("qemu", machine.name)
    core = PROCESSORS[machine.core].core
    return Board(machine.name, machine.name, core, 1, machine.ram.bytes, machine.flash.bytes, emulator)


def receive(device: Qemu, count: int) -> bytes:
    """`count` bytes from the device, or fewer when it falls silent."""
    data = b""
    while len(data) < count and (more := device.read(10)):
        data += more
    return data


@pytest.mark.parametrize("machine", CORTEX_M, ids=lambda machine: machine.name)
def test_firmware_starts_and_speaks_over_the_uart(machine: Machine) -> None:
    """All bytes come back in order; .data, .bss and the FPU are ready before main; the stack is painted and little of it used."""
    firmware = build_image([Source(ECHO)], whole(machine))
    with Qemu(machine, firmware.elf) as device:
        message = bytes(range(256)).replace(b"s", b"").replace(b"f", b"") * 3
        device.write(message)
        assert receive(device, len(message)) == message
        device.write(b"s")
        assert 8 <= int.from_bytes(receive(device, 4), "little") <= 256
        device.write(b"f")
        assert int.from_bytes(receive(device, 4), "little") == 1001
        device.write(b"s")
        assert 8 <= int.from_bytes(receive(device, 4), "little") <= 512


@pytest.mark.parametrize("name", QEMU_BOARDS)
@pytest.mark.parametrize("mark", Mark, ids=lambda mark: mark.name.lower())
def test_a_model_gives_the_interpreter_s_bytes_on_every_board(
    compile_model: Callable[..., ModelFolder], name: str, mark: Mark
) -> None:
    """The same bytes as in Python, on the machine of each board and in each kind of build."""
    module = conv_module()
    model = compile_model(name, module, "speed" if name == "nano33ble" else "size")
    interpreter = Interpreter(module)
    with connect(model, build_firmware(model, load_board(name), mark)) as session:
        for seed in range(3):
            sample = random_array(module.infer.inputs[0].type, seed)
            np.testing.assert_array_equal(session.infer([sample])[0], interpreter.run([sample])[0])
        assert 32 <= session.stack_used() <= 1024


@pytest.mark.parametrize("machine", CORTEX_M, ids=lambda machine: machine.name)
def test_a_model_gives_the_interpreter_s_bytes_on_every_machine(
    compile_model: Callable[..., ModelFolder], machine: Machine
) -> None:
    """C for any core runs on each, from the smallest to the largest."""
    module = conv_module()
    model = compile_model("pico", module)
    sample = random_array(module.infer.inputs[0].type)
    with connect(model, build_firmware(model, whole(machine))) as session:
        np.testing.assert_array_equal(session.infer([sample])[0], Interpreter(module).run([sample])[0])
        assert session.link.counters.retries == 0, "nothing is lost on an emulated line"


def test_closing_leaves_no_process() -> None:
    """The process is gone and reaped when `close` returns, also when the block fails; closing again does nothing."""
    machine = MACHINES["mps2-an386"]
    firmware = build_image([Source(ECHO)], whole(machine))
    with pytest.raises(KeyError), Qemu(machine, firmware.elf) as device:
        pid = device._process.pid
        os.kill(pid, 0)
        raise KeyError
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    device.close()


def test_a_machine_that_nobody_closes_ends_with_python() -> None:
    """A script that forgets to close, or fails, leaves no emulator running."""
    firmware = build_image([Source(ECHO)], whole(MACHINES["mps2-an386"]))
    script = (
        "from pathlib import Path; from lichen.targets.machine import MACHINES; from lichen.targets.qemu import Qemu; "
        f"q = Qemu(MACHINES['mps2-an386'], Path({str(firmware.elf)!r})); print(q._process.pid)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    state = Path(f"/proc/{int(done.stdout)}/stat")
    deadline = time.monotonic() + 10  # Python has killed it; a busy machine may take a moment to let it die
    while (is_running := state.exists() and state.read_text().split()[2] != "Z") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running


def test_a_file_that_is_no_firmware_is_refused_in_qemu_s_words(tmp_path: Path) -> None:
    """An image QEMU does not load ends in an error that quotes it, not in a timeout."""
    with pytest.raises(DeviceError, match=r"ended with exit code 1: qemu-system-arm: .*missing"):
        Qemu(MACHINES["mps2-an386"], tmp_path / "missing.elf")


def test_firmware_that_never_listens_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that hangs before `port_init` is stopped and reported."""
    monkeypatch.setattr(qemu, "_BOOT_SECONDS", 0.3)
    source = tmp_path / "hang.c"
    source.write_text("int main(void)\n{\n    for (;;) {\n    }\n}\n")
    machine = MACHINES["mps2-an386"]
    with pytest.raises(DeviceError, match="does not start within"):
        Qemu(machine, build_image([Source(source)], whole(machine)).elf)
