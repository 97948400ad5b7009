"""Ten thousand damaged frames against the firmware's own code, under address and undefined sanitizers.

The firmware runs as a process of the host. A model in Python knows what the device may have applied; whatever is sent in between, the
device's answers and, at the end of every round, its whole arena and state have to be the model's.
"""

from __future__ import annotations

import copy
import random
import struct
from pathlib import Path

import pytest

from lichen.device.frame import DamagedFrameError, Frame, FrameReader, decode, encode
from lichen.device.protocol import FEATURE_ROWS, FEATURE_VALIDATE, Operation, Status
from lichen.targets.process import ProcessTransport

FRAMES = 10_000
PER_ROUND = 20
X, K, N, ARENA = 600, 3, 4, 607
ROW = 40


class ToyTwin:
    """What `toy/model.h` and the device around it do, in Python: answers for requests that arrive whole."""

    def __init__(self, max_payload: int) -> None:
        self.arena = bytearray(ARENA)
        self.written = [0, 0]
        self.inferences = self.finished = 0
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
        self.finished += 1
        self.arena[X + K :] = struct.pack("<I", self.inferences)
        self.arena[:X] = bytes(((x + k0) * k1 & 0xFF) ^ k2 for x in self.arena[:X])
        self.written, self.inferred = [0, 0], True


class RowsTwin(ToyTwin):
    """The toy model whose first input comes by rows of `ROW` bytes."""

    def __init__(self, max_payload: int) -> None:
        super().__init__(max_payload)
        self.wanted: int | None = None  # the next byte of x, while an inference waits for it

    def _perform(self, code: int, payload: bytes) -> tuple[int, bytes]:
        if code in (Operation.INFO, Operation.RESET) and payload:
            return Status.BAD_LENGTH, b""
        if code == Operation.WANTED:
            return Status.OK, b"" if self.wanted is None else struct.pack("<BI", 0, self.wanted)
        if code in (Operation.INFO, Operation.RESET) and (self.wanted is not None or code == Operation.RESET):
            self.wanted, self.written, self.inferred = None, [0, 0], False
        if code == Operation.INFO:
            features = FEATURE_VALIDATE | FEATURE_ROWS
            info = struct.pack("<BBHBBQI", 1, features, self.max_payload, 2, 2, 0x0123456789ABCDEF, ARENA) + b"toy"
            return Status.OK, info[: self.max_payload]
        if code == Operation.RESET:
            self.inferences, self.arena = 0, bytearray(ARENA)
            return Status.OK, b""
        if code == Operation.WRITE_INPUT and payload[0] == 0:
            return self._take(payload), b""
        if self.wanted is not None and code != Operation.READ_ARENA:
            return Status.NOT_READY, b""
        if code == Operation.INFER and not payload:
            if self.written[1] != K:
                return Status.NOT_READY, b""
            self.inferences += 1
            self.arena[X + K :] = struct.pack("<I", self.inferences)
            self.wanted = 0
            return Status.OK, b""
        return super()._perform(code, payload)

    def _take(self, payload: bytes) -> int:
        offset, data = struct.unpack("<I", payload[1:5])[0], payload[5:]
        if not data:
            return Status.BAD_LENGTH
        if self.wanted is None:
            return Status.NOT_READY
        if offset != self.wanted or len(data) > ROW - self.wanted % ROW:
            return Status.BAD_RANGE
        self.arena[offset : offset + len(data)] = data
        self.wanted += len(data)
        if self.wanted == X:
            self.wanted, self.inferences = None, self.inferences - 1
            self._infer()
        return Status.OK


def random_row_request(rng: random.Random, twin: RowsTwin) -> tuple[int, bytes]:
    """The same for a model whose input comes by rows; now and then the host begins anew."""
    kind = rng.random()
    if kind < 0.01:
        return rng.choice([Operation.INFO, Operation.INFO, Operation.RESET]), rng.choice([b"", b"", b"", b"x"])
    if kind < 0.15:
        return Operation.WANTED, b""
    if kind < 0.8 and (twin.wanted is not None or rng.random() < 0.1):
        at = twin.wanted or 0
        count = min(ROW - at % ROW, twin.max_payload - 5)
        offset, count = rng.choice([(at, count)] * 8 + [(at, 1), (at + 1, count), (0, count), (at, count + 1)])
        return Operation.WRITE_INPUT, struct.pack("<BI", 0, offset) + rng.randbytes(min(count, twin.max_payload - 5))
    twin.written[0] = X  # or all but x would be left out
    request = random_request(rng, twin)
    twin.written[0] = 0
    return request


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


@pytest.mark.parametrize(
    ("program", "payload"),
    [("validating_program", 512), ("small_validating_program", 64), ("rows_program", 512), ("small_rows_program", 24)],
)
def test_ten_thousand_damaged_frames(program: str, payload: int, request: pytest.FixtureRequest) -> None:
    """Every answer is right or a refusal, a damaged frame changes nothing, what is repeated is applied once, no sanitizer objects.

    Where the first input comes by rows most of it happens in the middle of inferences, which the host ends now and then.
    """
    rng = random.Random(payload)
    line = Line(request.getfixturevalue(program))
    twin: ToyTwin = RowsTwin(payload) if "rows" in program else ToyTwin(payload)
    assert line.ask(Operation.INFO).code == Status.OK
    damaged = accepted = 0
    while damaged < FRAMES:
        stream, ahead = bytearray(), copy.deepcopy(twin)
        for _ in range(PER_ROUND):
            next_ = random_row_request(rng, ahead) if isinstance(ahead, RowsTwin) else random_request(rng, ahead)
            frame = Frame(line.next_sequence(), *next_)
            encoded = encode(frame)
            stream += damage(rng, encoded)
            damaged += 1
            if rng.random() < 0.7:  # often the host clears the line and sends the same again
                stream += b"\0" + encoded * rng.choice([1, 1, 2])
                ahead.answer(frame)
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
    assert accepted > FRAMES // 2 and twin.finished > 10
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
