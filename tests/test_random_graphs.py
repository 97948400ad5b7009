"""Random graphs of many operators: native C equals the interpreter, and rewriting changes no byte."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lichen.ir.interpret import Interpreter
from lichen.ir.module import Attribute, Constant, Function, Module, Operation, State, Value, constant
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ir.verify import verify
from lichen.ops.fixed_point import ACTIVATIONS
from lichen.passes import run_passes
from native_check import assert_native_equals_interpreter, random_input


class Builder:
    """A function under construction; each method adds an operation on values drawn from those there are."""

    def __init__(self, draw: st.DrawFn, dtype: DType) -> None:
        self.draw, self.dtype = draw, dtype
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.operations: list[Operation] = []
        self.count = 0
        self.x = self.new(self.quantised(1, draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 6))))
        self.values = [self.x]

    def quantised(self, *shape: int) -> TensorType:
        if self.dtype.is_float:
            return TensorType(shape, self.dtype)
        scale = float(np.float32(self.draw(st.sampled_from([0.02, 0.05, 0.1]))))
        return TensorType(shape, self.dtype, Quantisation.per_tensor(scale, self.draw(st.integers(-128, 127))))

    def new(self, type_: TensorType) -> Value:
        self.count += 1
        return Value(f"v{self.count}", type_)

    def pick(self) -> Value:
        return self.draw(st.sampled_from(self.values))

    def add(self, kind: str, operands: list[Value], types: list[TensorType], **attributes: Attribute) -> None:
        results = [self.new(t) for t in types]
        self.operations.append(Operation(kind, operands, results, attributes))
        self.values += results

    def same(self, x: Value) -> TensorType:
        """The type of `x`, or another quantisation of its shape."""
        return x.type if self.draw(st.booleans()) else self.quantised(*x.type.shape)

    def fixed(self, type_: TensorType, bound: int = 127) -> Constant:
        self.count += 1
        if type_.dtype.is_float:
            data = self.rng.normal(size=type_.shape)
        else:
            data = self.rng.integers(-bound, bound + 1, type_.shape)
        return constant(f"c{self.count}", data, type_)

    # --- operations

    def binary(self) -> None:
        x = self.pick()
        others: list[Value] = [v for v in self.values if v.type.shape == x.type.shape]
        others += [self.fixed(self.quantised(x.type.shape[-1] if x.type.shape else 1)), self.fixed(self.quantised())]
        operands = [x, self.draw(st.sampled_from(others))]
        if self.draw(st.booleans()):
            operands.reverse()
        kind = self.draw(st.sampled_from(["add", "sub", "mul"]))
        shape = np.broadcast_shapes(operands[0].type.shape, operands[1].type.shape)
        self.add(kind, operands, [self.quantised(*shape)], activation=self.draw(st.sampled_from(sorted(ACTIVATIONS))))

    def unary(self) -> None:
        x = self.pick()
        kind = self.draw(st.sampled_from(["relu", "relu6", "hard_swish", "leaky_relu"]))
        attributes = {"alpha": 0.25} if kind == "leaky_relu" else {}
        self.add(kind, [x], [x.type if kind == "relu6" else self.same(x)], **attributes)

    def squash(self) -> None:
        x = self.pick()
        kind = self.draw(st.sampled_from(["logistic", "tanh", "softmax"]))
        if kind == "softmax" and not x.type.shape:
            return
        scale, zero = (1 / 128, 0) if kind == "tanh" else (1 / 256, -128)
        quantisation = None if self.dtype.is_float else Quantisation.per_tensor(scale, zero)
        attributes = {"beta": 1.0} if kind == "softmax" else {}
        self.add(kind, [x], [TensorType(x.type.shape, self.dtype, quantisation)], **attributes)

    def reshape(self) -> None:
        x = self.pick()
        shape = self.draw(st.sampled_from([(x.type.elements,), (1, x.type.elements), (1, 1, x.type.elements, 1)]))
        self.add("reshape", [x], [x.type.with_shape(*shape)])

    def transpose(self) -> None:
        x = self.pick()
        permutation = tuple(self.draw(st.permutations(range(x.type.rank))))
        shape = [x.type.shape[axis] for axis in permutation]
        self.add("transpose", [x], [x.type.with_shape(*shape)], permutation=permutation)

    def slice(self) -> None:
        x = self.pick()
        begin = tuple(self.draw(st.integers(0, n - 1)) for n in x.type.shape)
        strides = tuple(self.draw(st.sampled_from([1, 1, 2, -1])) for _ in begin)
        end = tuple(n if s > 0 else -1 for n, s in zip(x.type.shape, strides, strict=True))
        shape = [len(range(b, e, s)) for b, e, s in zip(begin, end, strides, strict=True)]
        self.add("strided_slice", [x], [x.type.with_shape(*shape)], begin=begin, end=end, strides=strides)

    def join(self) -> None:
        x = self.pick()
        if not x.type.shape:
            return
        alike = [v for v in self.values if v.type == x.type] + [self.fixed(x.type)]
        operands = [x, *self.draw(st.lists(st.sampled_from(alike), min_size=1, max_size=3))]
        axis = self.draw(st.integers(0, x.type.rank - 1))
        shape = [n * len(operands) if i == axis else n for i, n in enumerate(x.type.shape)]
        self.add("concat", operands, [x.type.with_shape(*shape)], axis=axis)

    def split(self) -> None:
        x = self.pick()
        wide = [axis for axis, n in enumerate(x.type.shape) if n > 1]
        if not wide:
            return
        axis = self.draw(st.sampled_from(wide))
        cut = self.draw(st.integers(1, x.type.shape[axis] - 1))
        parts = [[*x.type.shape[:axis], n, *x.type.shape[axis + 1 :]] for n in (cut, x.type.shape[axis] - cut)]
        self.add("split", [x], [x.type.with_shape(*shape) for shape in parts], axis=axis)

    def pad(self) -> None:
        x = self.pick()
        if x.type.rank != 4 or x.type.shape[0] != 1:
            return
        before, after = ((0, self.draw(st.integers(0, 1)), self.draw(st.integers(0, 1)), 0) for _ in range(2))
        shape = [b + n + a for b, n, a in zip(before, x.type.shape, after, strict=True)]
        value = 0.0 if self.dtype.is_float else float(x.type.zero_point)
        self.add("pad", [x], [x.type.with_shape(*shape)], before=before, after=after, value=value)

    def convolve(self) -> None:
        x = self.pick()
        if x.type.rank != 4 or x.type.shape[0] != 1:
            return
        depthwise = self.draw(st.booleans())
        _, height, width, channels = x.type.shape
        out = channels if depthwise else self.draw(st.integers(1, 6))
        kernel = self.draw(st.sampled_from([1, 3]))
        shape = (1, kernel, kernel, out) if depthwise else (out, kernel, kernel, channels)
        symmetric = None if self.dtype.is_float else Quantisation.per_tensor(0.02, 0)
        weights = self.fixed(TensorType(shape, self.dtype, symmetric))
        attributes: dict[str, Attribute] = {
            "stride": (1, 1),
            "padding": (kernel // 2,) * 4,
            "dilation": (1, 1),
            "activation": "none",
        }
        kind = "depthwise_conv2d" if depthwise else "conv2d"
        self.add(kind, [x, weights], [self.quantised(1, height, width, out)], **attributes)

    def memory(self) -> None:
        x = self.pick()
        self.count += 1
        state = State(f"s{self.count}", x.type, np.array(self.fixed(x.type).data))
        self.operations.append(Operation("read_state", [state], [self.new(x.type)]))
        self.values += self.operations[-1].results
        self.operations.append(Operation("write_state", [state, x], []))


STEPS: list[Callable[[Builder], None]] = [
    Builder.binary,
    Builder.binary,
    Builder.unary,
    Builder.squash,
    Builder.reshape,
    Builder.transpose,
    Builder.slice,
    Builder.join,
    Builder.split,
    Builder.pad,
    Builder.convolve,
    Builder.convolve,
    Builder.memory,
]


@st.composite
def graphs(draw: st.DrawFn) -> Module:
    """Up to ten operations on values of one element type, with one or two outputs."""
    builder = Builder(draw, draw(st.sampled_from([DType.INT8, DType.INT8, DType.FLOAT32])))
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=2, max_size=10)):
        step(builder)
    computed = builder.values[1:] or [builder.x]
    outputs = [computed[-1]]
    outputs += [v for v in draw(st.lists(st.sampled_from(computed), max_size=1)) if v is not outputs[0]]
    module = Module("graph", {"infer": Function("infer", [builder.x], builder.operations, outputs)})
    verify(module)
    return module


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(modules=st.lists(graphs(), min_size=25, max_size=25))
def test_native_code_equals_the_interpreter(modules: list[Module]) -> None:
    """Overlap, in-place operation and state included, before and after rewriting."""
    rewritten = [parse_module(print_module(m)) for m in modules[:12]]
    for module in rewritten:
        run_passes(module)
    assert_native_equals_interpreter([*modules[12:], *rewritten], samples=2, rtol=1e-4, atol=1e-5)


@settings(max_examples=100, deadline=None)
@given(module=graphs())
def test_rewriting_changes_no_byte(module: Module) -> None:
    """All passes together, over three calls, so that state runs on."""
    rewritten = parse_module(print_module(module))
    run_passes(rewritten)
    before, after = Interpreter(module), Interpreter(rewritten)
    rng = np.random.default_rng(0)
    for _ in range(3):
        inputs = [random_input(v.type, rng) for v in module.infer.inputs]
        for expected, got in zip(before.run(inputs), after.run(inputs), strict=True):
            if expected.dtype == np.float32:
                np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
            else:
                np.testing.assert_array_equal(got, expected)
