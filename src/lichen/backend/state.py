"""The state of a model as a blob of bytes; twin of `runtime/lichen_state.h`, which lays the format down."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from lichen.errors import InputError

MAGIC = b"LSTA"
VERSION = 1
HEADER = struct.Struct("<4sIQII")
OVERHEAD = HEADER.size + 4


class StateStatus(IntEnum):
    """How a save, a load or a check of a blob ended; `lichen_state_status` of `runtime/lichen_storage.h`."""

    OK = 0
    NOTHING_SAVED = 1
    DAMAGED = 2
    OTHER_VERSION = 3
    OTHER_MODEL = 4
    WRONG_LENGTH = 5
    TOO_LARGE = 6
    STORAGE_FAILED = 7


_REASONS = {
    StateStatus.NOTHING_SAVED: "there is no saved state; save one first",
    StateStatus.DAMAGED: "it is damaged: its CRC does not match; take another copy",
    StateStatus.OTHER_VERSION: "it was written in another version of the format; use the Lichen that wrote it",
    StateStatus.OTHER_MODEL: "it is the state of another model, or of another compilation of it",
    StateStatus.WRONG_LENGTH: "it does not have the length of this model's state",
    StateStatus.TOO_LARGE: "it does not fit the slots of the device's storage",
    StateStatus.STORAGE_FAILED: "the storage does not hold what is written to it",
}


class StateError(InputError):
    """State that cannot be stored, saved or loaded; `status` says why. The state is as it was before."""

    def __init__(self, model: str, status: StateStatus) -> None:
        super().__init__(f"The state of {model} is left as it is: {_REASONS[status]}.")
        self.status = status


@dataclass(frozen=True)
class StateBlob:
    """The state of a model with a digest of 16 hex digits. `sequence` is the number of the save, 0 if there was none."""

    digest: str
    state: bytes
    sequence: int = 0

    def pack(self) -> bytes:
        """The blob's bytes."""
        head = HEADER.pack(MAGIC, VERSION, int(self.digest, 16), len(self.state), self.sequence)
        return head + self.state + struct.pack("<I", zlib.crc32(head + self.state))

    @classmethod
    def parse(cls, data: bytes, model: str, digest: str, state_bytes: int | None = None) -> StateBlob:
        """The blob in `data`, of the model called `model` with `digest` and, if given, `state_bytes` bytes of state.

        Raises `StateError` for any other.
        """
        if len(data) < OVERHEAD or data[:4] != MAGIC:
            raise StateError(model, StateStatus.DAMAGED)
        _, version, owner, count, sequence = HEADER.unpack_from(data)
        if version != VERSION:
            raise StateError(model, StateStatus.OTHER_VERSION)
        if len(data) != count + OVERHEAD or data[-4:] != struct.pack("<I", zlib.crc32(data[:-4])):
            raise StateError(model, StateStatus.DAMAGED)
        if f"{owner:016x}" != digest:
            raise StateError(model, StateStatus.OTHER_MODEL)
        if state_bytes is not None and count != state_bytes:
            raise StateError(model, StateStatus.WRONG_LENGTH)
        return cls(digest, data[HEADER.size : -4], sequence)
