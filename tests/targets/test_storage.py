"""Where machines keep state: emulated memory, EEPROM, and the flash of an STM32F4."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from graphs import conv_module, streaming_module
from learning_nets import mlp
from lichen.backend.program import plan_module
from lichen.backend.state import OVERHEAD, StateBlob, StateError, StateStatus
from lichen.device import Session
from lichen.device.connect import connect
from lichen.errors import DoesNotFitError, InputError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array
from lichen.learning.choice import All
from lichen.learning.trainable import make_trainable
from lichen.passes.gradient_descent import GradientDescent
from lichen.targets.board import load_board
from lichen.targets.build import build_firmware
from lichen.targets.folder import ModelFolder
from lichen.targets.machine import MACHINES
from lichen.targets.native import NativeModel

SOURCE = Path(__file__).parents[2] / "src/lichen"
FIRMWARE, RUNTIME = SOURCE / "targets/firmware", SOURCE / "backend/runtime"
STATE = 90
Compile = Callable[..., ModelFolder]


def sample(seed: int, size: int = STATE) -> Array:
    """An input, which the model keeps as its state."""
    return np.random.default_rng(seed).integers(-128, 128, (1, size)).astype(np.int8)


def exercise(session: Session, native: NativeModel) -> None:
    """Saves, infers on, and loads, beside the same model on the host."""
    with pytest.raises(StateError) as error:
        session.load()
    assert error.value.status == StateStatus.NOTHING_SAVED
    for seed in range(3):
        here, there = native.run([sample(seed)[None]])[0][0], session.infer([sample(seed)])[0]
        np.testing.assert_array_equal(here, there)
        assert session.read_state() == native.read_state()
        session.save()
        session.infer([sample(99)])
        session.reset()
        session.load()
        assert session.read_state() == native.read_state()
    native.run([sample(7)[None]])
    session.write_state(native.read_state())
    assert session.read_state() == native.read_state()


@pytest.mark.parametrize("name", ["nano33ble", "stm32f746-disco", "pico", "uno"])
def test_state_survives_on_every_emulator(compile_model: Compile, needs: Callable[..., None], name: str) -> None:
    """What was saved comes back, and the state is the one that the host has, byte by byte."""
    needs("cc", "arm-none-eabi-gcc", "qemu-system-arm", "avr-gcc", "simavr")
    model = compile_model(name, streaming_module(STATE))
    with connect(model, build_firmware(model, load_board(name))) as session:
        exercise(session, NativeModel(model))


def test_what_was_learned_on_the_host_survives_on_a_device(compile_model: Compile, needs: Callable[..., None]) -> None:
    """Parameters learned by the interpreter, written to a device and saved there, are the device's after it has forgotten them."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    how = GradientDescent(0.05, batch=2, momentum=0.9)
    module = make_trainable(mlp([4, 6, 2]), All(), "mean_squared_error", how)
    model = compile_model("nano33ble", module)
    teacher, pupil = Interpreter(module, "learn"), Interpreter(module)
    rng = np.random.default_rng(0)
    for _ in range(20):
        teacher.run([rng.normal(size=v.type.shape).astype(np.float32) for v in module.functions["learn"].inputs])
    pupil.state = teacher.state
    state = bytearray(model.state_bytes)
    for tensor, offset in plan_module(module, load_board("nano33ble").core).state_offsets.items():
        state[offset : offset + tensor.type.bytes] = teacher.state[tensor].tobytes()
    x = rng.normal(size=(1, 4)).astype(np.float32)
    with connect(model, build_firmware(model, load_board("nano33ble"))) as session:
        untaught = session.infer([x])[0]
        session.write_state(StateBlob(model.manifest["digest"], bytes(state)).pack())
        session.save()
        session.reset()
        np.testing.assert_array_equal(session.infer([x])[0], untaught)
        session.load()
        np.testing.assert_allclose(session.infer([x])[0], pupil.run([x])[0], rtol=1e-5, atol=1e-6)
        assert np.abs(session.infer([x])[0] - untaught).max() > 0.01


def test_saved_state_survives_a_reset_of_the_machine(
    compile_model: Compile, needs: Callable[..., None], tmp_path: Path
) -> None:
    """After the reset line has been pulled the device has forgotten its session and its state, but not what it saved."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    model = compile_model("nano33ble", streaming_module(STATE))
    monitor = tmp_path / "monitor"
    options = ["-qmp", f"unix:{monitor},server=on,wait=off"]
    with connect(model, build_firmware(model, load_board("nano33ble")), options) as session:
        session.infer([sample(1)])
        saved = session.read_state()
        session.save()
        session.infer([sample(2)])
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(monitor))
            answers = line.makefile()
            for command in ("qmp_capabilities", "system_reset"):
                line.sendall(json.dumps({"execute": command}).encode())
                while "return" not in json.loads(answers.readline()):
                    pass
        again = Session(session.link.transport, model.manifest)
        assert again.read_state() != saved
        again.load()
        assert again.read_state() == saved


def test_an_emulator_without_the_flash_controller_says_so(compile_model: Compile, needs: Callable[..., None]) -> None:
    """QEMU's STM32F4 has no flash controller: a save finds that nothing was written, and the state stays as it is."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    model = compile_model("nucleo-f411re", streaming_module(STATE))
    with connect(model, build_firmware(model, load_board("nucleo-f411re"))) as session:
        session.infer([sample(1)])
        state = session.read_state()
        with pytest.raises(StateError, match="the storage does not hold what is written to it") as error:
            session.save()
        assert error.value.status == StateStatus.STORAGE_FAILED
        assert session.read_state() == state
        session.write_state(state)


def test_the_driver_obeys_the_flash_controller(tmp_path: Path, needs: Callable[..., None]) -> None:
    """Keys, error flags, parallelism, busy bit and sectors are as the reference manual has them; whole words where they can be."""
    needs("cc")
    program = tmp_path / "stm32f4_flash"
    source = Path(__file__).with_name("stm32f4_flash.cpp")
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["g++", *flags, f"-I{FIRMWARE}", f"-I{RUNTIME}", str(source), "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.stderr == ""
    erases, programmed = map(int, done.stdout.split())
    assert erases == 5
    words, single_bytes = (24 + 1003) // 4, (24 + 1003) % 4 + 4  # the CRC begins beside a word's border
    assert 5 * words * 0.9 < programmed <= 5 * (words + single_bytes)


def addresses(elf: Path) -> list[tuple[int, int]]:
    """Begin and end of every function and table in the image's flash."""
    with elf.open("rb") as stream:
        symbols = ELFFile(stream).get_section_by_name(".symtab")
        found = [(s["st_value"] & ~1, s["st_size"]) for s in symbols.iter_symbols() if s["st_size"]]
    return [(begin, begin + size) for begin, size in found if 0x08000000 <= begin < 0x20000000]


@pytest.mark.parametrize(
    ("state", "slots"),
    [(90, (0x08004000, 0x0800C000)), (16384 - OVERHEAD, (0x08004000, 0x0800C000)), (16388, (0x08040000, 0x08080000))],
)
def test_the_image_keeps_out_of_the_sectors_of_the_state(
    compile_model: Compile, needs: Callable[..., None], state: int, slots: tuple[int, int]
) -> None:
    """Small state takes the small sectors behind the vectors, larger state the two last of the board's flash."""
    needs("arm-none-eabi-gcc")
    model = compile_model("nucleo-f411re", streaming_module(state))
    occupied = addresses(build_firmware(model, load_board("nucleo-f411re")).elf)
    assert min(occupied)[0] == 0x08000000
    assert all(end <= slots[0] or begin >= slots[1] for begin, end in occupied)


def test_sectors_of_the_state_are_not_there_for_the_image(compile_model: Compile, needs: Callable[..., None]) -> None:
    """A board with the sectors of 128 KiB loses them to large state; one without them keeps no large state."""
    needs("arm-none-eabi-gcc")
    machine, board = MACHINES["netduinoplus2"], load_board("nucleo-f411re")
    large = machine.storage_for(20_000, board.flash)
    assert large is not None and large.slot_bytes == 128 * 1024
    assert machine.storage_for(20_000, 256 * 1024) is None
    assert machine.storage_for(1_000_000, board.flash) is None
    assert machine.storage_for(0, board.flash) is None
    model = compile_model("nucleo-f411re", streaming_module(90))
    with pytest.raises(DoesNotFitError, match=r"flash is \d+,\d+ bytes short"):
        build_firmware(model, replace(board, flash=50 * 1024))  # 48 KiB lie in front of the code


def test_state_too_large_for_the_storage(compile_model: Compile, needs: Callable[..., None]) -> None:
    """A device whose storage is too small for the state works without it and says what it cannot do."""
    needs("avr-gcc", "simavr")
    model = compile_model("uno", streaming_module(512 - OVERHEAD + 1))
    with connect(model, build_firmware(model, load_board("uno"))) as session:
        assert not session.info.has_storage
        session.infer([sample(1, 512 - OVERHEAD + 1)])
        with pytest.raises(InputError, match="no storage to save its state in"):
            session.save()


def test_a_model_without_state_pays_nothing(compile_model: Compile, needs: Callable[..., None]) -> None:
    """Its image holds no storage driver and may use all of the board's flash."""
    needs("arm-none-eabi-gcc")
    model = compile_model("nucleo-f411re", conv_module())
    firmware = build_firmware(model, load_board("nucleo-f411re"))
    assert firmware.size.flash < 16 * 1024
    assert not any("flash_erase" in symbol.name or "state" in symbol.name for symbol in firmware.size.symbols)
