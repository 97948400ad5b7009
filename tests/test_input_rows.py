"""Inputs by rows where a model has several inputs, or state: which come by rows, in which order, and what a broken inference leaves."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from graphs import int8, random_array
from lichen.compiler import compile_model
from lichen.device.connect import connect
from lichen.device.executor import open_executor
from lichen.device.link import RefusedError
from lichen.device.protocol import Operation as Request
from lichen.device.protocol import Status
from lichen.device.session import Session
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Function, Module, Operation, State, Value, constant
from lichen.targets.board import load_board
from lichen.targets.build import build_firmware
from lichen.targets.folder import open_folder

CONV = {"stride": (2, 2), "padding": (1, 1, 1, 1), "dilation": (1, 1), "activation": "none"}


def conv(x: Value, name: str) -> Operation:
    """A 3x3 convolution of stride 2, two channels to two."""
    shape = (2, 3, 3, 2)
    weights = constant(f"{name}_w", np.arange(36).reshape(shape) % 7 - 3, int8(shape, 0.05))
    result = Value(name, int8((1, -(-x.type.shape[1] // 2), -(-x.type.shape[2] // 2), 2), 0.2))
    return Operation("conv2d", [x, weights], [result], dict(CONV))


def two_images() -> Module:
    """Two images of different sizes and a vector; the images meet in a sum, one of them halved before."""
    large, small, vector = (
        Value("large", int8((1, 12, 10, 2))),
        Value("small", int8((1, 6, 5, 2), 0.2)),
        Value("v", int8((1, 7))),
    )
    halved, doubled = conv(large, "halved"), Value("doubled", int8((1, 7), 0.1))
    total = Operation(
        "add", [halved.results[0], small], [Value("total", int8((1, 6, 5, 2), 0.3))], {"activation": "none"}
    )
    last = conv(total.results[0], "y")
    twice = Operation("add", [vector, vector], [doubled], {"activation": "none"})
    operations = [halved, total, last, twice]
    return Module("two", {"infer": Function("infer", [large, vector, small], operations, [last.results[0], doubled])})


def remembering(changes: bool) -> Module:
    """An image through a convolution, and a vector plus a state; with `changes` the state becomes the vector."""
    image, vector = Value("image", int8((1, 8, 6, 2))), Value("v", int8((1, 4)))
    state = State("memory", vector.type, np.zeros((1, 4), np.int8))
    last, total, y = Value("last", vector.type), Value("total", vector.type), conv(image, "y")
    operations = [
        Operation("read_state", [state], [last]),
        Operation("add", [vector, last], [total], {"activation": "none"}),
        *([Operation("write_state", [state, vector], [])] if changes else []),
        y,
    ]
    return Module("remembering", {"infer": Function("infer", [image, vector], operations, [y.results[0], total])})


@pytest.mark.parametrize("board", ["mps2-an386", "uno"])
def test_images_come_by_rows_and_vectors_as_before(board: str, tmp_path: Path) -> None:
    """The device says which row it wants; native, QEMU and simavr give the interpreter's bytes, sample after sample."""
    model = open_folder(compile_model(two_images(), board, tmp_path / "model", input_rows=True, schedule="stream").path)
    assert [tensor.get("rows") for tensor in model.manifest["inputs"]] == [3, None, 3]  # the sum's ring
    samples = [np.stack([random_array(v.type, seed) for seed in range(3)]) for v in two_images().infer.inputs]
    interpreter = Interpreter(two_images())
    expected = [interpreter.run([x[k] for x in samples]) for k in range(3)]
    for on in ("native", "qemu" if board == "mps2-an386" else "simavr"):
        with open_executor(model, on) as executor:
            for index, output in enumerate(executor.run(samples)):
                np.testing.assert_array_equal(output, np.stack([outputs[index] for outputs in expected]))


def break_off(session: Session) -> None:
    """An inference of which the host sends one row."""
    session.write_inputs([np.zeros(slot.shape, slot.dtype) for slot in session.inputs])
    session.link.request(Request.INFER)
    session.link.request(Request.WRITE_INPUT, struct.pack("<BI", 0, 0) + bytes(session.inputs[0].row_bytes))
    session.connect()


@pytest.mark.parametrize("changes", [False, True])
def test_state_is_torn_only_by_an_inference_that_changes_it(changes: bool, tmp_path: Path) -> None:
    """A host that begins anew in the middle: where state may be changed in part nobody works with it until it is whole again."""
    board = load_board("mps2-an386")
    module = remembering(changes)
    model = open_folder(compile_model(module, board.name, tmp_path / "model", input_rows=True).path)
    inputs = [random_array(v.type, 1) for v in module.infer.inputs]
    with connect(model, build_firmware(model, board)) as session:
        break_off(session)
        if changes:
            with pytest.raises(RefusedError) as refusal:
                session.infer(inputs)
            assert refusal.value.status == Status.STATE_TORN
            session.reset()
        for got, expected in zip(session.infer(inputs), Interpreter(module).run(inputs), strict=True):
            np.testing.assert_array_equal(got, expected)
