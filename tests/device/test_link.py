"""One request, one answer over lines that lose, damage and delay."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.device.frame import Frame, FrameReader, encode
from lichen.device.link import Link, RefusedError
from lichen.device.protocol import Operation, Status
from lichen.errors import DeviceError


class CountingDevice:
    """A device of a few lines, in memory: COUNTERS answers how often INFER was applied, by the rule of the sequence number."""

    def __init__(self) -> None:
        self.applied = 0
        self._reader = FrameReader()
        self._last = -1

    def receive(self, data: bytes) -> list[bytes]:
        return [encode(self._answer(request)) for request in self._reader.feed(data)]

    def _answer(self, request: Frame) -> Frame:
        if request.code == Operation.COUNTERS:
            payload = struct.pack("<I", self.applied)
        elif request.code == Operation.INFER:
            self.applied += request.sequence != self._last
            payload = b""
        else:
            return Frame(request.sequence, Status.UNKNOWN_OPERATION)
        self._last = request.sequence
        return Frame(request.sequence, Status.OK, payload)


class LossyLine:
    """A transport in memory. `faults` says in turn what happens to each frame either way; after them the line is perfect.

    Like any byte stream it never changes the order: a frame that is delayed, by two time-outs of the host, delays all behind it.
    """

    def __init__(self, device: CountingDevice, faults: list[str]) -> None:
        self.device = device
        self.faults = list(faults)
        self._requests, self._answers = b"", b""
        self._requests_held, self._answers_held = 0, 0  # time-outs still to wait

    def write(self, data: bytes) -> None:
        fault = self._next_fault()
        self._requests += self._altered(fault, data)
        self._requests_held = 2 if fault == "delayed" else self._requests_held
        self._let_device_work()

    def read(self, timeout: float) -> bytes:
        if not self._answers or self._answers_held:
            time.sleep(max(timeout, 0))
            self._requests_held = max(self._requests_held - 1, 0)
            self._answers_held = max(self._answers_held - 1, 0)
            self._let_device_work()
            return b""
        data, self._answers = self._answers[:7], self._answers[7:]
        return data

    def close(self) -> None:
        pass

    def _let_device_work(self) -> None:
        if self._requests_held:
            return
        requests, self._requests = self._requests, b""
        for answer in self.device.receive(requests):
            fault = self._next_fault()
            self._answers += self._altered(fault, answer)
            self._answers_held = 2 if fault == "delayed" else self._answers_held

    def _next_fault(self) -> str:
        return self.faults.pop(0) if self.faults else "none"

    @staticmethod
    def _altered(fault: str, data: bytes) -> bytes:
        match fault:
            case "lost":
                return b""
            case "cut":
                return data[: len(data) // 2]  # its zero is lost too, so it runs into the next frame
            case "flipped":
                return data[:2] + bytes((data[2] ^ 0x10,)) + data[3:]
            case "twice":
                return data + data
            case "noise":
                return b"\xa5\x00\x17\x42" + data
        return data


faults = st.sampled_from(["none", "none", "lost", "cut", "flipped", "twice", "noise", "delayed"])


@settings(max_examples=100, deadline=None)
@given(st.lists(faults, max_size=14))
def test_applied_once_whatever_the_line_does(faults: list[str]) -> None:
    """Over a line that loses, cuts, flips, doubles, delays and adds, every request is answered rightly and applied exactly once."""
    device = CountingDevice()
    link = Link(LossyLine(device, faults), first_wait=0.0005, deadline=30)
    for count in range(1, 5):
        assert link.request(Operation.INFER) == b""
        assert device.applied == count
        assert link.request(Operation.COUNTERS) == struct.pack("<I", count)


def test_lost_answer() -> None:
    """When only the answer is lost the request is sent again, answered again, and not applied again."""
    device = CountingDevice()
    link = Link(LossyLine(device, ["none", "lost"]), first_wait=0.001)
    link.request(Operation.INFER)
    assert device.applied == 1
    assert (link.counters.requests, link.counters.retries) == (1, 1)


def test_stale_and_damaged_answers_are_counted() -> None:
    """An answer that comes twice is stale the second time; one that is not whole is counted as damaged."""
    link = Link(LossyLine(CountingDevice(), ["none", "twice", "none", "flipped"]), first_wait=0.001)
    link.request(Operation.INFER)
    link.request(Operation.INFER)
    assert link.counters.stale == 1
    assert link.counters.damaged == 1
    assert link.counters.retries == 1


def test_sequence_number_wraps() -> None:
    """More requests than there are sequence numbers are each applied."""
    device = CountingDevice()
    link = Link(LossyLine(device, []))
    for _ in range(600):
        link.request(Operation.INFER)
    assert device.applied == 600


def test_refusal_is_an_error_with_its_status() -> None:
    """A refusal names the operation and the reason, and is not tried again."""
    link = Link(LossyLine(CountingDevice(), []))
    with pytest.raises(RefusedError, match="refuses STACK: its firmware does not have this operation") as error:
        link.request(Operation.STACK)
    assert error.value.status == Status.UNKNOWN_OPERATION
    assert link.counters.retries == 0


def test_dead_line() -> None:
    """Waits double, so that a line that is dead is not flooded, and end at the deadline."""
    link = Link(LossyLine(CountingDevice(), ["lost"] * 1000), first_wait=0.01)
    start = time.monotonic()
    with pytest.raises(DeviceError, match=r"has not answered INFER for 0\.3 s"):
        link.request(Operation.INFER, deadline=0.3)
    assert 0.3 <= time.monotonic() - start < 2
    assert link.counters.retries <= 5
