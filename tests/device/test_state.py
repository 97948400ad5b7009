"""The state of a model over the link: read, written, saved and loaded, by the firmware's own code under sanitizers."""

from __future__ import annotations

import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graphs import streaming_module
from lichen.backend.emit import emit
from lichen.backend.folder import write_folder
from lichen.backend.program import plan_module
from lichen.backend.state import StateBlob, StateError, StateStatus
from lichen.device import Operation, RefusedError, Session, Status
from lichen.device.executor import LinkExecutor, NativeExecutor
from lichen.device.frame import Frame, FrameReader, encode
from lichen.errors import DeviceError, InputError
from lichen.ir.kernel import PLAIN
from lichen.targets.folder import ModelFolder, open_folder
from lichen.targets.process import ProcessTransport

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "src/lichen/targets/firmware"
RUNTIME = HERE.parents[1] / "src/lichen/backend/runtime"
WARNINGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
STATE = 150  # more than two pieces of the smallest frames
SLOTS = "static uint8_t slots[1024] __attribute__((unused));\n"
IN_MEMORY = ["-DLICHEN_STORAGE", "-DLICHEN_STORAGE_ORIGIN=slots", "-DLICHEN_STORAGE_SLOT_BYTES=512"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A model with state."""
    path = tmp_path_factory.mktemp("model")
    program = plan_module(streaming_module(STATE), PLAIN)
    write_folder(path, program, emit(program, "size"), "nano33ble", "size")
    return open_folder(path)


@pytest.fixture(scope="module")
def build(model: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`build(*flags)`: the model's firmware as a program of the host."""

    def build_(*flags: str) -> Path:
        folder = tmp_path_factory.mktemp("firmware")
        (folder / "model.h").write_text(model.glue())
        (folder / "slots.h").write_text(f"#include <stdint.h>\n{SLOTS}")
        sources = [model.source, RUNTIME / "main.c", HERE / "toy/port_host.c"]
        sources += [FIRMWARE / "storage_memory.c"] if "-DLICHEN_STORAGE" in flags else []
        includes = [f"-I{path}" for path in (folder, model.path, RUNTIME, FIRMWARE)]
        command = ["gcc", *WARNINGS, *SANITIZERS, "-g", "-D_POSIX_C_SOURCE=200809L", "-include", "slots.h", *includes]
        subprocess.run([*command, *flags, *map(str, sources), "-o", str(folder / "firmware")], check=True)
        return folder / "firmware"

    return build_


@pytest.fixture(scope="module", params=[64, 512])
def program(build: Callable[..., Path], request: pytest.FixtureRequest) -> Path:
    """With storage, and frames as on AVR and elsewhere."""
    return build(*IN_MEMORY, f"-DLICHEN_MAX_PAYLOAD={request.param}")


@pytest.fixture
def session(program: Path, model: ModelFolder) -> Iterator[Session]:
    """A session with a freshly started device."""
    with Session(ProcessTransport([str(program)], "device"), model.manifest) as opened:
        yield opened


def sample(seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.int8]]:
    """An input, which the model keeps as its state."""
    return np.random.default_rng(seed).integers(-128, 128, (1, STATE)).astype(np.int8)


def blob_of(model: ModelFolder, state: bytes) -> bytes:
    """The blob of `state`, packed in Python."""
    return StateBlob(model.manifest["digest"], state).pack()


def test_read_and_write(session: Session, model: ModelFolder) -> None:
    """The blob is the one that Python packs, and written to the device it is the state of the next inference."""
    assert (session.info.has_state, session.info.has_storage) == (True, True)
    session.infer([sample(1)])
    blob = session.read_state()
    assert blob == blob_of(model, sample(1).tobytes())
    after = session.infer([sample(2)])[0]
    session.reset()
    session.write_state(blob)
    np.testing.assert_array_equal(session.infer([sample(2)])[0], after)


def test_save_and_load(session: Session) -> None:
    """What was saved survives other inferences and a reset; before the first save there is nothing to load."""
    session.infer([sample(1)])
    state = session.read_state()
    with pytest.raises(StateError, match="no saved state") as error:
        session.load()
    assert error.value.status == StateStatus.NOTHING_SAVED
    assert session.read_state() == state
    for seed in range(2, 5):
        session.infer([sample(seed)])
        saved = session.read_state()
        session.save()
        session.infer([sample(0)])
        session.reset()
        session.load()
        assert session.read_state() == saved


def test_the_host_refuses_what_is_not_this_models(session: Session, model: ModelFolder) -> None:
    """A damaged blob, another model's and one of another length are told apart before anything is sent."""
    session.infer([sample(1)])
    before = session.read_state()
    for blob, status in [
        (before[:50] + bytes([before[50] ^ 4]) + before[51:], StateStatus.DAMAGED),
        (before[:-1], StateStatus.DAMAGED),
        (StateBlob("f" * 16, bytes(STATE)).pack(), StateStatus.OTHER_MODEL),
        (blob_of(model, bytes(STATE - 1)), StateStatus.WRONG_LENGTH),
    ]:
        with pytest.raises(StateError) as error:
            session.write_state(blob)
        assert error.value.status == status
    assert session.read_state() == before


def most(session: Session) -> int:
    """Bytes of a blob that a frame carries."""
    return session.info.max_payload - 4


def send(session: Session, operation: Operation, blob: bytes) -> int:
    """The last status the device gives when `blob` is sent piece by piece, without the host's own check."""
    for offset in range(0, len(blob), most(session)):
        try:
            session.link.request(operation, struct.pack("<I", offset) + blob[offset : offset + most(session)])
        except RefusedError as error:
            return error.status
    return Status.OK


def changed(blob: bytes, at: int, value: bytes) -> bytes:
    """A whole blob with other bytes at `at`."""
    body = blob[:at] + value + blob[at + len(value) : -4]
    return body + struct.pack("<I", zlib.crc32(body))


def test_the_device_refuses_too(session: Session, model: ModelFolder) -> None:
    """Each thing that can be wrong with a blob has its status on the link, and the state stays as it was."""
    session.infer([sample(1)])
    before = session.read_state()
    cases = [
        (before[:60] + bytes([before[60] ^ 4]) + before[61:], Status.DAMAGED_STATE),
        (before[:-1] + bytes([before[-1] ^ 0x80]), Status.DAMAGED_STATE),
        (b"lsta" + before[4:], Status.DAMAGED_STATE),
        (before[:16] + b"\xff\xff\xff\xff" + before[20:], Status.DAMAGED_STATE),
        (before + b"\0", Status.BAD_RANGE),
        (changed(before, 4, b"\x02"), Status.OTHER_VERSION),
        (changed(before, 8, bytes(8)), Status.OTHER_MODEL),
        (blob_of(model, bytes(STATE - 1)), Status.WRONG_LENGTH),
        (blob_of(model, bytes(STATE + 1)), Status.WRONG_LENGTH),
        (before[:20], Status.BAD_LENGTH),
        (b"", Status.OK),
    ]
    for blob, status in cases:
        assert send(session, Operation.CHECK_STATE, blob) == status
        assert send(session, Operation.WRITE_STATE, before) == Status.NOT_READY, "only what was checked is written"
        assert session.read_state() == before


@pytest.fixture(scope="module")
def long_session(program: Path, model: ModelFolder) -> Iterator[Session]:
    """For tests that bring the device to a known state by themselves."""
    with Session(ProcessTransport([str(program)], "device"), model.manifest) as opened:
        yield opened


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_leaves_the_state(long_session: Session, model: ModelFolder, draw: st.DataObject) -> None:
    """However a blob is damaged on its way, the device refuses it, and its state stays as it was, byte by byte."""
    session = long_session
    session.infer([sample(1)])
    before = session.read_state()
    whole = blob_of(model, draw.draw(st.binary(min_size=STATE, max_size=STATE)))
    blob = bytearray(whole)
    for at in draw.draw(st.lists(st.integers(0, len(blob) * 8 - 1), max_size=6, unique=True)):
        blob[at // 8] ^= 1 << at % 8
    cut = draw.draw(st.integers(1, len(blob)))
    del blob[cut:]
    assume(blob != whole)
    send(session, Operation.CHECK_STATE, bytes(blob))
    assert send(session, Operation.WRITE_STATE, bytes(blob)) != Status.OK
    assert send(session, Operation.WRITE_STATE, whole) != Status.OK
    assert session.read_state() == before
    session.infer([sample(1)])


def test_a_state_in_part_is_not_worked_with(program: Path, model: ModelFolder) -> None:
    """When the host falls silent in the middle of a write, nobody gets to see or use the mixture: not even a new session.

    A write that comes to its end, a load or a reset mends it.
    """
    initial, saved = blob_of(model, bytes([256 - 5]) * STATE), blob_of(model, sample(1).tobytes())
    other = blob_of(model, sample(2).tobytes())
    with ProcessTransport([str(program)], "device") as transport:
        session = Session(transport, model.manifest)
        session.infer([sample(1)])
        session.save()
        mends: list[tuple[Callable[[Session], None], bytes]] = [
            (lambda session: session.write_state(saved), saved),
            (Session.load, saved),
            (Session.reset, initial),
        ]
        for mend, state in mends:
            assert send(session, Operation.CHECK_STATE, other) == Status.OK
            session.link.request(Operation.WRITE_STATE, struct.pack("<I", 0) + other[: min(most(session), 100)])
            session = Session(transport, model.manifest)
            session.write_inputs([sample(3)])
            for operation in (Operation.INFER, Operation.SAVE):
                with pytest.raises(RefusedError, match="written only in part") as error:
                    session.link.request(operation)
                assert error.value.status == Status.STATE_TORN
            with pytest.raises(RefusedError, match="written only in part"):
                session.read_state()
            assert send(session, Operation.CHECK_STATE, saved) == Status.OK
            with pytest.raises(RefusedError, match="written only in part"):
                session.read_state()
            mend(session)
            assert session.read_state() == state


def test_something_else_than_was_checked(session: Session, model: ModelFolder) -> None:
    """A host that checks one blob and writes another, damaged one, leaves no state that looks whole."""
    good = blob_of(model, sample(1).tobytes())
    bad = good[:150] + b"\x00\x01\x02\x03" + good[154:]
    session.infer([sample(5)])
    before = session.read_state()
    assert send(session, Operation.CHECK_STATE, good) == Status.OK
    assert send(session, Operation.WRITE_STATE, bad) == Status.DAMAGED_STATE
    if session.info.max_payload > len(bad):
        assert session.read_state() == before  # it came in one piece, of which nothing was taken
    else:
        with pytest.raises(RefusedError, match="written only in part"):
            session.read_state()
    session.write_state(good)
    assert session.read_state() == good


def test_repeated_pieces_are_taken_once(session: Session, model: ModelFolder) -> None:
    """Pieces that a host sends again, having missed the answer, do no harm."""
    blob = blob_of(model, sample(4).tobytes())
    transport, reader, sequence = session.link.transport, FrameReader(), 100
    for operation in (Operation.CHECK_STATE, Operation.WRITE_STATE):
        for offset in range(0, len(blob), most(session)):
            payload = struct.pack("<I", offset) + blob[offset : offset + most(session)]
            transport.write(encode(Frame(sequence, operation, payload)) * 3)
            answers: list[Frame] = []
            while len(answers) < 3:
                answers += reader.feed(transport.read(20))
            assert answers == [Frame(sequence, Status.OK)] * 3
            sequence += 1
    assert session.read_state() == blob


@pytest.mark.parametrize(
    ("operation", "payload", "status"),
    [
        (Operation.READ_STATE, bytes(5), Status.BAD_LENGTH),
        (Operation.READ_STATE, struct.pack("<IH", STATE + 28, 1), Status.BAD_RANGE),
        (Operation.READ_STATE, struct.pack("<IH", 2**32 - 1, 2), Status.BAD_RANGE),
        (Operation.READ_STATE, struct.pack("<IH", 0, 513), Status.BAD_RANGE),
        (Operation.CHECK_STATE, bytes(4), Status.BAD_LENGTH),
        (Operation.CHECK_STATE, struct.pack("<I", 1) + b"a", Status.BAD_RANGE),
        (Operation.WRITE_STATE, struct.pack("<I", 24) + b"a", Status.BAD_RANGE),
        (Operation.WRITE_STATE, bytes(4 + 24), Status.NOT_READY),
        (Operation.SAVE, b"a", Status.BAD_LENGTH),
        (Operation.LOAD, b"a", Status.BAD_LENGTH),
    ],
)
def test_malformed_requests(session: Session, operation: Operation, payload: bytes, status: Status) -> None:
    """A request that cannot be carried out has its status and changes nothing."""
    before = session.read_state()
    with pytest.raises(RefusedError) as error:
        session.link.request(operation, payload)
    assert error.value.status == status
    assert session.read_state() == before


def test_machine_without_storage(build: Callable[..., Path], model: ModelFolder) -> None:
    """Where nothing can be saved the state can still be read and written, and a save says what is missing."""
    with Session(ProcessTransport([str(build())], "device"), model.manifest) as session:
        assert (session.info.has_state, session.info.has_storage) == (True, False)
        session.infer([sample(1)])
        session.write_state(session.read_state())
        for call in (session.save, session.load):
            with pytest.raises(InputError, match="streaming has no storage to save its state in"):
                call()


def test_model_without_state(toy_program: Path) -> None:
    """Asking for its state is one clear error."""
    with Session(ProcessTransport([str(toy_program)], "toy")) as session:
        assert not session.info.has_state
        for call in (session.read_state, session.save, session.load):
            with pytest.raises(InputError, match="toy has no state on this device"):
                call()


def test_state_moves_between_native_and_a_device(program: Path, model: ModelFolder) -> None:
    """A state that the host has computed goes on where a device is, and back."""
    native = NativeExecutor(model)
    with LinkExecutor(Session(ProcessTransport([str(program)], "device"), model.manifest)) as device:
        native.run([sample(1)[None]])
        device.write_state(native.read_state())
        here, there = native.run([sample(2)[None]]), device.run([sample(2)[None]])
        np.testing.assert_array_equal(here[0], there[0])
        device.run([sample(3)[None]])
        native.write_state(device.read_state())
        assert native.read_state() == device.read_state()
        for executor in (native, device):
            executor.save()
            executor.run([sample(4)[None]])
            executor.load()
            assert executor.read_state() == blob_of(model, sample(3).tobytes())


class Claimant:
    """A device that says of its state what it is told to say."""

    def __init__(self, header: bytes) -> None:
        self._header, self._reader, self._answers = header, FrameReader(), b""

    def write(self, data: bytes) -> None:
        for request in self._reader.feed(data):
            answer = struct.pack("<BBHBBQI", 1, 2, 64, 0, 0, 7, 100) if request.code == Operation.INFO else b""
            if request.code == Operation.READ_STATE:
                offset, count = struct.unpack("<IH", request.payload)
                answer = self._header if offset == 0 else bytes(count)
            self._answers += encode(Frame(request.sequence, 0, answer))

    def read(self, timeout: float) -> bytes:
        answers, self._answers = self._answers, b""
        return answers

    def close(self) -> None:
        pass


@pytest.mark.parametrize("count", [0, 100, 2**24, 2**32 - 1])
def test_a_device_that_lies_about_its_state(count: int) -> None:
    """A state that fails its CRC, or would take for ever to read, is the device's error."""
    with Session(Claimant(struct.pack("<4sIQII", b"LSTA", 1, 7, count, 0))) as session, pytest.raises(DeviceError):
        session.read_state()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 300))
def test_any_answer_about_state_is_an_error(noise: bytes, count: int) -> None:
    """Whatever a device says that its state is, the host finds out."""
    header = noise[:16] + struct.pack("<I", count) + noise[16:]
    with Session(Claimant(header)) as session, pytest.raises(DeviceError):
        session.read_state()
