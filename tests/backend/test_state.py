"""State that survives: the blob, the two slots, and the power that fails at every byte."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from graphs import conv_module, streaming_module
from lichen.backend.emit import RUNTIME, emit
from lichen.backend.folder import write_folder
from lichen.backend.program import plan_module
from lichen.backend.state import OVERHEAD, StateBlob, StateError, StateStatus
from lichen.errors import InputError
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Module
from lichen.targets.folder import ModelFolder, open_folder
from lichen.targets.native import NativeModel
from native_check import SANITIZERS, WARNINGS

STATE = 8
SAMPLE = np.arange(STATE, dtype=np.int8).reshape(1, 1, STATE)


def folder_of(path: Path, module: Module) -> ModelFolder:
    """The model folder of a module."""
    path.mkdir()
    program = plan_module(module, PLAIN)
    write_folder(path, program, emit(program, "size"), "nano33ble", "size")
    return open_folder(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A model with eight bytes of state."""
    return folder_of(tmp_path_factory.mktemp("state") / "streaming", streaming_module())


@pytest.fixture(scope="module")
def shared_native(model: ModelFolder) -> NativeModel:
    """For tests that bring the instance to a known state by themselves."""
    return NativeModel(model)


@pytest.fixture
def native(model: ModelFolder) -> NativeModel:
    """The model, with nothing saved."""
    return NativeModel(model)


def test_power_cut_after_every_byte(tmp_path: Path) -> None:
    """After a cut at any byte of a save the old or the new state is saved, also when the save before was cut at any byte.

    From empty, foreign and used slots, the newest in either, and with sequence numbers that pass zero. Erasing and writing may stop
    in the middle of a byte.
    """
    model = folder_of(tmp_path / "streaming", streaming_module(5))
    (tmp_path / "model.h").write_text(model.glue())
    include = [f"-I{tmp_path}", f"-I{model.path}", f"-I{RUNTIME}"]
    sources = [str(Path(__file__).with_name("power_cuts.c")), str(model.source)]
    program = str(tmp_path / "power_cuts")
    built = subprocess.run(
        ["gcc", "-O2", *WARNINGS, *SANITIZERS, *include, *sources, "-o", program], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    done = subprocess.run([program], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_save_and_load(native: NativeModel) -> None:
    """What was saved comes back, through a reset and as often as wanted; saving again replaces it."""
    (before,) = native.run([SAMPLE])
    native.save()
    (then,) = native.run([SAMPLE * 3])
    for _ in range(2):
        native.reset()
        native.load()
        np.testing.assert_array_equal(native.run([SAMPLE * 3])[0], then)
    native.save()
    native.reset()
    np.testing.assert_array_equal(native.run([SAMPLE])[0], before)
    native.load()
    assert native.read_state()[24:-4] == (SAMPLE * 3).tobytes()


def test_nothing_saved(native: NativeModel) -> None:
    """A load from empty storage says so and leaves the state as it is."""
    native.run([SAMPLE])
    state = native.read_state()
    with pytest.raises(StateError, match="there is no saved state") as error:
        native.load()
    assert error.value.status == StateStatus.NOTHING_SAVED
    assert native.read_state() == state


def test_blob_is_what_the_twin_packs(native: NativeModel) -> None:
    """C and Python agree on every byte, and the CRC is zlib's."""
    native.run([SAMPLE])
    blob = native.read_state()
    digest = native.folder.manifest["digest"]
    assert blob == StateBlob(digest, SAMPLE.tobytes()).pack()
    assert blob[:24] == struct.pack("<4sIQII", b"LSTA", 1, int(digest, 16), STATE, 0)
    assert struct.unpack("<I", blob[-4:]) == (zlib.crc32(blob[:-4]),)
    native.reset()
    native.write_state(blob)
    assert native.read_state() == blob


def write(native: NativeModel, blob: bytes) -> int:
    """The status of the C, without the check of Python that comes before it."""
    status: int = native._library.lichen_native_write_state(native._instance, blob, ctypes.c_size_t(len(blob)))
    return status


def changed(blob: bytes, at: int, value: bytes) -> bytes:
    """A whole blob with other bytes at `at`."""
    body = blob[:at] + value + blob[at + len(value) : -4]
    return body + struct.pack("<I", zlib.crc32(body))


def test_each_refusal_has_its_status(native: NativeModel) -> None:
    """Damage, another version, another model and another length are told apart, in C and in Python alike; nothing changes."""
    native.run([SAMPLE])
    blob = native.read_state()
    refused = {
        b"": StateStatus.DAMAGED,
        blob[:-1]: StateStatus.DAMAGED,
        blob + b"\0": StateStatus.DAMAGED,
        b"X" + blob[1:]: StateStatus.DAMAGED,
        blob[:30] + b"\x55" + blob[31:]: StateStatus.DAMAGED,
        changed(blob, 4, b"\x02"): StateStatus.OTHER_VERSION,
        changed(blob, 8, b"\x00\x00"): StateStatus.OTHER_MODEL,
        StateBlob(native.folder.manifest["digest"], bytes(9)).pack(): StateStatus.WRONG_LENGTH,
        StateBlob("0" * 16, bytes(9)).pack(): StateStatus.OTHER_MODEL,
    }
    for data, status in refused.items():
        assert write(native, data) == status
        with pytest.raises(StateError) as error:
            native.write_state(data)
        assert error.value.status == status
        assert native.read_state() == blob


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=STATE, max_size=STATE), st.data())
def test_damaged_blob_leaves_the_state(shared_native: NativeModel, other: bytes, draw: st.DataObject) -> None:
    """However a blob is damaged, C and Python refuse it, and the state stays as it was, byte by byte."""
    native = shared_native
    native.reset()
    native.run([SAMPLE])
    before = native.read_state()
    whole = StateBlob(native.folder.manifest["digest"], other).pack()
    blob = bytearray(whole)
    match draw.draw(st.sampled_from(["flip", "cut", "insert", "shuffle"])):
        case "flip":
            for at in draw.draw(st.lists(st.integers(0, len(blob) * 8 - 1), min_size=1, max_size=9, unique=True)):
                blob[at // 8] ^= 1 << at % 8
        case "cut":
            del blob[draw.draw(st.integers(0, len(blob) - 1)) :]
        case "insert":
            at = draw.draw(st.integers(0, len(blob)))
            blob[at:at] = draw.draw(st.binary(min_size=1, max_size=9))
        case "shuffle":
            blob = bytearray(draw.draw(st.permutations(list(blob))))
    assume(blob != whole)
    assert write(native, bytes(blob)) != StateStatus.OK
    with pytest.raises(StateError):
        native.write_state(bytes(blob))
    assert native.read_state() == before


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2 * (STATE + OVERHEAD) - 1), st.integers(1, 255)), min_size=1, max_size=12))
@example([(at, 1) for at in range(0, 2 * (STATE + OVERHEAD), 7)])
def test_damaged_storage(shared_native: NativeModel, damage: list[tuple[int, int]]) -> None:
    """A load from damaged slots gives the newest state that is whole, or is refused and leaves the state as it is."""
    native = shared_native
    native._slots = type(native._slots)()
    for factor in (1, 2):
        native.run([SAMPLE * np.int8(factor)])
        native.save()
    hurt = set()
    for at, flip in dict(damage).items():
        native._slots[at] ^= flip
        hurt.add(at // native._slot_bytes)
    native.run([SAMPLE * 3])
    live = native.read_state()
    expected = (SAMPLE * 2).tobytes() if 1 not in hurt else SAMPLE.tobytes() if 0 not in hurt else None
    if expected is None:
        with pytest.raises(StateError):
            native.load()
        assert native.read_state() == live
    else:
        native.load()
        assert native.read_state()[24:-4] == expected
    state = native.read_state()
    native.save()
    native.reset()
    native.load()
    assert native.read_state() == state, "a save mends what was damaged"


def test_slot_of_another_model_or_version(native: NativeModel) -> None:
    """After new firmware the slots hold the old one's state, and a load says whose it is."""
    native.save()
    blob = bytes(native._slots[: native._slot_bytes])
    for foreign, status in [
        (changed(blob, 8, bytes(8)), StateStatus.OTHER_MODEL),
        (changed(blob, 4, b"\x07"), StateStatus.OTHER_VERSION),
        (blob[:-1] + bytes([blob[-1] ^ 1]), StateStatus.DAMAGED),
    ]:
        native._slots[: native._slot_bytes] = list(foreign)
        with pytest.raises(StateError) as error:
            native.load()
        assert error.value.status == status


def test_slots_too_small(native: NativeModel) -> None:
    """State that does not fit is refused before anything is erased."""
    size = ctypes.c_size_t(native._slot_bytes - 1)
    native._slots[:] = [0x5A] * len(native._slots)
    status = native._library.lichen_native_save(native._instance, native._slots, size, ctypes.c_size_t(-1))
    assert status == StateStatus.TOO_LARGE
    assert bytes(native._slots) == b"\x5a" * len(native._slots)


def test_storage_that_forgets(native: NativeModel) -> None:
    """A save reads back what it has written: without power nothing is, and the save says so."""
    native.save()
    size = ctypes.c_size_t(native._slot_bytes)
    before = bytes(native._slots)
    status = native._library.lichen_native_save(native._instance, native._slots, size, ctypes.c_size_t(0))
    assert status == StateStatus.STORAGE_FAILED
    assert bytes(native._slots) == before


def test_model_without_state(tmp_path: Path) -> None:
    """It has no _save and no _load, and its folder no header for them; asking for its state is one clear error."""
    model = folder_of(tmp_path / "toy", conv_module())
    assert not list(model.path.glob("lichen_st*")) and "_save" not in model.source.read_text()
    native = NativeModel(model)
    for call in (native.read_state, native.save, native.load, lambda: native.write_state(b"")):
        with pytest.raises(InputError, match="toy has no state"):
            call()


def test_twins_agree_on_the_numbers() -> None:
    """Every status has the same number in C and in Python."""
    text = (RUNTIME / "lichen_storage.h").read_text()
    in_c = {name: int(value) for name, value in re.findall(r"LICHEN_STATE_(\w+) = (\d+)", text)}
    assert in_c == {status.name: int(status) for status in StateStatus}


COMPILERS = [
    ["gcc", "-std=c99"],
    ["g++", "-std=c++17", "-x", "c++"],
    ["arm-none-eabi-gcc", "-std=c99", "-mcpu=cortex-m0", "-mthumb"],
    ["avr-gcc", "-std=c99", "-mmcu=atmega328p"],
]


@pytest.mark.parametrize("command", COMPILERS, ids=lambda command: f"{command[0]} {command[1]}")
def test_the_c_is_clean(model: ModelFolder, tmp_path: Path, command: list[str]) -> None:
    """Model, firmware and headers compile without a warning as C99 and as C++17, for the host, Cortex-M and AVR."""
    if shutil.which(command[0]) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{command[0]} is not installed")
    (tmp_path / "model.h").write_text(model.glue())
    include = [f"-I{path}" for path in (tmp_path, model.path, RUNTIME, RUNTIME.parents[1] / "targets/firmware")]
    flags = [*WARNINGS[1:], "-DLICHEN_STORAGE", "-Os", *include, "-fsyntax-only"]
    for source in (model.source, RUNTIME / "main.c"):
        subprocess.run([*command, *flags, str(source)], check=True)
    for header in ("storage", "state", "memory_storage", "bytes", "crc32"):
        language = [] if "-x" in command else ["-x", "c"]
        subprocess.run([*command, *language, *flags, "-include", f"lichen_{header}.h", "/dev/null"], check=True)


def test_object_has_no_mutable_globals_and_no_heap(model: ModelFolder, tmp_path: Path) -> None:
    """Saving keeps nothing between calls, and wants of libc no more than copying."""
    subprocess.run(["gcc", "-std=c99", "-O2", "-c", str(model.source), "-o", "model.o"], cwd=tmp_path, check=True)
    symbols = subprocess.run(["nm", "model.o"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    kinds = [(line.split()[-2], line.split()[-1]) for line in symbols.splitlines()]
    assert not [name for kind, name in kinds if kind in "bBdDcC"]
    assert {name for kind, name in kinds if kind == "U"} <= {"memcpy", "memmove", "memset"}
    assert {name for kind, name in kinds if kind == "T"} >= {"streaming_save", "streaming_load"}
