"""Hypothesis strategies for modules of one operation that moves elements, and a module with state."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lichen.ir.module import Array, Function, Module, Operation, State, Value
from lichen.ir.types import DType, TensorType
from lichen.ir.verify import verify
from ops_oracle import bytes_of, fixed, one_op

dtypes = st.sampled_from([DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.INT64, DType.FLOAT32])
shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def filled(type_: TensorType, seed: int = 0) -> Array:
    """Random data of any type."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=type_.shape).astype(np.float32) if type_.dtype.is_float else bytes_of(type_, rng)


@st.composite
def transposes(draw: st.DrawFn) -> Module:
    """Any permutation of up to six axes."""
    shape = draw(st.lists(st.integers(1, 3), min_size=0, max_size=6).map(tuple))
    permutation = tuple(draw(st.permutations(range(len(shape)))))
    x = TensorType(shape, draw(dtypes))
    return one_op("transpose", [x], [x.with_shape(*(shape[a] for a in permutation))], {"permutation": permutation})


@st.composite
def slices(draw: st.DrawFn) -> Module:
    """Any non-empty slice, backwards too, of an input or a constant."""
    x = TensorType(draw(shapes), draw(dtypes))
    bounds, extents = [], []
    for extent in x.shape:
        begin, stride = draw(st.integers(0, extent - 1)), draw(st.sampled_from([1, 2, 3, -1, -2]))
        end = draw(st.integers(begin + 1, extent) if stride > 0 else st.integers(-1, begin - 1))
        bounds.append((begin, end, stride))
        extents.append(len(range(begin, end, stride)))
    begin, end, strides = zip(*bounds, strict=True)
    source = fixed(filled(x), x) if draw(st.booleans()) else x
    return one_op("strided_slice", [source], [x.with_shape(*extents)], {"begin": begin, "end": end, "strides": strides})


@st.composite
def joins(draw: st.DrawFn, kind: str) -> Module:
    """A concatenation (some of whose operands may be constant) or a split."""
    shape, dtype = draw(shapes), draw(dtypes)
    axis = draw(st.integers(0, len(shape) - 1))
    lengths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=10))
    parts = [TensorType((*shape[:axis], n, *shape[axis + 1 :]), dtype) for n in lengths]
    whole = TensorType((*shape[:axis], sum(lengths), *shape[axis + 1 :]), dtype)
    if kind == "split":
        return one_op("split", [whole], parts, {"axis": axis})
    operands = [fixed(filled(t, i), t, f"k{i}") if draw(st.booleans()) else t for i, t in enumerate(parts)]
    return one_op("concat", operands, [whole], {"axis": axis})


@st.composite
def reshapes(draw: st.DrawFn) -> Module:
    """From any shape to a single dimension."""
    x = TensorType(draw(shapes), draw(dtypes))
    return one_op("reshape", [x], [x.with_shape(x.elements)])


def delay(type_: TensorType) -> Module:
    """A model that returns what it was given the call before, and keeps the input for the next."""
    initial = np.arange(type_.elements).reshape(type_.shape).astype(type_.dtype.numpy)
    state, x = State("memory", type_, initial), Value("x", type_)
    old = Value("old", type_)
    operations = [Operation("read_state", [state], [old]), Operation("write_state", [state, x], [])]
    module = Module("delay", {"infer": Function("infer", [x], operations, [old])})
    verify(module)
    return module
