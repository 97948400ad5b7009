"""What the two ends of the link say to each other; `backend/runtime/lichen_protocol.h` is its twin and explains it."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from lichen.backend.lesson import REASONS as LESSON_REASONS
from lichen.backend.lesson import LessonStatus
from lichen.backend.state import StateStatus
from lichen.errors import DeviceError

VERSION = 1
FEATURE_VALIDATE = 0x01
FEATURE_STATE = 0x02
FEATURE_STORAGE = 0x04
FEATURE_LEARN = 0x08
FEATURE_ROWS = 0x10
WRITE_INPUT_FIXED_BYTES = 5  # index and offset, in front of the bytes to write
WRITE_STATE_FIXED_BYTES = 4  # offset
WANTED = struct.Struct("<BI")  # index and offset
LESSONS = struct.Struct("<IIf")  # the answer to LESSONS


class Operation(IntEnum):
    """The second byte of a request; from `CHANGES` up it changes the device and is answered by a status alone."""

    INFO = 0x01
    TENSORS = 0x02
    READ_OUTPUT = 0x03
    STACK = 0x04
    COUNTERS = 0x05
    READ_ARENA = 0x06
    READ_STATE = 0x07
    LESSONS = 0x08
    ROWS = 0x09
    WANTED = 0x0A
    CHANGES = 0x80
    WRITE_INPUT = 0x81
    INFER = 0x82
    RESET = 0x83
    RUN_UNTIL = 0x84
    CHECK_STATE = 0x85
    WRITE_STATE = 0x86
    SAVE = 0x87
    LOAD = 0x88
    BEGIN = 0x89
    LEARN = 0x8A


class Status(IntEnum):
    """The second byte of a reply; all but `OK` are refusals that have changed nothing."""

    OK = 0
    UNKNOWN_OPERATION = 1
    BAD_LENGTH = 2
    BAD_INDEX = 3
    BAD_RANGE = 4
    NOT_READY = 5
    NOT_CONNECTED = 6
    NOTHING_SAVED = 7
    DAMAGED_STATE = 8
    OTHER_VERSION = 9
    OTHER_MODEL = 10
    WRONG_LENGTH = 11
    TOO_LARGE = 12
    STORAGE_FAILED = 13
    STATE_TORN = 14
    NOT_FINITE = 15
    NO_SUCH_CLASS = 16
    TOO_MANY_CLASSES = 17
    DIVERGED = 18
    BAD_RATE = 19
    DAMAGED_WEIGHTS = 20


REASONS = {
    Status.UNKNOWN_OPERATION: "its firmware does not have this operation",
    Status.BAD_LENGTH: "the request has the wrong length",
    Status.BAD_INDEX: "the model has no input or output of that number",
    Status.BAD_RANGE: "the range reaches outside the tensor or is more than a frame carries",
    Status.NOT_READY: "what it needs has not been sent before, there is no inference to read from, or one waits for a row",
    Status.NOT_CONNECTED: "it was reset since the session began; begin a new one",
    Status.NOTHING_SAVED: "no state is saved",
    Status.DAMAGED_STATE: "the state is damaged",
    Status.OTHER_VERSION: "the state is in another version of its format",
    Status.OTHER_MODEL: "the state is that of another model",
    Status.WRONG_LENGTH: "the state has another length than the model's",
    Status.TOO_LARGE: "the state does not fit the slots of its storage",
    Status.STORAGE_FAILED: "its storage does not hold what is written to it",
    Status.STATE_TORN: "its state was written only in part; write it anew, load the saved one, or reset the model",
    **{Status[status.name]: reason for status, reason in LESSON_REASONS.items()},
    Status.DAMAGED_WEIGHTS: "the coded weights in its flash are damaged; flash its firmware again",
    Status.BAD_RATE: "the learning rate is not a finite number from 0",
}


def state_status(status: int) -> StateStatus | None:
    """What a refusal says of a blob of state; `None` if it is about something else."""
    known = Status.NOTHING_SAVED <= status <= Status.STORAGE_FAILED
    return StateStatus(status - Status.NOTHING_SAVED + StateStatus.NOTHING_SAVED) if known else None


def lesson_status(status: int) -> LessonStatus | None:
    """What a refusal says of a sample to learn from; `None` if it is about something else."""
    known = Status.NOT_FINITE <= status <= Status.DIVERGED
    return LessonStatus(status - Status.NOT_FINITE + LessonStatus.NOT_FINITE) if known else None


@dataclass(frozen=True)
class Info:
    """What a device says of itself and its model; `digest` is the manifest's, 16 hex digits."""

    version: int
    features: int
    max_payload: int
    inputs: int
    outputs: int
    digest: str
    arena_bytes: int
    name: str

    _LAYOUT: ClassVar = struct.Struct("<BBHBBQI")

    @property
    def validates(self) -> bool:
        """Whether the firmware can stop before a kernel call and show its arena."""
        return bool(self.features & FEATURE_VALIDATE)

    @property
    def has_state(self) -> bool:
        """Whether the model has state that can be read and written."""
        return bool(self.features & FEATURE_STATE)

    @property
    def has_storage(self) -> bool:
        """Whether the device can save its model's state."""
        return bool(self.features & FEATURE_STORAGE)

    @property
    def takes_rows(self) -> bool:
        """Whether inputs come by rows, while the inference waits for them."""
        return bool(self.features & FEATURE_ROWS)

    @classmethod
    def parse(cls, payload: bytes) -> Info:
        """The answer to INFO. Raises `DeviceError` if it speaks another version of the protocol."""
        if not payload or payload[0] != VERSION or len(payload) < cls._LAYOUT.size:
            spoken = payload[0] if payload else "none"
            raise DeviceError(
                f"The device speaks version {spoken} of the link protocol and this Lichen version {VERSION}: "
                "rebuild its firmware with this Lichen."
            )
        version, features, max_payload, inputs, outputs, digest, arena_bytes = cls._LAYOUT.unpack_from(payload)
        name = re.sub(r"\W", "?", payload[cls._LAYOUT.size :].decode("ascii", "replace"))
        if max_payload <= WRITE_INPUT_FIXED_BYTES:
            raise DeviceError(
                f"The device says that its frames carry {max_payload} bytes, which is too few to be true."
            )
        return cls(version, features, max_payload, inputs, outputs, f"{digest:016x}", arena_bytes, name)


@dataclass(frozen=True)
class DeviceCounters:
    """What a device has seen on its end of the link since its reset."""

    requests: int
    repeated: int
    damaged: int
    oversized: int

    BYTES: ClassVar = 16

    @classmethod
    def parse(cls, payload: bytes) -> DeviceCounters:
        """The answer to COUNTERS, which has `BYTES` bytes."""
        return cls(*struct.unpack("<4I", payload))
