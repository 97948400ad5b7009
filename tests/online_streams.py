"""Streams of samples through a module with state, in the interpreter and in native C."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Module
from native_check import run_natively

Stream = Sequence[Sequence[Array]]
"""The inputs of each call."""


def samples(*inputs: Array) -> list[list[Array]]:
    """The calls of a stream, from one array for each input whose first axis runs over the calls."""
    return [[np.ascontiguousarray(array[index]) for array in inputs] for index in range(len(inputs[0]))]


def run_stream(module: Module, stream: Stream, function: str = "infer") -> list[Array]:
    """Each output over the stream, its first axis the calls. State runs on from call to call."""
    interpreter = Interpreter(module, function)
    calls = [[np.array(output) for output in interpreter.run(call)] for call in stream]
    return [np.stack(outputs) for outputs in zip(*calls, strict=True)]


def assert_native_streams(
    modules: Sequence[Module], streams: Sequence[Stream], rtol: float = 1e-6, function: str = "infer"
) -> None:
    """C under sanitizers gives what the interpreter gives at every call: the same integers, float32 within `rtol`."""
    for module, stream, got in zip(modules, streams, run_natively(modules, streams, function=function), strict=True):
        expected = run_stream(module, stream, function)
        for output, (wanted, native) in enumerate(zip(expected, zip(*got, strict=True), strict=True)):
            what = f"{module.functions[function].operations[0].kind}: output {output}"
            exact = not module.functions[function].outputs[output].type.dtype.is_float
            np.testing.assert_allclose(
                np.stack(native), wanted, 0 if exact else rtol, 0 if exact else 1e-30, err_msg=what
            )
