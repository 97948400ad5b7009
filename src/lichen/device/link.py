"""One request, one answer over a line that may lose and damage what it carries.

How it works: a request carries a sequence number and is sent again, after twice the time of the last wait, until a whole
answer with this number arrives. The device applies it once however often it comes, and anything else that arrives is
dropped and counted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from lichen.device import frame
from lichen.device.protocol import REASONS, Operation, Status
from lichen.device.transport import Transport
from lichen.errors import DeviceError


class RefusedError(DeviceError):
    """The device has understood a request and turned it down; it has changed nothing. `status` says why."""

    def __init__(self, operation: Operation, status: int) -> None:
        reason = REASONS[Status(status)] if status in REASONS else f"status {status}, which this Lichen does not know"
        super().__init__(f"The device refuses {operation.name}: {reason}.")
        self.operation = operation
        self.status = status


@dataclass
class LinkCounters:
    """What the host has seen on its end of the link."""

    requests: int = 0
    retries: int = 0  # requests sent once more
    damaged: int = 0  # answers dropped because they were not whole
    stale: int = (
        0  # whole answers to another request than the last: it had been sent again before its first answer came
    )


class Link:
    """The host's end of a link.

    `first_wait` is the time in seconds before a request is sent again, `deadline` the time after which the device is
    given up; both are wall time, and a device that is gone (its process has ended, its port has vanished) is noticed at
    once.
    """

    def __init__(self, transport: Transport, *, first_wait: float = 0.5, deadline: float = 15.0) -> None:
        self.transport = transport
        self.counters = LinkCounters()
        self._first_wait = first_wait
        self._deadline = deadline
        self._reader = frame.FrameReader()
        self._arrived: list[frame.Frame] = []
        self._sequence = 0
        self._clear = (
            b"\0"  # ends what may be left of a frame in the device: at the start, and after a frame sent again
        )

    def request(self, operation: Operation, payload: bytes = b"", *, deadline: float | None = None) -> bytes:
        """The payload of the device's answer.

        Raises `RefusedError` with the device's status, and `DeviceError` when it does not answer within `deadline` seconds.
        """
        self._sequence = (self._sequence + 1) % 256
        self.counters.requests += 1
        deadline = self._deadline if deadline is None else deadline
        encoded = frame.encode(frame.Frame(self._sequence, operation, payload))
        give_up = time.monotonic() + deadline
        wait = self._first_wait
        self.transport.write(self._clear + encoded)
        self._clear = b""
        while (answer := self._answer(min(time.monotonic() + wait, give_up))) is None:
            if time.monotonic() >= give_up:
                raise DeviceError(
                    f"The device has not answered {operation.name} for {deadline:g} s: "
                    "is it connected and running, and was its firmware built by Lichen?"
                )
            self.counters.retries += 1
            wait *= 2
            self._clear = b"\0"
            self.transport.write(self._clear + encoded)
        if answer.code != Status.OK:
            raise RefusedError(operation, answer.code)
        return answer.payload

    def _answer(self, until: float) -> frame.Frame | None:
        """The answer to the last request if it comes before the time `until`."""
        while True:
            while self._arrived:
                answer = self._arrived.pop(0)
                if answer.sequence == self._sequence:
                    return answer
                self.counters.stale += 1
            remaining = until - time.monotonic()
            if remaining <= 0:
                return None
            self._arrived = self._reader.feed(self.transport.read(remaining))
            self.counters.damaged = self._reader.damaged
