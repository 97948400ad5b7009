"""A session with the toy firmware, which runs as a process under sanitizers."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lichen.device import DeviceCounters, Operation, RefusedError, Session, Status
from lichen.errors import DeviceError, InputError
from lichen.targets.process import ProcessTransport

Connect = Callable[[Path], Session]
X = np.arange(600).astype(np.uint8)
K = np.array([3, 5, 7], np.uint8)
MANIFEST: dict[str, Any] = {
    "name": "toy",
    "digest": "0123456789abcdef",
    "inputs": [{"name": "x", "shape": [1, 20, 30], "dtype": "int8"}, {"name": "k", "shape": [1, 3], "dtype": "int8"}],
    "outputs": [{"name": "y", "shape": [1, 20, 30], "dtype": "int8"}, {"name": "n", "shape": [1], "dtype": "int32"}],
}


def expected(x: np.ndarray[Any, Any], k: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return ((x + k[0]) * k[1]) ^ k[2]


def test_info(connect: Connect, toy_program: Path, small_program: Path) -> None:
    """The device says what it runs and what its frames carry."""
    info = connect(toy_program).info
    assert (info.name, info.digest, info.max_payload) == ("toy", "0123456789abcdef", 512)
    assert (info.inputs, info.outputs, info.arena_bytes, info.validates) == (2, 2, 607, False)
    assert connect(small_program).info.max_payload == 64


@pytest.mark.parametrize("program", ["toy_program", "small_program", "validating_program"])
def test_infer(connect: Connect, program: str, request: pytest.FixtureRequest) -> None:
    """Tensors longer than a frame go and come in pieces, and every call of infer is one inference."""
    session = connect(request.getfixturevalue(program))
    for count in (1, 2, 3):
        y, n = session.infer([X + np.uint8(count), K])
        np.testing.assert_array_equal(y, expected(X + np.uint8(count), K))
        assert n.tobytes() == struct.pack("<I", count)


def test_manifest_gives_shapes_and_types(toy_program: Path) -> None:
    """With a manifest the tensors have the model's shapes and types."""
    x = X.astype(np.int8).reshape(1, 20, 30)
    with Session(ProcessTransport([str(toy_program)], "toy"), MANIFEST) as session:
        y, n = session.infer([x, np.array([[3, 5, 7]], np.int8)])
    np.testing.assert_array_equal(y, expected(X, K).astype(np.int8).reshape(1, 20, 30))
    assert n.dtype == np.int32
    assert n.tolist() == [1]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"digest": "f" * 16}, "digest 0123456789abcdef, but toy was compiled with digest ffff"),
        ({"inputs": MANIFEST["inputs"][:1]}, r"\[600, 3, 600, 4\] bytes"),
    ],
)
def test_another_model_is_refused(toy_program: Path, change: dict[str, Any], sentence: str) -> None:
    """A device that runs another model than the manifest's is named in one sentence, and its process is not left behind."""
    transport = ProcessTransport([str(toy_program)], "toy")
    with pytest.raises(DeviceError, match=sentence):
        Session(transport, MANIFEST | change)
    assert transport.exit_code == 0


@pytest.mark.parametrize("inputs", [[X], [X, K, K], [X, K.astype(np.float32)], [X[:-1], K], [X.reshape(20, 30), K]])
def test_wrong_arrays_are_refused(connect: Connect, toy_program: Path, inputs: list[np.ndarray[Any, Any]]) -> None:
    """An array of another type or shape is an error of the caller; nothing of it reaches the device."""
    session = connect(toy_program)
    before = session.counters()
    with pytest.raises(InputError):
        session.infer(inputs)
    assert session.counters().requests == before.requests + 1


def test_run_until_and_arena(connect: Connect, validating_program: Path) -> None:
    """A validating build stops in front of each kernel call, and the arena shows the tensor as it is there."""
    session = connect(validating_program)
    assert session.info.validates
    stages = [X, X + np.uint8(3), (X + np.uint8(3)) * np.uint8(5), expected(X, K)]
    for k, stage in enumerate(stages):
        session.write_inputs([X, K])
        session.run_until(k)
        arena = np.frombuffer(session.read_arena(), np.uint8)
        assert len(arena) == 607
        np.testing.assert_array_equal(arena[:600], stage)
        assert session.read_arena(600, 3) == K.tobytes()
    np.testing.assert_array_equal(session.infer([X, K])[0], expected(X, K))


@pytest.mark.parametrize("program", ["rows_program", "small_rows_program"])
def test_inputs_by_rows(connect: Connect, program: str, request: pytest.FixtureRequest) -> None:
    """The host sends rows while the inference runs, in pieces where a frame carries less; the other input it writes before."""
    session = connect(request.getfixturevalue(program))
    assert [slot.row_bytes for slot in session.inputs] == [40, 0] and session.info.takes_rows
    for count in range(1, 4):
        y, n = session.infer([X + np.uint8(count), K])
        np.testing.assert_array_equal(y, expected(X + np.uint8(count), K))
        assert n.tobytes() == struct.pack("<I", count)
    for k, stage in enumerate([X + np.uint8(3), (X + np.uint8(3)) * np.uint8(5), expected(X, K)], 1):
        session.write_inputs([X, K])
        session.run_until(k)
        assert session.read_arena(0, 600) == stage.tobytes()
    session.write_inputs([X, K])
    session.run_until(0)  # stops before a row is wanted
    assert session.link.request(Operation.WANTED) == b""


def test_a_host_that_disappears_in_the_middle_can_come_back(connect: Connect, rows_program: Path) -> None:
    """Whether it begins a new session, resets the model or goes on where it broke off: the next inference is whole."""
    session = connect(rows_program)

    def break_off() -> None:
        session.write_inputs([X, K])
        session.link.request(Operation.INFER)
        session.link.request(Operation.WRITE_INPUT, struct.pack("<BI", 0, 0) + bytes(40))
        assert session.link.request(Operation.WANTED) == struct.pack("<BI", 0, 40)

    for way_back in (session.connect, session.reset):
        break_off()
        for operation in (Operation.INFER, Operation.RUN_UNTIL, Operation.READ_OUTPUT):
            assert refusal(session, operation) == Status.NOT_READY
        way_back()
        assert session.link.request(Operation.WANTED) == b""
        assert refusal(session, Operation.READ_OUTPUT, struct.pack("<BIH", 0, 0, 4)) == Status.NOT_READY
        np.testing.assert_array_equal(session.infer([X, K])[0], expected(X, K))


def test_an_inference_broken_off_by_its_caller_does_not_disturb_the_next(
    connect: Connect, rows_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key pressed between two rows leaves the device waiting; the session knows."""
    session = connect(rows_program)
    with monkeypatch.context() as patch:
        patch.setattr(session, "_wanted", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            session.infer([X, K])
    np.testing.assert_array_equal(session.infer([X, K])[0], expected(X, K))


def test_rows_that_are_not_wanted_are_refused(connect: Connect, rows_program: Path) -> None:
    """Before the inference, of another input, out of order, or more than the row: nothing is changed."""
    session = connect(rows_program)
    piece = struct.pack("<BI", 0, 0) + bytes(40)
    assert refusal(session, Operation.WRITE_INPUT, piece) == Status.NOT_READY
    session.write_inputs([X, K])
    session.link.request(Operation.INFER)
    before = session.read_arena()
    for wrong, status in (
        (struct.pack("<BI", 1, 0) + bytes(3), Status.NOT_READY),
        (struct.pack("<BI", 2, 0) + bytes(3), Status.BAD_INDEX),
        (struct.pack("<BI", 0, 40) + bytes(40), Status.BAD_RANGE),
        (piece + b"x", Status.BAD_RANGE),
        (piece[:5], Status.BAD_LENGTH),
    ):
        assert refusal(session, Operation.WRITE_INPUT, wrong) == status
    assert session.read_arena() == before and session.link.request(Operation.WANTED) == struct.pack("<BI", 0, 0)


def test_validation_needs_its_build(connect: Connect, toy_program: Path) -> None:
    """A firmware that cannot stop says so."""
    session = connect(toy_program)
    session.write_inputs([X, K])
    for call in (lambda: session.run_until(1), session.read_arena):
        with pytest.raises(RefusedError, match="does not have this operation") as error:
            call()
        assert error.value.status == Status.UNKNOWN_OPERATION


def test_reset_restores_state(connect: Connect, toy_program: Path) -> None:
    """After reset the model's state has its initial values and the inputs have to be written again."""
    session = connect(toy_program)
    session.infer([X, K])
    session.write_inputs([X, K])
    session.reset()
    assert refusal(session, Operation.INFER) == Status.NOT_READY
    assert session.infer([X, K])[1].tobytes() == struct.pack("<I", 1)


def test_stack_and_counters(connect: Connect, toy_program: Path) -> None:
    """The device's stack mark and counters arrive as they were sent."""
    session = connect(toy_program)
    assert session.stack_used() == 1234
    assert session.counters() == DeviceCounters(requests=4, repeated=0, damaged=0, oversized=0)


def refusal(session: Session, operation: Operation, payload: bytes = b"") -> int:
    with pytest.raises(RefusedError) as error:
        session.link.request(operation, payload)
    return error.value.status


def test_refusals_change_nothing(connect: Connect, validating_program: Path) -> None:
    """Every request that cannot be carried out has its status, and the inference behind them is as if they had not been sent."""
    session = connect(validating_program)
    write = lambda index, offset, data: struct.pack("<BI", index, offset) + data  # noqa: E731
    read = lambda index, offset, count: struct.pack("<BIH", index, offset, count)  # noqa: E731
    assert refusal(session, Operation.INFER) == Status.NOT_READY
    assert refusal(session, Operation.READ_OUTPUT, read(0, 0, 1)) == Status.NOT_READY
    session.link.request(Operation.WRITE_INPUT, write(0, 0, X.tobytes()[:300]))
    assert refusal(session, Operation.INFER) == Status.NOT_READY
    cases = [
        (Operation.WRITE_INPUT, b"", Status.BAD_LENGTH),
        (Operation.WRITE_INPUT, write(0, 300, b""), Status.BAD_LENGTH),
        (Operation.WRITE_INPUT, write(2, 0, b"a"), Status.BAD_INDEX),
        (Operation.WRITE_INPUT, write(0, 299, b"a"), Status.BAD_RANGE),
        (Operation.WRITE_INPUT, write(0, 301, b"a"), Status.BAD_RANGE),
        (Operation.WRITE_INPUT, write(0, 2**32 - 1, b"a"), Status.BAD_RANGE),
        (Operation.WRITE_INPUT, write(0, 300, bytes(301)), Status.BAD_RANGE),
        (Operation.WRITE_INPUT, write(1, 0, bytes(4)), Status.BAD_RANGE),
        (Operation.INFER, b"a", Status.BAD_LENGTH),
        (Operation.RESET, b"a", Status.BAD_LENGTH),
        (Operation.RUN_UNTIL, b"a", Status.BAD_LENGTH),
        (Operation.RUN_UNTIL, b"aa", Status.NOT_READY),
        (Operation.INFO, b"a", Status.BAD_LENGTH),
        (Operation.TENSORS, b"", Status.BAD_LENGTH),
        (Operation.TENSORS, b"\x04", Status.BAD_INDEX),
        (Operation.STACK, b"a", Status.BAD_LENGTH),
        (Operation.COUNTERS, b"a", Status.BAD_LENGTH),
        (Operation.READ_ARENA, bytes(5), Status.BAD_LENGTH),
        (Operation.READ_ARENA, struct.pack("<IH", 607, 1), Status.BAD_RANGE),
        (Operation.READ_ARENA, struct.pack("<IH", 2**32 - 1, 2), Status.BAD_RANGE),
        (Operation.READ_ARENA, struct.pack("<IH", 0, 513), Status.BAD_RANGE),
        (Operation.READ_OUTPUT, bytes(6), Status.BAD_LENGTH),
        (Operation.READ_OUTPUT, read(2, 0, 1), Status.BAD_INDEX),
    ]
    for operation, payload, status in cases:
        assert refusal(session, operation, payload) == status, (operation, payload)
    session.link.request(Operation.WRITE_INPUT, write(0, 300, X.tobytes()[300:]))
    session.link.request(Operation.WRITE_INPUT, write(1, 0, K.tobytes()))
    session.link.request(Operation.INFER)
    assert session.link.request(Operation.READ_OUTPUT, read(1, 0, 4)) == struct.pack("<I", 1)
    assert session.link.request(Operation.READ_OUTPUT, read(0, 100, 500)) == expected(X, K).tobytes()[100:]
    for payload in (read(0, 601, 0), read(0, 600, 1), read(0, 2**32 - 1, 1), read(0, 0, 601), read(1, 0, 5)):
        assert refusal(session, Operation.READ_OUTPUT, payload) == Status.BAD_RANGE
    session.link.request(Operation.WRITE_INPUT, write(0, 0, b"a"))
    assert refusal(session, Operation.READ_OUTPUT, read(0, 0, 1)) == Status.NOT_READY  # it may have been written over


def test_device_that_ends_is_noticed() -> None:
    """A process that ends by itself is named with its last words at once, not after the deadline."""
    transport = ProcessTransport(["sh", "-c", "echo out of luck >&2; exit 3"], "emulator")
    with pytest.raises(DeviceError, match="emulator ended with exit code 3: out of luck"):
        Session(transport)


def test_silent_device_is_given_up() -> None:
    """A device that never answers is given up at the deadline, with the operation named; closing ends even a deaf process."""
    transport = ProcessTransport(["sleep", "60"], "emulator", grace=0.1)
    with pytest.raises(DeviceError, match=r"has not answered INFO for 0\.2 s"):
        Session(transport, first_wait=0.05, deadline=0.2)
    assert transport.exit_code is not None


def test_missing_program() -> None:
    """A program that is not there is an error of ours, not of the operating system."""
    with pytest.raises(DeviceError, match="cannot be started"):
        ProcessTransport(["/nonexistent/emulator"], "emulator")
