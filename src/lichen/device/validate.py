"""Is what runs out there what the graph means? The interpreter is the judge, operator by operator where they differ."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lichen.device.executor import Executor, Progress, open_executor
from lichen.errors import DeviceError, InputError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Module, Operation
from lichen.ir.parse import parse_module
from lichen.targets.build import Mark
from lichen.targets.folder import ModelFolder

RELATIVE_TOLERANCE = 1e-4
"""float32 outputs may differ by this, relative to the largest magnitude of the tensor: sums are rounded in another order."""


@dataclass(frozen=True)
class Difference:
    """The first operation whose result differs, and its first differing element (flat index) in the first differing
    sample."""

    op: str
    index: int
    expected: int | float
    got: int | float
    sample: int


def load_graph(model: ModelFolder) -> Module:
    """The graph of a model folder. Raises `InputError` if it cannot be read or is not the one the manifest describes."""
    path = model.path / f"{model.name}.lichen"
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); compile the model again") from error
    if hashlib.sha256(text).hexdigest()[:16] != model.manifest["digest"]:
        raise InputError(f"{path} has been changed since the model was compiled; compile the model again")
    module = parse_module(text.decode("utf-8", "replace"))
    _require_described(module, model)
    return module


def _require_described(module: Module, model: ModelFolder) -> None:
    """Raises `InputError` unless inputs, outputs and operators of the manifest are those of the graph."""
    described = [
        [(t["name"], tuple(t["shape"]), t["dtype"]) for t in model.manifest[role]] for role in ("inputs", "outputs")
    ]
    actual = [
        [(v.name, v.type.shape, str(v.type.dtype.numpy)) for v in values]
        for values in (module.infer.inputs, module.infer.outputs)
    ]
    results = {op.name: [(v.name, v.type.bytes) for v in op.results] for op in module.infer.operations if op.results}
    calls = [
        (call["name"], [(r["name"], r["bytes"]) for r in call["results"]])
        for call in model.manifest["ops"]
        if call["results"]
    ]
    if described != actual or any(results.get(name) != made for name, made in calls):
        raise InputError(
            f"{model.path / 'manifest.json'} does not describe the graph in {model.name}.lichen; compile the model again"
        )


def validate(
    model: ModelFolder, on: str, inputs: Sequence[Array], progress: Progress | None = None
) -> Difference | None:
    """Runs all samples on `on` and in the interpreter; `None` if all outputs are identical (float32: within tolerance).

    Otherwise the inference of the first sample that differs is stopped after one operation after the other, to name the
    first that went wrong. On a board that is possible only if a validating build was flashed.
    """
    module = load_graph(model)
    interpreter = Interpreter(module)
    with open_executor(model, on) as executor:
        for sample in range(len(inputs[0])):
            one = [x[sample : sample + 1] for x in inputs]
            outputs = executor.run(one)
            expected = interpreter.run([x[0] for x in one])
            if progress is not None:
                progress(1)
            differing = [
                i for i, (e, g) in enumerate(zip(expected, outputs, strict=True)) if differs(e, g[0]) is not None
            ]
            if differing:
                value = module.infer.outputs[differing[0]]
                at_output = _difference(value.name, expected[differing[0]], outputs[differing[0]][0], sample)
                break
        else:
            return None
    with open_executor(model, on, Mark.VALIDATE) as executor:
        return first_difference(model, module, executor, inputs, sample) or at_output


def first_difference(
    model: ModelFolder, module: Module, executor: Executor, inputs: Sequence[Array], sample: int
) -> Difference | None:
    """The first operation, in the order of execution, whose result for `sample` is not the interpreter's.

    `executor` has a validating build. State is brought to where it was by running the samples before.
    """
    expected: dict[str, Array] = {}
    interpreter = Interpreter(module)
    for before in range(sample):
        interpreter.run([x[before] for x in inputs])

    def observe(op: Operation, results: Sequence[Array]) -> None:
        expected.update((value.name, array) for value, array in zip(op.results, results, strict=True))

    one = [x[sample : sample + 1] for x in inputs]
    interpreter.run([x[0] for x in one], observe)
    for index, call in enumerate(model.manifest["ops"]):
        if not call["results"]:
            continue
        if module.states():
            executor.reset()
            if sample:
                executor.run([x[:sample] for x in inputs])
        arena = executor.run_until(one, index + 1)
        if len(arena) != model.manifest["arena_bytes"]:
            raise DeviceError(f"The device's arena is not that of {model.name}: flash a build of this folder.")
        for place in call["results"]:
            array = expected[place["name"]]
            raw = arena[place["offset"] : place["offset"] + place["bytes"]]
            got = np.frombuffer(raw, array.dtype).reshape(array.shape)
            if differs(array, got) is not None:
                return _difference(call["name"], array, got, sample)
    return None


def differs(expected: Array, got: Array) -> int | None:
    """The flat index of the first element of `got` that is wrong; `None` if there is none."""
    if expected.dtype == np.float32:
        scale = float(np.max(np.abs(expected), initial=0.0))
        wrong = ~(np.abs(expected - got) <= RELATIVE_TOLERANCE * scale + 1e-7)
    else:
        wrong = expected != got
    where = np.flatnonzero(wrong)
    return int(where[0]) if where.size else None


def _difference(op: str, expected: Array, got: Array, sample: int) -> Difference:
    index = differs(expected, got)
    assert index is not None
    return Difference(op, index, expected.ravel()[index].item(), got.ravel()[index].item(), sample)
