"""Reading `.tflite`: what operators become, what is refused and by which name."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

from lichen.errors import InputError, UnsupportedError
from lichen.frontends import load
from lichen.frontends.tflite import import_tflite, supported_operators
from lichen.frontends.tflite.schema import read_model
from lichen.ir.module import Constant
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module, print_operation
from tflite_builder import Graph, Tensor, build
from tflite_cases import CASES, floats, one

Q = (0.1, 5)


def operations(model: bytes) -> list[str]:
    """The operations in text, without the results."""
    module = import_tflite(model, "m")
    return [print_operation(op).split(" = ", 1)[-1].split(" : ")[0] for op in module.infer.operations]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "conv2d_same_strided",
            'conv2d(%x, @w, @b) {activation = "relu6", dilation = (1, 1), padding = (0, 1, 0, 1), stride = (2, 1)}',
        ),
        (
            "conv2d_valid_dilated",
            'conv2d(%x, @w) {activation = "none", dilation = (2, 1), padding = (0, 0, 0, 0), stride = (1, 1)}',
        ),
        ("strided_slice_backwards", "strided_slice(%x) {begin = (0, 4), end = (2, -1), strides = (1, -2)}"),
        ("pad", "pad(%x) {after = (0, 2, 1, 0), before = (0, 1, 0, 0), value = 5.0}"),
        ("pad_v2", "pad(%x) {after = (0, 0, 2, 0), before = (0, 1, 0, 0), value = -77.0}"),
        ("mean", "mean(%x) {axes = (1, 2), keep_dims = false}"),
        ("squeeze", "reshape(%x)"),
        ("transpose", "transpose(%x) {permutation = (0, 3, 1, 2)}"),
    ],
)
def test_operation(name: str, expected: str) -> None:
    """Options, masks and negative axes are resolved into the attributes of our operators."""
    [line] = operations(CASES[name]())
    assert line == expected


def test_slice_that_drops_an_axis() -> None:
    """An axis that STRIDED_SLICE removes is taken away by a reshape."""
    assert operations(CASES["strided_slice_shrinking"]()) == [
        "strided_slice(%x) {begin = (0, 3, 0), end = (1, 4, 3), strides = (1, 1, 1)}",
        "reshape(%y_part)",
    ]


def test_every_operator_has_a_case() -> None:
    """The cases that are compared with the oracle and damaged use every operator that is supported."""
    used = {op.builtin for make in CASES.values() for graph in read_model(make()) for op in graph.operators}
    assert used == set(supported_operators())


def test_variables_become_state() -> None:
    """A resource variable is state with the value that CALL_ONCE assigns, or its zero point if nothing does."""
    [window] = import_tflite(CASES["streaming"](), "m").states()
    assert window.name == "window" and window.type.shape == (1, 2, 4) and window.initial.any()
    [total] = import_tflite(CASES["accumulator_without_start"](), "m").states()
    assert (total.initial == 5).all()


def test_dequantised_constant_is_folded() -> None:
    """Weights that the file dequantises are a float constant of the layer."""
    [operation] = import_tflite(CASES["dequantised_weights"](), "m").infer.operations
    weights = operation.operands[1]
    assert isinstance(weights, Constant) and weights.data.dtype == np.float32


def test_equal_constants_are_shared() -> None:
    """Two layers that use the same tensor use one constant, so that it is in flash once."""
    graph = Graph()
    x, w = graph.input((1, 4), "float32"), graph.constant(np.eye(4, dtype=np.float32))
    h = graph.op("FULLY_CONNECTED", [x, w, None], (1, 4), "float32")
    y = graph.op("FULLY_CONNECTED", [h, w], (1, 4), "float32")
    assert len(import_tflite(build(graph.returns(y)), "m").constants()) == 1


def test_names_are_unique_identifiers() -> None:
    """Names of tensors become identifiers; of a fused name the first part counts, and doubles are numbered."""
    graph = Graph()
    x = graph.input((1, 4), "float32", name="serving/x:0")
    a = graph.op("RELU", [x], (1, 4), "float32", name="block/relu;block/conv")
    b = graph.op("RELU", [a], (1, 4), "float32", name="block/RELU;other")
    names = [v.name for v in import_tflite(build(graph.returns(b)), "m").infer.values()]
    assert names == ["serving_x_0", "block_relu", "block_RELU_2"]


def test_module_is_named_after_the_file(tmp_path: Path) -> None:
    """`load` takes the name of the module from the file, and text that it printed is read back."""
    (tmp_path / "my net-2.tflite").write_bytes(CASES["conv2d_float"]())
    module = load(tmp_path / "my net-2.tflite")
    assert module.name == "my_net_2"
    (tmp_path / "other.lichen").write_text(print_module(module))
    assert print_module(load(tmp_path / "other.lichen")) == print_module(parse_module(print_module(module)))


# --- what is not supported


def one_input(
    builtin: str,
    options: dict[str, Any] | None = None,
    constants: Callable[[Graph], list[Tensor]] = lambda graph: [],
    shape: tuple[int, ...] = (1, 4),
    result: tuple[int, ...] = (1, 4),
) -> Callable[[], bytes]:
    return lambda: build(one(builtin, shape, result, options, constants))


def ints(*values: Any) -> Callable[[Graph], list[Tensor]]:
    return lambda graph: [graph.constant(np.array(value, np.int32)) for value in values]


def hybrid() -> bytes:
    return build(floats("FULLY_CONNECTED", (1, 4), (1, 2), {}, lambda g: [g.constant(np.ones((2, 4), np.int8), 0.1)]))


def half_weights() -> bytes:
    return build(floats("FULLY_CONNECTED", (1, 4), (1, 2), {}, lambda g: [g.constant(np.ones((2, 4), np.float16))]))


def shuffled_weights() -> bytes:
    options = {"WeightsFormat": tflite.FullyConnectedOptionsWeightsFormat.SHUFFLED4x16INT8}
    return build(
        floats("FULLY_CONNECTED", (1, 4), (1, 2), options, lambda g: [g.constant(np.ones((2, 4), np.float32))])
    )


def dynamic_width() -> bytes:
    graph = Graph()
    x = graph.input((1, 1), "float32", signature=(-1, -1), name="waves")
    return build(graph.returns(graph.op("RELU", [x], (1, 1), "float32")))


def operator_variable() -> bytes:
    graph = Graph()
    memory = graph.tensor((1, 4), "int8", *Q, is_variable=True, name="memory")
    return build(graph.returns(graph.op("ADD", [graph.input((1, 4), "int8", *Q), memory], (1, 4), "int8", *Q)))


def computed_shape() -> bytes:
    graph = Graph()
    x, shape = graph.input((1, 4), "int8", *Q), graph.input((2,), "int32", name="wish")
    return build(graph.returns(graph.op("RESHAPE", [x, shape], (2, 2), "int8", *Q)))


def newer_version() -> bytes:
    graph = Graph()
    x = graph.input((1, 4), "int8", *Q)
    return build(graph.returns(graph.op("RELU", [x], (1, 4), "int8", *Q, version=99)))


def second_graph() -> bytes:
    graph, other = Graph(), Graph("other")
    for g in (graph, other):
        g.returns(g.op("RELU", [g.input((1, 4), "int8", *Q)], (1, 4), "int8", *Q))
    return build(graph, other)


def computed_start() -> bytes:
    graph, start = Graph(), Graph("start")
    start.op("RELU", [start.constant(np.ones((1, 4), np.int8), *Q)], (1, 4), "int8", *Q)
    graph.add("CALL_ONCE", [], [], {"InitSubgraphIndex": 1})
    return build(graph.returns(graph.op("RELU", [graph.input((1, 4), "int8", *Q)], (1, 4), "int8", *Q)), start)


def handle_of_floats() -> bytes:
    graph = Graph()
    handle = graph.op("VAR_HANDLE", [], (), "float32", options={"SharedName": "v"}, name="grip")
    return build(graph.returns(graph.op("READ_VARIABLE", [handle], (1, 4), "int8", *Q)))


def late_start() -> bytes:
    graph, start = Graph(), Graph("start")
    handle = graph.op("VAR_HANDLE", [], (), "resource", options={"SharedName": "v"})
    value = graph.op("READ_VARIABLE", [handle], (1, 4), "int8", *Q)
    graph.add("CALL_ONCE", [], [], {"InitSubgraphIndex": 1})
    return build(graph.returns(value), start)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (one_input("ABS"), r"operator 0 \(ABS\), 'y'"),
        (one_input("CUSTOM"), r"operator 0 \(CUSTOM TestCustom\)"),
        (one_input("RELU_N1_TO_1"), r"operator 0 \(RELU_N1_TO_1\)"),
        (one_input("ADD", {"FusedActivationFunction": "TANH"}, lambda g: [g.inputs[0]]), r"\(ADD\), 'y'.*TANH"),
        (one_input("CONCATENATION", {"Axis": 1, "FusedActivationFunction": "RELU"}), "fused relu"),
        (one_input("STRIDED_SLICE", {"NewAxisMask": 1}, ints([0, 0], [1, 4], [1, 1])), "new_axis_mask"),
        (one_input("STRIDED_SLICE", {"EllipsisMask": 1}, ints([0, 0], [1, 4], [1, 1])), "ellipsis_mask"),
        (
            one_input("PADV2", {}, lambda g: [*ints([[0, 0], [0, 0]])(g), g.constant(np.array([1], np.int8), 0.5, 5)]),
            "padding value",
        ),
        (hybrid, "float input with i8 weights"),
        (half_weights, "FLOAT16"),
        (shuffled_weights, "shuffled weights"),
        (dynamic_width, "'waves': dimension 1 is dynamic"),
        (operator_variable, "'memory' is a variable"),
        (computed_shape, r"\(RESHAPE\).*dimensions are computed"),
        (newer_version, "version 99"),
        (one_input("TRANSPOSE", {}, lambda g: [g.constant(np.array([0, 1], np.int64))]), "permutation are of type i64"),
        (second_graph, "subgraph 1"),
        (computed_start, r"operator 0 \(RELU\) of subgraph 1"),
        (late_start, "after their first use"),
    ],
)
def test_unsupported_is_named(make: Callable[[], bytes], words: str) -> None:
    """What Lichen does not have is refused by name and place, never skipped."""
    with pytest.raises(UnsupportedError, match=words):
        import_tflite(make(), "m")


# --- what contradicts itself


def edited(builtin: str, change: Callable[[Graph, Tensor, Tensor], None]) -> Callable[[], bytes]:
    """One elementwise operator, whose graph is changed before it is written."""

    def make() -> bytes:
        graph = Graph()
        x = graph.input((1, 4), "int8", *Q, name="x")
        y = graph.op(builtin, [x], (1, 4), "int8", *Q, name="y")
        graph.returns(y)
        change(graph, x, y)
        return build(graph)

    return make


def with_bias(scale: float, zero_point: int = 0) -> Callable[[], bytes]:
    def constants(graph: Graph) -> list[Tensor]:
        return [graph.constant(np.ones((4, 4), np.int8), 0.5), graph.constant(np.ones(4, np.int32), scale, zero_point)]

    return one_input("FULLY_CONNECTED", {}, constants)


def change(**fields: Any) -> Callable[[Graph, Tensor, Tensor], None]:
    def apply(graph: Graph, x: Tensor, y: Tensor) -> None:
        for name, value in fields.items():
            setattr(x, name, value)

    return apply


def swap(graph: Graph, x: Tensor, y: Tensor) -> None:
    """The operator reads what a later one computes."""
    late = graph.op("RELU", [x], (1, 4), "int8", *Q, name="late")
    graph.ops[0].inputs = [late]


def cycle(graph: Graph, x: Tensor, y: Tensor) -> None:
    graph.ops[0].inputs = [y]


def twice(graph: Graph, x: Tensor, y: Tensor) -> None:
    graph.add("RELU", [x], [y])


def missing(graph: Graph, x: Tensor, y: Tensor) -> None:
    graph.ops[0].inputs = [None]


def surplus(graph: Graph, x: Tensor, y: Tensor) -> None:
    graph.ops[0].inputs = [x, x]


def nothing_computed(graph: Graph, x: Tensor, y: Tensor) -> None:
    graph.ops.clear()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (edited("RELU", swap), "'late' is used before it is computed"),
        (edited("RELU", cycle), "'y' is used before it is computed"),
        (edited("RELU", twice), "'y' has more than one source"),
        (edited("RELU", missing), "input 0 is missing"),
        (edited("RELU", surplus), "2 inputs"),
        (edited("RELU", nothing_computed), "output 'y' of the model is not computed"),
        (edited("RELU", change(index=77)), "not one of its 2 tensors|beyond the graph's 2"),
        (edited("RELU", change(shape=(1, 5))), r"\(RELU\), 'y'"),
        (edited("RELU", change(shape=(1, 0))), r"'x'.*\[1, 0\]"),
        (edited("RELU", change(shape=(-1, 4))), r"'x'.*\[-1, 4\]"),
        (edited("RELU", change(shape=(1 << 20, 1 << 20))), "'x'.*not usable"),
        (edited("RELU", change(shape=(1,) * 9)), "'x'.*9 dimensions"),
        (edited("RELU", change(signature=(1, 7))), "'x'.*signature"),
        (edited("RELU", change(scale=[float("nan")])), "'x'.*scale"),
        (edited("RELU", change(scale=[float("inf")])), "'x'.*scale"),
        (edited("RELU", change(scale=[-0.1])), "'x'.*scale"),
        (edited("RELU", change(scale=[0.0])), "'x'.*scale"),
        (edited("RELU", change(scale=[1e-38])), "'x'.*scale"),
        (edited("RELU", change(zero_point=[128])), "'x'.*zero point"),
        (edited("RELU", change(zero_point=[1, 2])), "1 scales and 2 zero points"),
        (edited("RELU", change(scale=[0.1] * 3, zero_point=[0] * 3, axis=1)), "'x'.*3 scales"),
        (edited("RELU", change(data=np.zeros(4, np.int8))), "'x' has more than one source"),
        (handle_of_floats, "'grip' cannot hold"),
        (with_bias(0.4), "scale of its bias"),
        (with_bias(0.05, 3), "zero point of its bias"),
        (one_input("TRANSPOSE", {}, ints([0, 0])), "not a permutation"),
        (one_input("RESHAPE", {}, ints([2, 3])), r"asks for shape \[2, 3\]"),
        (one_input("MEAN", {}, ints([2])), "axis 2 does not exist"),
        (one_input("SQUEEZE", {"SqueezeDims": [1]}), "not all 1"),
        (one_input("STRIDED_SLICE", {}, ints([0, 0], [1, 4], [1, 0])), "stride is 0"),
        (one_input("STRIDED_SLICE", {}, ints([0, 4], [1, 4], [1, 1])), "nothing is left of dimension 1"),
        (one_input("STRIDED_SLICE", {"ShrinkAxisMask": 1}, ints([0, 0], [1, 4], [-1, 1])), "walked backwards"),
        (one_input("PAD", {}, ints([[0, 0], [-1, 1]])), "paddings"),
        (one_input("LEAKY_RELU", {"Alpha": float("nan")}), "alpha is nan"),
    ],
)
def test_contradiction_is_refused(make: Callable[[], bytes], words: str) -> None:
    """A file that says two things, or nothing where something is needed, is an input error with the place."""
    with pytest.raises(InputError, match=words) as caught:
        import_tflite(make(), "m")
    assert not isinstance(caught.value, UnsupportedError)


def test_constant_must_fill_its_shape() -> None:
    """Data longer or shorter than shape and type say are refused; they would be another tensor's."""
    for shape in ((1, 3), (1, 5)):
        graph = Graph()
        other = graph.constant(np.ones((1, 4), np.int8), *Q, name="k")
        other.shape = shape
        model = build(graph.returns(graph.op("ADD", [graph.input((1, 4), "int8", *Q), other], (1, 4), "int8", *Q)))
        with pytest.raises(InputError, match=r"'k'.*bytes of data but the file has 4"):
            import_tflite(model, "m")


def test_options_of_another_operator_are_refused() -> None:
    """The table of options must be the operator's own; another one would be misread."""
    model = bytearray(CASES["softmax"]())
    operator = tflite.Model.GetRootAs(bytes(model), 0).Subgraphs(0).Operators(0)
    field = operator._tab.Offset(10) + operator._tab.Pos
    assert model[field] == tflite.BuiltinOptions.SoftmaxOptions
    model[field] = tflite.BuiltinOptions.LeakyReluOptions
    with pytest.raises(InputError, match=r"\(SOFTMAX\).*LeakyReluOptions"):
        import_tflite(bytes(model), "m")


def test_other_formats_are_refused() -> None:
    """A file of another kind is said to be one."""
    for data in (b"", b"TFL3", b"PK\x03\x04" + bytes(100)):
        with pytest.raises(InputError, match="not a TFL3 file"):
            import_tflite(data, "m")


def test_many_tensors_of_one_name_are_fast() -> None:
    """Ten thousand operators whose tensors share one name take time in proportion to their number."""
    graph = Graph()
    x = graph.input((1, 1), "float32", name="x")
    for _ in range(10_000):
        x = graph.op("RELU", [x], (1, 1), "float32", name="x")
    model = build(graph.returns(x))
    started = time.process_time()
    import_tflite(model, "m")
    assert time.process_time() - started < 5


def test_speed(lichen_data: Path) -> None:
    """A ResNet is read in far less than a tenth of a second."""
    data = (lichen_data / "models" / "resnet8_int8.tflite").read_bytes()
    import_tflite(data, "warm")
    started = time.process_time()
    import_tflite(data, "resnet")
    assert time.process_time() - started < 0.1
