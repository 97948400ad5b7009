"""A session with a device: tensors in, tensors out."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lichen.backend.lesson import LessonCounts, LessonError
from lichen.backend.state import HEADER, OVERHEAD, StateBlob, StateError
from lichen.device.link import Link, RefusedError
from lichen.device.protocol import (
    FEATURE_LEARN,
    LESSONS,
    WANTED,
    WRITE_INPUT_FIXED_BYTES,
    WRITE_STATE_FIXED_BYTES,
    DeviceCounters,
    Info,
    Operation,
    Status,
    lesson_status,
    state_status,
)
from lichen.device.transport import Transport
from lichen.errors import DeviceError, InputError
from lichen.targets.closing import Closing

Array = NDArray[Any]

_MOST_STATE = 1 << 24  # bytes; more than any device has, so that a device cannot keep its host reading for ever


@dataclass(frozen=True)
class Slot:
    """An input or output of the model as it lies in the device's memory."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]  # little endian
    row_bytes: int = 0  # of an input that comes by rows

    @property
    def size(self) -> int:
        """In bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @classmethod
    def of_tensor(cls, tensor: Mapping[str, Any]) -> Slot:
        """From an entry of the manifest's `inputs` or `outputs`."""
        row_bytes = int(tensor["bytes"]) // int(tensor["shape"][1]) if "rows" in tensor else 0
        return cls(str(tensor["name"]), tuple(tensor["shape"]), np.dtype(tensor["dtype"]).newbyteorder("<"), row_bytes)

    @classmethod
    def of_bytes(cls, role: str, index: int, count: int, row_bytes: int = 0) -> Slot:
        """When there is no manifest: a row of bytes."""
        return cls(f"{role} {index}", (count,), np.dtype(np.uint8), row_bytes)

    def pack(self, array: Array) -> bytes:
        """The bytes of `array`, which must have this shape and type; no conversion is done. Raises `InputError`."""
        if array.shape != self.shape or array.dtype.newbyteorder("<") != self.dtype:
            raise InputError(
                f"{self.name} takes {self.dtype.name}{list(self.shape)} but was given {array.dtype.name}{list(array.shape)}."
            )
        return array.astype(self.dtype, copy=False).tobytes()

    def unpack(self, data: bytes) -> Array:
        """The array of which the device has sent the bytes."""
        return np.frombuffer(data, self.dtype).reshape(self.shape).copy()


class Session(Closing):
    """A connection to a device that runs the firmware of a compiled model; a context manager that closes the transport.

    With `manifest`, the parsed `manifest.json` of the folder the model was compiled to, tensors have their shapes and
    types, and a device that runs anything else is refused with a `DeviceError`; without it they are rows of bytes.
    `inference_deadline` is the longest an inference may take, in seconds of wall time.

    Every method raises `DeviceError` when the device is gone, silent, or refuses (`RefusedError`).
    """

    def __init__(
        self,
        transport: Transport,
        manifest: Mapping[str, Any] | None = None,
        *,
        first_wait: float = 0.5,
        deadline: float = 15.0,
        inference_deadline: float = 300.0,
    ) -> None:
        self.link = Link(transport, first_wait=first_wait, deadline=deadline)
        self._inference_deadline = inference_deadline
        self._manifest = manifest
        self._rows: dict[int, bytes] = {}  # inputs that come by rows, for the inference to come
        self._is_waiting = False  # an inference, for rows
        try:
            self.connect()
        except BaseException:
            transport.close()
            raise

    def connect(self) -> None:
        """Begins anew with a device that was reset; its model has its initial state. Raises `DeviceError` if it is another model."""
        self.info = Info.parse(self.link.request(Operation.INFO))
        self._is_waiting = False
        self._taken: int | None = None  # samples the device has counted, where that is known
        sizes, manifest = self._tensor_bytes(), self._manifest
        functions = {} if manifest is None else manifest.get("functions", {})
        self.learn_inputs = [Slot.of_tensor(t) for t in functions.get("learn", {}).get("inputs", ())]
        self.inputs, self.outputs = (
            self._raw_slots(sizes) if manifest is None else self._manifest_slots(manifest, sizes)
        )

    def infer(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs of one inference, in the model's own types; `InputError` if an input has another type or shape."""
        self.write_inputs(inputs)
        self._infer(Operation.INFER)
        return [slot.unpack(self._read_output(index, slot.size)) for index, slot in enumerate(self.outputs)]

    def write_inputs(self, inputs: Sequence[Array]) -> None:
        """Writes all inputs for the inference to come, which uses them up; those that come by rows are kept for it here."""
        if len(inputs) != len(self.inputs):
            raise InputError(f"{self.info.name} takes {len(self.inputs)} inputs but was given {len(inputs)}.")
        packed = [slot.pack(array) for slot, array in zip(self.inputs, inputs, strict=True)]
        if self._is_waiting:  # for rows of an inference that the caller has broken off
            self.link.request(Operation.INFO)
            self._is_waiting = False
        self._rows = {i: data for i, data in enumerate(packed) if self.inputs[i].row_bytes}
        self._write([(i, data) for i, data in enumerate(packed) if i not in self._rows])

    def _infer(self, operation: Operation, payload: bytes = b"") -> None:
        """An inference of the inputs that were written; while it waits for rows it gets those that are kept here."""
        images, self._rows = self._rows, {}
        self._is_waiting = bool(images)
        self.link.request(operation, payload, deadline=self._inference_deadline)
        expected = dict.fromkeys(images, 0)
        while images and (wanted := self._wanted()) is not None:
            index, offset = wanted
            if offset not in (0, expected.get(index)) or index not in images or offset >= len(images[index]):
                raise DeviceError(
                    f"The device waits for byte {offset} of input {index}, which does not come next: rebuild its firmware with this Lichen."
                )
            expected[index] = offset + self.inputs[index].row_bytes
            self._write([(index, images[index][offset : expected[index]])], offset)
        self._is_waiting = False

    def _wanted(self) -> tuple[int, int] | None:
        """The input and the offset of the row that the inference waits for; `None` if it has ended."""
        answer = self.link.request(Operation.WANTED)
        return WANTED.unpack(self._of_size(Operation.WANTED, answer, WANTED.size)) if answer else None

    def _write(self, packed: Sequence[tuple[int, bytes]], start: int = 0) -> None:
        """Writes bytes of inputs, from byte `start` of each on."""
        for index, data in packed:
            for offset, count in self._pieces(len(data), self.info.max_payload - WRITE_INPUT_FIXED_BYTES):
                request = struct.pack("<BI", index, start + offset) + data[offset : offset + count]
                self.link.request(Operation.WRITE_INPUT, request, deadline=self._inference_deadline)

    def begin_learning(self, rate: float) -> None:
        """Sets the learning rate and counts lessons anew. Raises `InputError` for a rate that is not a number from 0, or a model that does not learn."""
        self.require_learning()
        if not 0 <= rate < float("inf"):
            raise InputError(f"a learning rate of {rate} is not a number from 0")
        self.link.request(Operation.BEGIN, struct.pack("<f", rate))
        self._taken = 0

    @property
    def samples_at_once(self) -> int:
        """How many samples to learn from go in one request; at least 1."""
        return max(1, self.info.max_payload // sum(slot.size for slot in self.learn_inputs))

    def learn(self, inputs: Sequence[Array]) -> None:
        """Learns from samples: each input of `learn`, the target last, as `(n, *shape)`, `samples_at_once` at the most.

        Raises `InputError` for inputs of other types, `LessonError` for a sample that the device refuses: what came before it is
        learned, it has changed nothing.
        """
        self.require_learning()
        if len(inputs) != len(self.learn_inputs):
            raise InputError(
                f"{self.info.name} learns from {len(self.learn_inputs)} inputs but was given {len(inputs)}."
            )
        samples = [
            [slot.pack(array) for slot, array in zip(self.learn_inputs, sample, strict=True)]
            for sample in zip(*inputs, strict=True)
        ]
        payload = b"".join(data for sample in samples for data in sample)
        if len(payload) > self.info.max_payload:  # one sample, larger than a frame
            self._write([(self.info.inputs + i, data) for i, data in enumerate(samples[0])])
            payload = b""
        before = self.lessons().samples if self._taken is None else self._taken
        self._taken = None  # not known until the answer has come
        try:
            self.link.request(Operation.LEARN, payload, deadline=self._inference_deadline)
        except RefusedError as error:
            status = lesson_status(error.status)
            if status is None:
                raise
            raise LessonError(self.info.name, status, self.lessons().samples - before) from error
        self._taken = before + len(samples)

    def lessons(self) -> LessonCounts:
        """What was learned since `begin_learning` or the device's reset; losses are from before the update they led to."""
        self.require_learning()
        return LessonCounts(*LESSONS.unpack(self._read(Operation.LESSONS, b"", LESSONS.size)))

    def require_learning(self) -> None:
        """Raises `InputError` for a model that does not learn."""
        if not self.learn_inputs or not self.info.features & FEATURE_LEARN:
            raise InputError(f"{self.info.name} does not learn; compile it with --learn")

    def reset(self) -> None:
        """Sets the model's state to its initial values."""
        self.link.request(Operation.RESET)
        self._taken = None

    def read_state(self) -> bytes:
        """The model's state as a blob, see `lichen.backend.state`. Raises `InputError` if the model has none."""
        header = self._read_state(0, HEADER.size)
        count = int(HEADER.unpack(header)[3]) + OVERHEAD
        if count > _MOST_STATE:
            raise DeviceError(f"The device says that its state has {count} bytes, which is too much to be true.")
        rest = self._pieces(count - HEADER.size, self.info.max_payload)
        blob = header + b"".join(self._read_state(HEADER.size + offset, size) for offset, size in rest)
        try:
            StateBlob.parse(blob, self.info.name, self.info.digest)
        except StateError as error:
            raise DeviceError(f"The state that the device has sent is none: {error}") from None
        return blob

    def write_state(self, blob: bytes) -> None:
        """Sets the model's state to that of `blob`, which is sent twice: first for the device to check, then for it to take.

        Raises `StateError`, and leaves the state as it is, if the blob is damaged or not this model's. Should the session break
        off before the end, the device refuses to work with a state it has in part, until one is written or loaded or the model
        reset.
        """
        StateBlob.parse(blob, self.info.name, self.info.digest)
        for operation in (Operation.CHECK_STATE, Operation.WRITE_STATE):
            for offset, count in self._pieces(len(blob), self.info.max_payload - WRITE_STATE_FIXED_BYTES):
                self._request_state(operation, struct.pack("<I", offset) + blob[offset : offset + count])

    def save(self) -> None:
        """Saves the state where it survives a reset.

        Raises `InputError` on a device that has no storage, `StateError` if the storage fails; the old one is then still saved.
        """
        self._request_state(Operation.SAVE)

    def load(self) -> None:
        """Sets the state to what was saved last. Raises `StateError` if nothing was; the state is then as it was before."""
        self._request_state(Operation.LOAD)

    def run_until(self, k: int) -> None:
        """In a validating build: an inference from the inputs written, stopped in front of kernel call `k`."""
        self._infer(Operation.RUN_UNTIL, struct.pack("<H", k))

    def read_arena(self, offset: int = 0, count: int | None = None) -> bytes:
        """In a validating build: `count` bytes of the arena (all of it if not given) from `offset` on."""
        count = self.info.arena_bytes - offset if count is None else count
        return b"".join(
            self._read(Operation.READ_ARENA, struct.pack("<IH", offset + at, size), size)
            for at, size in self._pieces(count, self.info.max_payload)
        )

    def stack_used(self) -> int:
        """Bytes of stack used at the deepest point since the device's reset; meaningful after an inference."""
        return int.from_bytes(self._read(Operation.STACK, b"", 4), "little")

    def counters(self) -> DeviceCounters:
        """What the device has seen on its end of the link; the host's is `session.link.counters`."""
        return DeviceCounters.parse(self._read(Operation.COUNTERS, b"", DeviceCounters.BYTES))

    def close(self) -> None:
        """Closes the transport; an emulator ends."""
        self.link.transport.close()

    def _read(self, operation: Operation, payload: bytes, size: int) -> bytes:
        """The answer to a request whose answer has `size` bytes."""
        return self._of_size(operation, self.link.request(operation, payload), size)

    @staticmethod
    def _of_size(operation: Operation, answer: bytes, size: int) -> bytes:
        if len(answer) != size:
            raise DeviceError(
                f"The device answers {operation.name} with {len(answer)} bytes instead of {size}: "
                "rebuild its firmware with this Lichen."
            )
        return answer

    def _read_state(self, offset: int, size: int) -> bytes:
        answer = self._request_state(Operation.READ_STATE, struct.pack("<IH", offset, size))
        return self._of_size(Operation.READ_STATE, answer, size)

    def _request_state(self, operation: Operation, payload: bytes = b"") -> bytes:
        """A request about state, its refusals in words that are the same wherever a model runs."""
        try:
            return self.link.request(operation, payload, deadline=self._inference_deadline)
        except RefusedError as error:
            status = state_status(error.status)
            if status is not None:
                raise StateError(self.info.name, status) from error
            if error.status == Status.UNKNOWN_OPERATION:
                missing = "storage to save its state in" if self.info.has_state else "state"
                raise InputError(f"{self.info.name} has no {missing} on this device") from error
            raise

    def _read_output(self, index: int, count: int) -> bytes:
        return b"".join(
            self._read(Operation.READ_OUTPUT, struct.pack("<BIH", index, offset, size), size)
            for offset, size in self._pieces(count, self.info.max_payload)
        )

    def _tensor_bytes(self) -> list[int]:
        """The sizes of the inputs and then the outputs, as the device gives them."""
        return self._sizes(Operation.TENSORS, self.info.inputs + self.info.outputs)

    def _row_bytes(self) -> list[int]:
        """The sizes of the rows of each input, 0 for one that is written whole, as the device gives them."""
        return self._sizes(Operation.ROWS, self.info.inputs) if self.info.takes_rows else [0] * self.info.inputs

    def _sizes(self, operation: Operation, total: int) -> list[int]:
        sizes: list[int] = []
        while missing := total - len(sizes):
            count = min(missing, self.info.max_payload // 4)
            sizes += struct.unpack(f"<{count}I", self._read(operation, bytes((len(sizes),)), 4 * count))
        return sizes

    def _raw_slots(self, sizes: list[int]) -> tuple[list[Slot], list[Slot]]:
        count = self.info.inputs
        rows = self._row_bytes()
        inputs = [Slot.of_bytes("input", index, size, rows[index]) for index, size in enumerate(sizes[:count])]
        return inputs, [Slot.of_bytes("output", index, size) for index, size in enumerate(sizes[count:])]

    def _manifest_slots(self, manifest: Mapping[str, Any], sizes: list[int]) -> tuple[list[Slot], list[Slot]]:
        if manifest["digest"] != self.info.digest:
            raise DeviceError(
                f"The device runs {self.info.name} with digest {self.info.digest}, "
                f"but {manifest['name']} was compiled with digest {manifest['digest']}: "
                "flash the firmware of this compilation."
            )
        inputs = [Slot.of_tensor(tensor) for tensor in manifest["inputs"]]
        outputs = [Slot.of_tensor(tensor) for tensor in manifest["outputs"]]
        expected = [slot.size for slot in inputs + outputs]
        rows = [slot.row_bytes for slot in inputs]
        if expected != sizes or len(inputs) != self.info.inputs or rows != self._row_bytes():
            raise DeviceError(
                f"The device's tensors have {sizes} bytes and those of the manifest of {manifest['name']} {expected}, "
                "or their inputs do not come by the same rows: compile it anew."
            )
        return inputs, outputs

    @staticmethod
    def _pieces(count: int, most: int) -> Iterator[tuple[int, int]]:
        """Cuts `count` bytes into (offset, size) with at most `most` bytes each."""
        return ((offset, min(most, count - offset)) for offset in range(0, count, most))
