"""Ten thousand damaged frames against the firmware's own code, under address and undefined sanitizers.

The firmware runs as a process of the host. A model in Python knows what the device may have applied; whatever is sent in between, the
device's answers and, at the end of every round, its whole arena and state have to be the model's.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from lichen.device.frame import DamagedFrameError, Frame, FrameReader, decode, encode
from lichen.device.protocol import Operation, Status
from lichen.targets.process import ProcessTransport

FRAMES = 10_000
PER_ROUND = 20
X, K, N, ARENA = 600, 3, 4, 607


class ToyTwin:
    """What `toy/model.h` and the device around it do, in Python: answers for requests that arrive whole."""

    def __init__(self, max_payload: int) -> None:
        self.arena = bytearray(ARENA)
        self.written = [0, 0]
        self.inferences = 0
        self.inferred = False
        self.max_payload = max_payload
        self.last: tuple[int, int] | None = None

    def answer(self, request: Frame) -> Frame:
        """The reply to `request`, carried out unless it repeats the last one."""
        if request.code & Operation.CHANGES and self.last and self.last[0] == request.sequence:
            return Frame(request.sequence, self.last[1])
        status, payload = self._perform(request.code, request.payload)
        self.last = (request.sequence, status)
        return Frame(request.sequence, status, payload)

    def _perform(self, code: int, payload: bytes) -> tuple[int, bytes]:
        match code:
            case Operation.READ_ARENA:
                offset, count = struct.unpack("<IH", payload)
                return Status.OK, bytes(self.arena[offset : offset + count])
            case Operation.READ_OUTPUT:
                index, offset, count = struct.unpack("<BIH", payload)
                if not self.inferred:
                    return Status.NOT_READY, b""
                start = offset + (0 if index == 0 else X + K)
                return Status.OK, bytes(self.arena[start : start + count])
            case Operation.WRITE_INPUT:
                index, offset = struct.unpack("<BI", payload[:5])
                data, size = payload[5:], (X, K)[index]
                if offset not in (0, self.written[index]) or len(data) > size - offset:
                    return Status.BAD_RANGE, b""
                start = offset + (0 if index == 0 else X)
                self.arena[start : start + len(data)] = data
                self.written[index], self.inferred = offset + len(data), False
                return Status.OK, b""
            case Operation.INFER:
                if self.written != [X, K]:
                    return Status.NOT_READY, b""
                self._infer()
                return Status.OK, b""
        return Status.UNKNOWN_OPERATION, b""

    def _infer(self) -> None:
        k0, k1, k2 = self.arena[X : X + K]
        self.inferences += 1
        self.arena[X + K :] = struct.pack("<I", self.inferences)
        self.arena[:X] = bytes(((x + k0) * k1 & 0xFF) ^ k2 for x in self.arena[:X])
        self.written, self.inferred = [0, 0], True


def random_request(rng: random.Random, twin: ToyTwin) -> tuple[int, bytes]:
    """Mostly what makes sense next, so that inferences happen; sometimes not."""
    most = twin.max_payload - 5
    kind = rng.random()
    if kind < 0.15:
        return Operation.READ_OUTPUT, struct.pack("<BIH", rng.randrange(2), 0, 4)
    if kind < 0.3:
        return Operation.INFER, b""
    if kind < 0.35:
        return rng.choice([0x00, 0x07, 0x7F, 0x85, 0xFF]), rng.randbytes(rng.randrange(9))
    index = 0 if twin.written[0] < X else 1
    offset = rng.choice([twin.written[index]] * 9 + [rng.randrange(X)]) if index == 0 else 0
    count = min((X, K)[index] - offset, rng.choice([most, most, 3])) or 1
    return Operation.WRITE_INPUT, struct.pack("<BI", index, offset) + rng.randbytes(count)


def damage(rng: random.Random, encoded: bytes) -> bytes:
    """Bits flipped, cut, doubled, bytes put in, bytes taken out, blown up, or something else altogether."""
    data = bytearray(encoded)
    match rng.randrange(7):
        case 0:
            for _ in range(rng.choice([1, 1, 2, 9])):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            del data[rng.randrange(len(data)) :]
        case 2:
            data.extend(bytes(data))
        case 3:
            at = rng.randrange(len(data))
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        case 4:
            at = rng.randrange(len(data))
            del data[at : at + rng.randrange(1, 9)]
        case 5:
            at = rng.randrange(len(data))
            data[at:at] = bytes(rng.randrange(1, 256) for _ in range(rng.randrange(600, 2000)))
        case 6:
            data = bytearray(rng.randbytes(rng.randrange(1, 900)))
    return bytes(data)


def whole_requests(stream: bytes) -> list[Frame]:
    """The requests in `stream` that a receiver has to accept; an altered one has a CRC-32 to pass."""
    found = []
    for piece in stream.split(b"\0")[:-1]:
        try:
            found.append(decode(piece))
        except DamagedFrameError:
            continue
    return found


class Line:
    """Frames to and from the process, without a link: the test decides what is sent."""

    def __init__(self, program: Path) -> None:
        self.transport = ProcessTransport([str(program)], "toy")
        self._reader = FrameReader()
        self._sequence = 0

    def next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) % 256
        return self._sequence

    def answers(self, count: int) -> list[Frame]:
        got: list[Frame] = []
        while len(got) < count:
            data = self.transport.read(20)
            assert data, f"the device gave {len(got)} of {count} answers"
            got += self._reader.feed(data)
        return got

    def ask(self, operation: int, payload: bytes = b"") -> Frame:
        self.transport.write(encode(Frame(self.next_sequence(), operation, payload)))
        return self.answers(1)[0]


@pytest.mark.parametrize("payload", [512, 64])
def test_ten_thousand_damaged_frames(payload: int, request: pytest.FixtureRequest) -> None:
    """Every answer is right or a refusal, a damaged frame changes nothing, what is repeated is applied once, no sanitizer objects."""
    program = request.getfixturevalue("validating_program" if payload == 512 else "small_validating_program")
    rng = random.Random(payload)
    line, twin = Line(program), ToyTwin(payload)
    assert line.ask(Operation.INFO).code == Status.OK
    damaged = accepted = 0
    while damaged < FRAMES:
        stream = bytearray()
        for _ in range(PER_ROUND):
            encoded = encode(Frame(line.next_sequence(), *random_request(rng, twin)))
            stream += damage(rng, encoded)
            damaged += 1
            if rng.random() < 0.7:  # often the host clears the line and sends the same again
                stream += b"\0" + encoded * rng.choice([1, 1, 2])
        stream += b"\0"
        requests = [frame for frame in whole_requests(bytes(stream)) if len(frame.payload) <= payload]
        accepted += len(requests)
        expected = [twin.answer(frame) for frame in requests]
        line.transport.write(bytes(stream))
        assert line.answers(len(expected)) == expected
        arena = b""
        while len(arena) < ARENA:
            count = min(payload, ARENA - len(arena))
            reply = line.ask(Operation.READ_ARENA, struct.pack("<IH", len(arena), count))
            assert reply.code == Status.OK
            arena += reply.payload
        assert arena == twin.arena
    assert accepted > FRAMES // 2 and twin.inferences > 10
    counters = struct.unpack("<4I", line.ask(Operation.COUNTERS).payload)
    assert counters[2] > FRAMES // 4 and counters[3] > FRAMES // 20
    line.transport.close()
    assert line.transport.exit_code == 0  # a sanitizer would have ended it with another


def test_repeated_inference_is_applied_once(toy_program: Path) -> None:
    """The request of an inference that comes five times is answered five times and infers once; the next one infers again."""
    line = Line(toy_program)
    line.ask(Operation.INFO)
    for count in (1, 2):
        line.ask(Operation.WRITE_INPUT, struct.pack("<BI", 0, 0) + bytes(500))
        line.ask(Operation.WRITE_INPUT, struct.pack("<BI", 0, 500) + bytes(100))
        line.ask(Operation.WRITE_INPUT, struct.pack("<BI", 1, 0) + bytes(3))
        sequence = line.next_sequence()
        line.transport.write(encode(Frame(sequence, Operation.INFER)) * 5)
        assert line.answers(5) == [Frame(sequence, Status.OK)] * 5
        assert line.ask(Operation.READ_OUTPUT, struct.pack("<BIH", 1, 0, 4)).payload == struct.pack("<I", count)
    assert struct.unpack("<4I", line.ask(Operation.COUNTERS).payload)[1] == 8
    line.transport.close()


def test_repeated_refusal_is_the_same_refusal(toy_program: Path) -> None:
    """A refused change that comes again is refused again for the first reason."""
    line = Line(toy_program)
    line.ask(Operation.INFO)
    sequence = line.next_sequence()
    line.transport.write(encode(Frame(sequence, Operation.INFER)) * 3)
    assert line.answers(3) == [Frame(sequence, Status.NOT_READY)] * 3
    line.transport.close()


def test_unknown_operations_are_refused(toy_program: Path) -> None:
    """Every number that is no operation is refused as such, so that an old firmware can be told from a broken one."""
    line = Line(toy_program)
    line.ask(Operation.INFO)
    others = {Operation.READ_ARENA, Operation.RUN_UNTIL, Operation.CHANGES}
    others |= {Operation.READ_STATE, Operation.CHECK_STATE, Operation.WRITE_STATE, Operation.SAVE, Operation.LOAD}
    for number in sorted(set(range(256)) - (set(map(int, Operation)) - others)):
        assert line.ask(number, b"abc").code == Status.UNKNOWN_OPERATION, number
    line.transport.close()


def test_reset_device_says_so(toy_program: Path) -> None:
    """Before INFO, as after a reset, everything else is refused, so that a host cannot miss that the device has forgotten."""
    line = Line(toy_program)
    for operation in (Operation.INFER, Operation.RESET, Operation.COUNTERS, Operation.TENSORS, 0xFF):
        assert line.ask(operation).code == Status.NOT_CONNECTED
    assert line.ask(Operation.INFO, b"a").code == Status.BAD_LENGTH
    assert line.ask(Operation.COUNTERS).code == Status.NOT_CONNECTED
    assert line.ask(Operation.INFO).code == Status.OK
    assert line.ask(Operation.COUNTERS).code == Status.OK
    line.transport.close()
