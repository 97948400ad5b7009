"""Weights coded in flash: the same bytes as plain ones, on the host and on emulated chips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from coded import anywhere, coded_somewhere, some_weights
from graph_strategies import graphs
from lichen.coding.weights import Way
from lichen.compiler import compile_model
from lichen.device.connect import connect
from lichen.device.executor import open_executor
from lichen.device.link import RefusedError
from lichen.device.protocol import Status
from lichen.errors import InputError, LichenError
from lichen.ir.interpret import Interpreter
from lichen.ir.kernel import Core
from lichen.ir.module import Array, Constant, Function, Module, Operation, Value
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.reading import load
from lichen.targets.board import load_board
from lichen.targets.build import build_firmware
from lichen.targets.folder import ModelFolder, open_folder
from lichen.targets.size import read_symbols
from native_check import CORES, assert_native_equals_interpreter
from strategies import conv2d_modules, dense_modules, depthwise_modules

SEEDS = st.integers(0, 2**32 - 1)
WEIGHTED = st.one_of(conv2d_modules("int8"), depthwise_modules("int8"), dense_modules("int8"))
RNG = np.random.default_rng(6)


def dense_module(sizes: list[int], share: float, batch: int = 1) -> Module:
    """Fully connected int8 layers with so many neurons, of whose weights about this share is not zero."""
    rng = np.random.default_rng(len(sizes))
    values = [_value("x", (batch, sizes[0]))]
    operations = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        data = some_weights(rng, outputs * inputs, share, 20).reshape(outputs, inputs)
        scales = Quantisation(tuple(float(s) for s in rng.uniform(0.001, 0.01, outputs)), (0,) * outputs, 0)
        weights = Constant(f"w{index}", TensorType(data.shape, DType.INT8, scales), data)
        bias = Constant(
            f"b{index}", TensorType((outputs,), DType.INT32), rng.integers(-500, 500, outputs).astype(np.int32)
        )
        values.append(_value(f"h{index}", (batch, outputs)))
        operands: list[Value] = [values[-2], weights, bias]
        operations.append(Operation("dense", operands, [values[-1]], {"activation": "relu"}))
    return Module("mlp", {"infer": Function("infer", [values[0]], operations, [values[-1]])})


def _value(name: str, shape: tuple[int, ...]) -> Value:
    return Value(name, TensorType(shape, DType.INT8, Quantisation((0.05,), (-3,), None)))


def random_samples(module: Module, count: int) -> Array:
    return RNG.integers(-128, 128, (count, *module.infer.inputs[0].type.shape)).astype(np.int8)


def interpreted(module: Module, samples: Array) -> Array:
    interpreter = Interpreter(module)
    return np.stack([interpreter.run([x])[0] for x in samples])


def coded(module: Module, board: str, folder: Path, optimize: str = "speed") -> ModelFolder:
    return open_folder(compile_model(module, board, folder, optimize, weights="coded").path)


@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(modules=st.lists(graphs(), min_size=12, max_size=12), core=st.sampled_from(CORES), seed=SEEDS)
def test_random_graphs(modules: list[Module], core: Core, seed: int) -> None:
    """Whatever can be coded is, and decoded anywhere: the interpreter's bytes, as plain weights give them."""
    lowered = coded_somewhere(anywhere(seed))
    assert_native_equals_interpreter(modules, 0, 2, 1e-3, 1e-3, core, lowered=lowered)


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(modules=st.lists(WEIGHTED, min_size=20, max_size=20), seed=SEEDS)
def test_random_layers(core: Core, modules: list[Module], seed: int) -> None:
    """The same of single layers with weights, on the kernels of every core."""
    assert_native_equals_interpreter(modules, 0, 2, core=core, lowered=coded_somewhere(anywhere(seed)))


@pytest.mark.parametrize(("share", "form"), [(0.08, "sparse"), (0.9, "dense")])
@pytest.mark.parametrize(
    ("board", "on", "optimize"),
    [
        ("mps2-an386", "native", "speed"),
        ("nano33ble", "qemu", "speed"),
        ("nano33ble", "qemu", "size"),
        ("uno", "simavr", "size"),
    ],
)
def test_dense_layers_are_decoded_as_they_are_multiplied(
    share: float, form: str, board: str, on: str, optimize: str, tmp_path: Path, needs: Callable[..., None]
) -> None:
    """Both forms give the interpreter's bytes everywhere, and take less flash than plain weights."""
    module = dense_module([64, 40, 33, 10], share)
    model = coded(module, board, tmp_path / "model", optimize)
    forms = [layer["form"] for op in model.manifest["ops"] for layer in op.get("coded", [])]
    assert form in forms
    assert model.manifest["weights_bytes"] < model.manifest["plain_weights_bytes"]
    samples = random_samples(module, 5)
    with open_executor(model, on) as executor:
        np.testing.assert_array_equal(executor.run([samples])[0], interpreted(module, samples))


SHARED = {"resnet8_int8": 0.94, "vww_96_int8": 0.25}
"""The shared models, and what share of their plain weights the coded ones may take, tables included. Three quarters of the weights of
`vww_96_int8` belong to channels that are always zero, which are gone from plain builds, too; so here its file says what is plain.
"""


@pytest.mark.parametrize("name", SHARED)
def test_shared_models(name: str, lichen_data: Path, tmp_path: Path, needs: Callable[..., None]) -> None:
    """Decoded once, or in tiles where RAM is short: the interpreter's bytes on the host and the chip, without RAM that was not given."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    module = load(lichen_data / "models" / f"{name}.tflite")
    in_file = sum(c.data.nbytes for c in module.constants())
    samples = random_samples(module, 3)
    expected = interpreted(module, samples)
    plain = compile_model(module, "nano33ble", tmp_path / "plain")
    for room in (None, plain.arena + 8000):
        built = compile_model(module, "nano33ble", tmp_path / "coded", weights="coded", ram=room)
        ways = {layer.place.way for layer in built.coded}
        assert Way.START in ways if room is None else Way.TILE in ways
        assert built.weights < plain.weights == built.plain_weights
        assert built.weights <= SHARED[name] * max(in_file, plain.weights)
        assert room is None or built.arena + built.decoded <= room
        for on in ("native", "qemu"):
            with open_executor(open_folder(built.path), on) as executor:
                np.testing.assert_array_equal(executor.run([samples])[0], expected, err_msg=f"{on} {ways}")


def damaged_table(model: ModelFolder) -> None:
    """Flips a bit of the first code words in the generated C."""
    header = model.path / f"{model.name}_weights.h"
    text = header.read_text()
    begin = text.index("{", text.index("_words[")) + 1
    end = text.index(",", begin)
    header.write_text(f"{text[:begin]}\n{int(text[begin:end]) ^ 1}{text[end:]}")


def test_damaged_weights_are_found_on_the_host(tmp_path: Path) -> None:
    """One bit of a table: the model does not start, and the sentence says what to do."""
    model = coded(dense_module([64, 40, 10], 0.1), "mps2-an386", tmp_path / "model")
    damaged_table(model)
    with pytest.raises(LichenError, match=r"coded weights of mlp are damaged; compile the model again"):
        open_executor(model, "native")


@pytest.mark.parametrize(("board", "on"), [("nano33ble", "qemu"), ("uno", "simavr")])
def test_damaged_weights_are_found_on_the_chip(board: str, on: str, tmp_path: Path) -> None:
    """Bits flipped in the image, anywhere in tables and words: the chip refuses to infer, with a status of its own, and serves on."""
    model = coded(dense_module([64, 40, 10], 0.1), board, tmp_path / "model")
    firmware = build_firmware(model, load_board(board))
    symbols = read_symbols(firmware.elf)
    tables = [
        s.name
        for s in symbols
        if s.name.startswith(model.weights_prefix) and s.name.endswith(("_words", "_values", "_gaps"))
    ]
    assert len(tables) >= 3
    for table in tables:
        image = tmp_path / "damaged.elf"
        image.write_bytes(with_flipped_bit(firmware.elf, table))
        with connect(model, replace(firmware, elf=image)) as session:
            for _ in range(2):
                with pytest.raises(RefusedError, match="the coded weights in its flash are damaged") as refused:
                    session.infer([np.zeros(slot.shape, slot.dtype) for slot in session.inputs])
                assert refused.value.status == Status.DAMAGED_WEIGHTS
            session.reset()


def with_flipped_bit(elf: Path, name: str) -> bytes:
    """The image with a bit of the last byte of a symbol flipped."""
    data = bytearray(elf.read_bytes())
    with elf.open("rb") as file:
        opened = ELFFile(file)
        symbol = opened.get_section_by_name(".symtab").get_symbol_by_name(name)[0]
        section = opened.get_section(symbol["st_shndx"])
        at = section["sh_offset"] + symbol["st_value"] - section["sh_addr"] + symbol["st_size"] - 1
    data[at] ^= 0x10
    return bytes(data)


def test_layers_that_run_by_rows_are_decoded_once(tmp_path: Path, lichen_data: Path) -> None:
    """A streamed schedule takes coded weights, too: decoded by `init`, in rings and strips as layer by layer."""
    module = load(lichen_data / "models" / "resnet8_int8.tflite")
    built = compile_model(module, "nano33ble", tmp_path / "model", schedule="stream", weights="coded")
    streamed = {op["name"] for op in open_folder(built.path).manifest["ops"] if op["kind"] == "stream"}
    assert streamed and any(layer.place.way is Way.START for layer in built.coded)
    samples = random_samples(module, 2)
    with open_executor(open_folder(built.path), "native") as executor:
        np.testing.assert_array_equal(executor.run([samples])[0], interpreted(module, samples))


def test_plain_models_are_as_before(tmp_path: Path) -> None:
    """Weights that no code makes smaller stay plain, and `init` then returns nothing."""
    model = coded(dense_module([16, 8], 1.0), "mps2-an386", tmp_path / "model")
    assert not model.is_coded and "void mlp_init" in (model.path / "mlp.h").read_text()
    assert model.manifest["weights_bytes"] == model.manifest["plain_weights_bytes"]


def test_an_unknown_form_is_refused(tmp_path: Path) -> None:
    """`--weights zipped` is not one of the forms."""
    with pytest.raises(InputError, match="--weights zipped is not one of plain, coded"):
        compile_model(dense_module([16, 8], 1.0), "uno", tmp_path / "model", weights="zipped")
