"""Operators that move elements without changing them, for every element type."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lichen.errors import VerifyError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module
from lichen.ir.types import DType, TensorType
from lichen.ir.verify import verify
from native_check import assert_native_equals_interpreter
from ops_oracle import f32, fixed, i8, one_op, run
from shape_strategies import delay, filled, joins, slices, transposes
from tflite_builder import Graph, build, tflm_run


@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_native_code_equals_the_interpreter(data: st.DataObject) -> None:
    """C under sanitizers moves every element where the interpreter does, for every element type and from constants."""
    strategies = [transposes(), slices(), joins("concat"), joins("split")]
    assert_native_equals_interpreter([data.draw(s) for s in strategies for _ in range(4)], samples=1)


@settings(max_examples=60, deadline=None)
@given(module=st.one_of(transposes(), slices(), joins("concat"), joins("split")))
def test_accesses_say_where_each_byte_comes_from(module: Module) -> None:
    """Moving bytes access by access, as stated, gives the interpreter's result."""
    (operation,) = module.infer.operations
    accesses = operator(operation.kind).accesses(operation)
    values = [filled(v.type, i) for i, v in enumerate(module.infer.inputs)]
    given_ = dict(zip(module.infer.inputs, values, strict=True))
    memory = {i: given_[operation.operands[i]].tobytes() for i in accesses.reads}
    if len(memory) < len(operation.operands):
        return  # a constant is not in the arena, so its bytes are not accounted for
    results = [bytearray(v.type.bytes) for v in operation.results]
    for k in range(accesses.count):
        moved = b"".join(memory[i][slice(*spans[k])] for i, spans in accesses.reads.items())
        for i, spans in accesses.writes.items():
            low, high = spans[k]
            results[i][low:high], moved = moved[: high - low], moved[high - low :]
        assert not moved
    for result, expected in zip(results, run(module, *values), strict=True):
        assert bytes(result) == expected.tobytes()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 999))
def test_transpose_is_numpys(data: st.DataObject, seed: int) -> None:
    """Any permutation of any element type."""
    module = data.draw(transposes())
    x = filled(module.infer.inputs[0].type, seed)
    permutation = module.infer.operations[0].ints_attribute("permutation")
    np.testing.assert_array_equal(run(module, x)[0], x.transpose(permutation))


def test_slices_run_both_ways() -> None:
    """Begin is included, end is not; -1 is the end of a way back."""
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    module = one_op("strided_slice", [f32(4, 6)], [f32(2, 6)], {"begin": (3, 5), "end": (0, -1), "strides": (-2, -1)})
    np.testing.assert_array_equal(run(module, x)[0], x[3:0:-2, ::-1])


def test_slices_of_tflm_are_the_same() -> None:
    """A strided int8 slice, forwards and backwards."""
    x = i8(1, 7, 5)
    data = filled(x)
    graph = Graph()
    ends = [graph.constant(np.array(v, np.int32)) for v in ([0, 6, 1], [1, 1, 5], [1, -2, 2])]
    result = graph.op("STRIDED_SLICE", [graph.input((1, 7, 5), "int8", 0.1, 0), *ends], (1, 3, 2), "int8", 0.1, 0)
    attributes = {"begin": (0, 6, 1), "end": (1, 1, 5), "strides": (1, -2, 2)}
    module = one_op("strided_slice", [x], [i8(1, 3, 2)], attributes)
    np.testing.assert_array_equal(run(module, data)[0], tflm_run(build(graph.returns(result)), [data])[0])


def test_concat_and_split_are_inverse() -> None:
    """Joining what was cut gives back the whole."""
    x = filled(i8(2, 6, 3))
    parts = run(one_op("split", [i8(2, 6, 3)], [i8(2, 1, 3), i8(2, 5, 3)], {"axis": 1}), x)
    joined = one_op("concat", [i8(2, 1, 3), i8(2, 5, 3)], [i8(2, 6, 3)], {"axis": 1})
    np.testing.assert_array_equal(run(joined, *parts)[0], x)


def test_type_rules() -> None:
    """Axes, bounds, permutations, shapes, element types and quantisations that do not fit are refused."""
    cases = [
        ("concat", [i8(2), i8(2, scale=0.2)], [i8(4)], {"axis": 0}),
        ("concat", [i8(2), f32(2)], [i8(4)], {"axis": 0}),
        ("concat", [i8(2), i8(2)], [i8(5)], {"axis": 0}),
        ("concat", [i8(2), i8(2)], [i8(4)], {"axis": 1}),
        ("concat", [i8(2), i8(2)], [i8(4)], {"axis": -1}),
        ("concat", [i8(2, 2), i8(2, 3)], [i8(4, 2)], {"axis": 0}),
        ("concat", [i8(2, 2), i8(2)], [i8(4, 2)], {"axis": 0}),
        ("concat", [i8(2, 2), i8(2)], [i8(2, 3)], {"axis": 1}),
        ("concat", [i8(1)] * 11, [i8(11)], {"axis": 0}),
        ("split", [i8(4)], [], {"axis": 0}),
        ("split", [i8(4)], [i8(2), i8(1)], {"axis": 0}),
        ("split", [i8(4)], [i8(2), i8(2, 1)], {"axis": 0}),
        ("split", [i8(4)], [i8(2), i8(2, zero=1)], {"axis": 0}),
        ("split", [i8(11)], [i8(1)] * 11, {"axis": 0}),
        ("transpose", [i8(2, 3)], [i8(3, 2)], {"permutation": (1, 1)}),
        ("transpose", [i8(2, 3)], [i8(3, 2)], {"permutation": (1,)}),
        ("transpose", [i8(2, 3)], [i8(2, 3)], {"permutation": (1, 0)}),
        ("transpose", [i8(2, 3)], [i8(3, 2)], {"permutation": (1.5, 0.0)}),
        ("transpose", [i8(2, 3)], [i8(3, 2)], {"permutation": (float("inf"), 0.0)}),
        ("strided_slice", [i8(4)], [i8(2)], {"begin": (0,), "end": (4,), "strides": (0,)}),
        ("strided_slice", [i8(4)], [i8(2)], {"begin": (0,), "end": (5,), "strides": (2,)}),
        ("strided_slice", [i8(4)], [i8(2)], {"begin": (4,), "end": (0,), "strides": (-2,)}),
        ("strided_slice", [i8(4)], [i8(2)], {"begin": (2,), "end": (2,), "strides": (1,)}),
        ("strided_slice", [i8(4)], [i8(3)], {"begin": (0,), "end": (2,), "strides": (1,)}),
        ("strided_slice", [i8(4)], [i8(2)], {"begin": (0, 0), "end": (2,), "strides": (1,)}),
    ]
    for kind, operands, results, attributes in cases:
        with pytest.raises(VerifyError):
            one_op(kind, operands, results, attributes)


def test_state_runs_on_from_call_to_call() -> None:
    """The first call gives the initial value, each later one the input of the call before; `reset` starts over."""
    interpreter = Interpreter(delay(f32(2)))
    first, second = np.array([5, 6], np.float32), np.array([7, 8], np.float32)
    assert interpreter.run([first])[0].tolist() == [0, 1]
    assert interpreter.run([second])[0].tolist() == [5, 6]
    interpreter.reset()
    assert interpreter.run([second])[0].tolist() == [0, 1]


def test_state_in_native_code() -> None:
    """Read and write of every element type, and of a constant value, over several calls."""
    modules = [delay(TensorType((3,), dtype)) for dtype in (DType.INT8, DType.INT32, DType.FLOAT32, DType.INT64)]
    write_constant = delay(i8(3))
    write_constant.infer.operations[1].operands[1] = fixed(np.array([9, 8, 7], np.int8), i8(3))
    assert_native_equals_interpreter([*modules, write_constant], samples=3)


def test_state_survives_the_text_form() -> None:
    """Printed and parsed back, the module is the same text."""
    text = print_module(delay(i8(2)))
    assert print_module(parse_module(text)) == text


def test_state_type_rules() -> None:
    """Types must agree, and the value written is not state itself."""
    for change in ("type", "self", "not state"):
        module = delay(i8(3))
        read, write = module.infer.operations
        if change == "type":
            module.infer.inputs[0].type = f32(3)
        elif change == "self":
            write.operands[1] = write.operands[0]
        else:
            read.operands[0] = module.infer.inputs[0]
        with pytest.raises(VerifyError):
            verify(module)
