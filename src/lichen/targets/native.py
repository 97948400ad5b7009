"""The generated C on the host: a shared library for speed, a program under sanitizers for tests."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lichen.backend.lesson import LessonCounts, LessonError, LessonStatus
from lichen.backend.state import OVERHEAD, StateBlob, StateError, StateStatus
from lichen.errors import InputError, LichenError
from lichen.ir.module import Array
from lichen.targets.build import Mark
from lichen.targets.cache import cached_build, digest_of
from lichen.targets.folder import ModelFolder
from lichen.targets.toolchain import C_FLAGS, find_compiler

_FIRMWARE = Path(__file__).parent / "firmware"
_RUNTIME = Path(__file__).parents[1] / "backend" / "runtime"
_SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DLICHEN_NATIVE_PROGRAM")
_KEEP = -1  # the poison that leaves the arena as it is


class NativeModel:
    """One instance of a model as a shared library, which runs thousands of samples in one call.

    State runs on from sample to sample and from call to call until `reset`; what `save` has stored survives that. `poison` is a byte to fill the arena with before each
    sample, so that a read of something the inference did not write shows in the output. Raises `MissingToolError` without a C compiler,
    `BuildError` if the folder's C does not compile.
    """

    def __init__(self, model: ModelFolder, poison: int | None = None) -> None:
        self.folder = model
        self._poison = _KEEP if poison is None else poison
        self._library = ctypes.CDLL(str(_build(model, ("-fPIC", "-shared"), "model.so")))
        self._library.lichen_native_bytes.restype = ctypes.c_size_t
        # Eight-byte words: aligned for whatever the instance holds.
        self._instance = (ctypes.c_uint64 * (-(-self._library.lichen_native_bytes() // 8)))()
        self._lessons = LessonCounts()
        self._slot_bytes = model.state_bytes + OVERHEAD
        self._slots = (ctypes.c_uint8 * (2 * self._slot_bytes))()
        self.reset()

    samples_at_once = 1000
    """As many as `learn` is best given at once; there is no limit."""

    def reset(self) -> None:
        """Sets the state to its initial values. Raises `LichenError` if the model's coded weights are damaged."""
        if not self._library.lichen_native_init(self._instance):
            raise LichenError(f"the coded weights of {self.folder.name} are damaged; compile the model again")
        self._lessons = LessonCounts()

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs `(n, *shape)` for inputs `(n, *shape)` in the model's own types. Raises `InputError` for any other."""
        samples = _pack(inputs, self.folder.manifest["inputs"])
        outputs = self.folder.manifest["outputs"]
        results = np.empty((len(samples), _bytes(outputs)), np.uint8)
        count, poison = ctypes.c_size_t(len(samples)), ctypes.c_int(self._poison)
        self._library.lichen_native_run(self._instance, _address(samples), _address(results), count, poison)
        return _unpack(results, outputs)

    def run_until(self, inputs: Sequence[Array], k: int) -> bytes:
        """The arena in front of kernel call `k` for one sample `(1, *shape)` of each input; `k` may be the number of calls."""
        samples = _pack(inputs, self.folder.manifest["inputs"])
        if len(samples) != 1:
            raise InputError(f"an inference is stopped for one sample, not for {len(samples)}")
        arena = np.empty(int(self.folder.manifest["arena_bytes"]), np.uint8)
        stop = ctypes.c_uint16(k)
        self._library.lichen_native_run_until(self._instance, _address(samples), _address(arena), stop)
        return arena.tobytes()

    def begin_learning(self, rate: float) -> None:
        """Sets the learning rate and counts lessons anew. Raises `InputError` for a rate that is not a number from 0, or a model that does not learn."""
        self.require_learning()
        if not 0 <= rate < float("inf"):
            raise InputError(f"a learning rate of {rate} is not a number from 0")
        self._library.lichen_native_set_rate(self._instance, ctypes.c_float(rate))
        self._lessons = LessonCounts()

    def learn(self, inputs: Sequence[Array]) -> None:
        """Learns from samples: each input of `learn`, the target last, as `(n, *shape)`.

        Raises `LessonError` for a sample that is refused: what came before it is learned, it has changed nothing.
        """
        self.require_learning()
        samples = _pack(inputs, self.folder.manifest["functions"]["learn"]["inputs"])
        losses, statuses = np.zeros(len(samples), np.float32), np.zeros(len(samples), np.uint8)
        self._library.lichen_native_learn.restype = ctypes.c_size_t
        count = ctypes.c_size_t(len(samples))
        taken = self._library.lichen_native_learn(
            self._instance, _address(samples), _address(losses), _address(statuses), count
        )
        judged = losses[:taken][statuses[:taken] == LessonStatus.OK]
        self._lessons += LessonCounts(taken, len(judged), float(judged.sum(dtype=np.float64)))
        if taken < len(samples):
            raise LessonError(self.folder.name, LessonStatus(int(statuses[taken])), taken)

    def lessons(self) -> LessonCounts:
        """What was learned since `begin_learning`; losses are from before the update they led to."""
        return self._lessons

    def read_state(self) -> bytes:
        """The state as a blob, see `lichen.backend.state`. Raises `InputError` for a model without state."""
        self._require_state()
        blob = (ctypes.c_uint8 * self._slot_bytes)()
        self._library.lichen_native_read_state(self._instance, blob)
        return bytes(blob)

    def write_state(self, blob: bytes) -> None:
        """Sets the state to that of a blob. Raises `StateError`, and leaves the state as it is, unless it is whole and this model's."""
        self._require_state()
        StateBlob.parse(blob, self.folder.name, self.folder.manifest["digest"], self.folder.state_bytes)
        self._check(self._library.lichen_native_write_state(self._instance, blob, ctypes.c_size_t(len(blob))))

    def save(self) -> None:
        """Saves the state to a storage that lives as long as this object."""
        self._require_state()
        power = ctypes.c_size_t(-1)  # never fails
        size = ctypes.c_size_t(self._slot_bytes)
        self._check(self._library.lichen_native_save(self._instance, self._slots, size, power))

    def load(self) -> None:
        """Sets the state to what was saved. Raises `StateError` if nothing was."""
        self._require_state()
        self._check(self._library.lichen_native_load(self._instance, self._slots, ctypes.c_size_t(self._slot_bytes)))

    def require_learning(self) -> None:
        """Raises `InputError` for a model that does not learn."""
        if not self.folder.learns:
            raise InputError(f"{self.folder.name} does not learn; compile it with --learn")

    def _require_state(self) -> None:
        if not self.folder.state_bytes:
            raise InputError(f"{self.folder.name} has no state to read, write, save or load")

    def _check(self, status: int) -> None:
        if status != StateStatus.OK:
            raise StateError(self.folder.name, StateStatus(status))


def run_sanitized(model: ModelFolder, inputs: Sequence[Array], poison: int | None = None) -> list[Array]:
    """What `NativeModel(model, poison).run(inputs)` gives, from a process of its own under address and undefined sanitizers.

    Raises `LichenError` with the sanitizer's finding.
    """
    samples = _pack(inputs, model.manifest["inputs"])
    command = [str(_build(model, _SANITIZERS, "model")), str(_KEEP if poison is None else poison)]
    done = subprocess.run(command, input=samples.tobytes(), capture_output=True)
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").splitlines()
        finding = next((line for line in lines if "ERROR:" in line or "runtime error:" in line), "no message")
        raise LichenError(f"the generated C of {model.name} is wrong: {finding.strip()}")
    outputs = model.manifest["outputs"]
    return _unpack(np.frombuffer(done.stdout, np.uint8).reshape(len(samples), _bytes(outputs)), outputs)


def _build(model: ModelFolder, flags: Sequence[str], name: str) -> Path:
    compiler = find_compiler("cc")
    flags = ["-O2", *C_FLAGS, *Mark.VALIDATE.value, *flags]
    sources = [model.source, _FIRMWARE / "native.c"]
    inputs: list[str | bytes] = [compiler.version, *flags, model.glue()]
    for file in (*sources, *sorted(model.path.glob("*.h")), *sorted(_RUNTIME.glob("*.h"))):
        inputs += [file.name, file.read_bytes()]

    def build(folder: Path) -> None:
        (folder / "model.h").write_text(model.glue(), "utf-8")
        include = ["-I.", f"-I{model.path.resolve()}", f"-I{_RUNTIME}"]
        files = [str(source.resolve()) for source in sources]
        compiler.require([*flags, *include, *files, "-lm", "-o", name], folder)

    return cached_build(digest_of(inputs), build) / name


def _pack(inputs: Sequence[Array], tensors: Sequence[Mapping[str, Any]]) -> Array:
    """One row of bytes for each sample."""
    if len(inputs) != len(tensors):
        raise InputError(f"the model has {len(tensors)} inputs, not {len(inputs)}")
    rows = []
    for array, tensor in zip(inputs, tensors, strict=True):
        if array.shape[1:] != tuple(tensor["shape"]) or array.dtype != np.dtype(tensor["dtype"]):
            expected = f"{tensor['dtype']} (n, {', '.join(map(str, tensor['shape']))})"
            raise InputError(f"input {tensor['name']} takes {expected}, not {array.dtype} {array.shape}")
        rows.append(np.ascontiguousarray(array).view(np.uint8).reshape(len(array), int(tensor["bytes"])))
    if len({len(row) for row in rows}) != 1:
        raise InputError("the inputs hold different numbers of samples")
    return np.ascontiguousarray(np.concatenate(rows, axis=1))


def _unpack(results: Array, tensors: Sequence[Mapping[str, Any]]) -> list[Array]:
    borders = np.cumsum([int(tensor["bytes"]) for tensor in tensors])[:-1]
    parts = np.split(results, borders, axis=1)
    return [
        np.ascontiguousarray(part).view(np.dtype(tensor["dtype"])).reshape(len(results), *tensor["shape"])
        for part, tensor in zip(parts, tensors, strict=True)
    ]


def _bytes(tensors: Sequence[Mapping[str, Any]]) -> int:
    return sum(int(tensor["bytes"]) for tensor in tensors)


def _address(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
