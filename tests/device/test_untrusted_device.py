"""What answers need not be a device of ours."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.device import Session
from lichen.device.frame import Frame, FrameReader, encode
from lichen.device.protocol import Operation
from lichen.errors import LichenError

INFO = struct.pack("<BBHBBQI", 1, 1, 64, 1, 1, 7, 100) + b"toy"
HONEST = {Operation.INFO: INFO, Operation.TENSORS: struct.pack("<2I", 3, 3), Operation.READ_OUTPUT: b"abc"}


class Liar:
    """Answers each request honestly, or as `lies` has it: status and payload of the next answers."""

    def __init__(self, lies: list[tuple[int, bytes] | None]) -> None:
        self.lies = lies
        self.answers = b""
        self._reader = FrameReader()

    def write(self, data: bytes) -> None:
        for request in self._reader.feed(data):
            lie = self.lies.pop(0) if self.lies else None
            status, payload = lie or (0, HONEST.get(Operation(request.code), b""))
            self.answers += encode(Frame(request.sequence, status, payload))

    def read(self, timeout: float) -> bytes:
        data, self.answers = self.answers, b""
        return data

    def close(self) -> None:
        pass


statuses = st.one_of(st.just(0), st.integers(0, 255))
infos = st.builds(
    lambda *fields: struct.pack("<BBHBBQI", *fields),
    *(st.just(1), st.integers(0, 255), st.integers(0, 65535), st.integers(0, 3), st.integers(0, 3)),
    *(st.integers(0, 2**64 - 1), st.integers(0, 2000)),
)
lies = st.one_of(st.none(), st.tuples(statuses, st.one_of(st.binary(max_size=40), infos)))


@settings(max_examples=300, deadline=None)
@given(st.lists(lies, max_size=8))
def test_any_answer_is_an_error_or_a_result(answers: list[tuple[int, bytes] | None]) -> None:
    """Whatever the answers contain, a session gives results or an error of ours."""
    try:
        with Session(Liar(answers), deadline=0.05) as session:
            session.read_arena()
            session.stack_used()
            session.counters()
            session.infer([np.zeros(slot.size % 5000, np.uint8) for slot in session.inputs])
    except LichenError:
        pass


def test_honest_answers_are_a_result() -> None:
    """The device of the test above is one a session can work with when it tells the truth."""
    with Session(Liar([])) as session:
        assert session.infer([np.zeros(3, np.uint8)])[0].tobytes() == b"abc"
