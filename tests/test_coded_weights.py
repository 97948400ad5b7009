"""Weights coded in flash: the same bytes as plain ones, on the host and on emulated chips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from coded import Chosen, anywhere, coded_somewhere, dense_module, some_weights
from graph_strategies import graphs
from lichen.backend.emit import emit
from lichen.backend.folder import write_folder
from lichen.coded_weights import Layer
from lichen.coding.weights import CodedLayer, Place, Way
from lichen.compiler import compile_model
from lichen.device.connect import connect
from lichen.device.count import profile
from lichen.device.executor import open_executor
from lichen.device.link import RefusedError
from lichen.device.protocol import Status
from lichen.errors import InputError, LichenError
from lichen.ir.interpret import Interpreter
from lichen.ir.kernel import Core
from lichen.ir.module import Array, Constant, Function, Module, Operation, Value
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.kernels import kernels_for
from lichen.learning.learner import Learning
from lichen.reading import load
from lichen.targets.board import Board, load_board
from lichen.targets.build import build_firmware
from lichen.targets.folder import ModelFolder, open_folder
from lichen.targets.size import read_symbols
from native_check import CORES, DSP, assert_native_equals_interpreter
from strategies import conv2d_modules, dense_modules, depthwise_modules

SEEDS = st.integers(0, 2**32 - 1)
WEIGHTED = st.one_of(conv2d_modules("int8"), depthwise_modules("int8"), dense_modules("int8"))
RNG = np.random.default_rng(6)


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
@settings(max_examples=1, deadline=None, phases=[Phase.generate])
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
    module = dense_module([64, 60, 48, 10], share, spread=4)
    built = compile_model(module, board, tmp_path / "model", optimize, weights="coded", ram=200)
    assert form in [layer.form for layer in built.coded]
    assert {layer.place.way for layer in built.coded} == {Way.FUSED}
    model = open_folder(built.path)
    assert model.manifest["weights_bytes"] < model.manifest["plain_weights_bytes"]
    samples = random_samples(module, 5)
    with open_executor(model, on) as executor:
        np.testing.assert_array_equal(executor.run([samples])[0], interpreted(module, samples))


def test_resnet8_is_coded_without_loss(lichen_data: Path, tmp_path: Path, needs: Callable[..., None]) -> None:
    """At most 94 % of the plain bytes, tables included, and a smaller image. Decoded once it takes no instruction more, in tiles, where RAM is
    short, a quarter at most; the bytes are the interpreter's on the host and the chip, and no RAM is taken that was not given.
    """
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    module = load(lichen_data / "models" / "resnet8_int8.tflite")
    samples = random_samples(module, 3)
    expected = interpreted(module, samples)
    plain = compile_model(module, "nano33ble", tmp_path / "plain")
    assert plain.flash is not None
    instructions = total_instructions(open_folder(plain.path))
    for room, most in ((None, 1.001), (plain.arena + 8000, 1.25)):
        built = compile_model(module, "nano33ble", tmp_path / "coded", weights="coded", ram=room)
        ways = {layer.place.way for layer in built.coded}
        assert ways == {Way.START} if room is None else Way.TILE in ways
        assert built.weights <= 0.94 * plain.weights and built.plain_weights == plain.weights
        assert built.flash is not None and built.flash < plain.flash
        assert room is None or built.arena + built.decoded <= room
        model = open_folder(built.path)
        assert total_instructions(model) <= most * instructions
        for on in ("native", "qemu"):
            with open_executor(model, on) as executor:
                np.testing.assert_array_equal(executor.run([samples])[0], expected, err_msg=f"{on} {ways}")


def total_instructions(model: ModelFolder) -> int:
    return sum(op.instructions for op in profile(model, "qemu").ops)


def test_vww_is_coded_without_loss(lichen_data: Path, tmp_path: Path) -> None:
    """At most a quarter of the bytes of the weights in its file. Four fifths of them belong to channels that are always zero, which are gone
    from a plain build, too; what is left would be coded to 96 %, which is less than the code for it takes, so a compilation leaves it plain.
    """
    module = load(lichen_data / "models" / "vww_96_int8.tflite")
    in_file = sum(constant.data.nbytes for constant in module.constants())
    built = compile_model(module, "nano33ble", tmp_path / "model", weights="coded")
    assert built.weights <= 0.25 * in_file
    program = coded_somewhere(anywhere(0))(module, load_board("nano33ble").core, ())
    sources = emit(program, "speed")
    assert sources.weights_bytes < 0.97 * built.plain_weights
    assert_native_equals_interpreter([module], samples=2, core=DSP, lowered=coded_somewhere(anywhere(1)))


def test_a_pruned_network_of_250_kilobytes_runs_on_an_atmega(tmp_path: Path, needs: Callable[..., None]) -> None:
    """784-300-100-10 with 8 % of its weights, of some 20 values as a k-means codebook has: from 32 kB of flash, in 2 kB of RAM, same bytes."""
    needs("avr-gcc")
    module = dense_module([784, 300, 100, 10], 0.08, spread=3)
    built = compile_model(module, "uno", tmp_path / "model", weights="coded")
    assert built.plain_weights > 245_000 and built.weights < 24_000 and built.fits
    samples = random_samples(module, 2)
    with open_executor(open_folder(built.path), "simavr") as executor:
        np.testing.assert_array_equal(executor.run([samples])[0], interpreted(module, samples))


@pytest.mark.parametrize("name", ["hello_world_int8", "micro_speech_quantized", "person_detect"])
def test_shared_models_whose_weights_are_all_coded(name: str, lichen_data: Path) -> None:
    """Whatever can be coded is, decoded anywhere: the interpreter's bytes, as plain weights give them."""
    module = load(lichen_data / "models" / f"{name}.tflite")
    assert_native_equals_interpreter([module], samples=3, core=DSP, lowered=coded_somewhere(anywhere(0)))


def test_tiles_fit_the_ram_of_an_atmega(tmp_path: Path, needs: Callable[..., None]) -> None:
    """A batch on `uno` is decoded in tiles as large as 2 kB allow, from a fraction of the flash, to the same bytes."""
    needs("avr-gcc")
    module = dense_module([64, 60, 48, 10], 0.1, batch=3, spread=4)
    built = compile_model(module, "uno", tmp_path / "model", weights="coded")
    assert {layer.place.way for layer in built.coded} == {Way.TILE} and built.weights < built.plain_weights / 2
    assert built.ram <= load_board("uno").ram
    samples = random_samples(module, 2)
    with open_executor(open_folder(built.path), "simavr") as executor:
        np.testing.assert_array_equal(executor.run([samples])[0], interpreted(module, samples))


def test_equal_weights_of_unequal_layers_are_told_apart() -> None:
    """A 1x1 convolution has the very weights of the fully connected layer behind it; one is decoded in a tile, the other as it is multiplied."""
    module = dense_module([64, 64], 0.2)
    [dense] = module.infer.operations
    x, weights, bias = dense.operands
    assert isinstance(weights, Constant)
    between = Value("between", replace(x.type, shape=(1, 1, 1, 64)))
    image = Value("image", replace(x.type, shape=(1, 1, 1, 64)))
    kernel = Constant("kernel", replace(weights.type, shape=(64, 1, 1, 64)), weights.data.reshape(64, 1, 1, 64))
    attributes = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "activation": "none"}
    operations = [
        Operation("conv2d", [image, kernel, bias], [between], dict(attributes)),
        Operation("dense", [between, weights, bias], dense.results, dense.attributes),
    ]
    twice = Module("twice", {"infer": Function("infer", [image], operations, dense.results)})
    for core in CORES:
        lowered = coded_somewhere(lambda layer, core: layer.places(core)[0])
        program = lowered(twice, core, ())
        assert [layer.place.way for layer in program.coding.layers.values()] == [Way.TILE, Way.FUSED]
        assert_native_equals_interpreter([twice], core=core, lowered=lowered)


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
    assert (
        not any("coded" in op for op in model.manifest["ops"]) and "void mlp_init" in (model.path / "mlp.h").read_text()
    )
    assert model.manifest["weights_bytes"] == model.manifest["plain_weights_bytes"]


def test_an_unknown_form_is_refused(tmp_path: Path) -> None:
    """`--weights zipped` is not one of the forms."""
    with pytest.raises(InputError, match="--weights zipped is not one of plain, coded"):
        compile_model(dense_module([16, 8], 1.0), "uno", tmp_path / "model", weights="zipped")


@pytest.mark.parametrize("board", ["nano33ble", "microbit", "mps3-an547", "uno"])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_modelled_costs_are_near_the_emulated(
    board: str, share: float, tmp_path: Path, needs: Callable[..., None]
) -> None:
    """Decoding costs on the emulated core what the manifest says, to a third: fused, and in tiles where there are some."""
    target = load_board(board)
    fused = profiled(dense_module([256, 64], share), target, lambda layer, core: Place(Way.FUSED), tmp_path / "fused")
    found = [(fused[0], fused[1].instructions)]
    if board != "uno":
        batch = dense_module([64, 64], share, batch=4)
        tile = profiled(batch, target, lambda layer, core: Place(Way.TILE, layer.packing.channels), tmp_path / "tile")
        start = profiled(batch, target, lambda layer, core: Place(Way.START), tmp_path / "start")
        found.append((tile[0] - start[0], tile[1].instructions))
        assert start[1].instructions == 0
    for emulated, modelled in found:
        assert modelled / 1.33 <= emulated <= modelled * 1.33


def profiled(module: Module, board: Board, choose: Chosen, folder: Path) -> tuple[int, CodedLayer]:
    """Instructions of the only layer, decoded where `choose` says, and what is known of it."""
    program = coded_somewhere(choose)(module, board.core, ())
    folder.mkdir()
    write_folder(folder, program, emit(program, "speed"), board.name, "speed")
    assert board.emulator is not None
    [layer] = program.coding.layers.values()
    return profile(open_folder(folder), board.emulator.kind).ops[0].instructions, layer


def test_the_frozen_part_of_a_model_that_learns_is_coded(tmp_path: Path) -> None:
    """Behind coded weights, decoded once or in each call, learning ends with the same state and answers, to the byte."""
    answers, least = [], 0
    for weights, is_short in (("plain", False), ("coded", False), ("coded", True)):
        module = dense_module([64, 60, 40, 10], 0.1)
        how = Learning("last:1", "mean_squared_error", 0.01)
        built = compile_model(
            module, "nano33ble", tmp_path / "model", weights=weights, learning=how, ram=least if is_short else None
        )
        least = built.arena + built.state if weights == "plain" else least
        model = open_folder(built.path)
        assert bool(built.coded) == (weights == "coded")
        assert {layer.place.way for layer in built.coded} <= {Way.FUSED if is_short else Way.START}
        rng = np.random.default_rng(0)
        shapes = [slot["shape"] for slot in model.function("learn")["inputs"]]
        x = rng.integers(-128, 128, (20, *shapes[0])).astype(np.int8)
        with open_executor(model, "native") as executor:
            executor.begin_learning(0.01)
            executor.learn([x, rng.normal(size=(20, *shapes[1])).astype(np.float32)])
            answers.append((executor.read_state()[-100:], executor.run([x])[0].tobytes()))
    assert answers[0] == answers[1] == answers[2]


def test_a_budget_of_flash_with_coded_weights(tmp_path: Path, needs: Callable[..., None]) -> None:
    """`flash=` chooses among kernels that decode as among others; the image keeps to it and computes the same."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    module = dense_module([64, 60, 40, 10], 0.1)
    least = compile_model(module, "nano33ble", tmp_path / "size", "size", weights="coded").flash
    assert least is not None
    built = compile_model(module, "nano33ble", tmp_path / "model", flash=least + 500, weights="coded")
    assert built.flash is not None and built.flash <= least + 500 and built.coded
    samples = random_samples(module, 2)
    with open_executor(open_folder(built.path), "qemu") as executor:
        np.testing.assert_array_equal(executor.run([samples])[0], interpreted(module, samples))


CHIPS = [*product([Way.TILE, Way.START], ["nano33ble", "pico", "mps3-an547"]), (Way.TILE, "uno")]


@pytest.mark.parametrize(("way", "board"), CHIPS, ids=lambda value: value if isinstance(value, str) else value.value)
def test_convolutions_on_the_chip(way: Way, board: str, tmp_path: Path, needs: Callable[..., None]) -> None:
    """An ordinary and a depthwise convolution, decoded in tiles of four channels or once: the interpreter's bytes on four cores."""
    needs("arm-none-eabi-gcc", "qemu-system-arm", "avr-gcc")
    target = load_board(board)

    def choose(layer: Layer, core: Core) -> Place:
        return Place(way, layer.channels(0) if way is Way.TILE else 0)

    for optimize, dilation in (("speed", 1), ("size", 2)):
        module = convolutions(dilation)
        samples = random_samples(module, 2)
        program = coded_somewhere(choose)(module, target.core, ())
        assert len(program.coding.layers) == 2 and all(
            "coded" in c.kernel for s in program.infer.steps for c in s.calls
        ) == (way is Way.TILE)
        folder = tmp_path / optimize
        folder.mkdir()
        kernels = kernels_for(optimize, target)
        write_folder(folder, program, emit(program, optimize, kernels.specialised), board, optimize)
        assert target.emulator is not None
        with open_executor(open_folder(folder), target.emulator.kind) as executor:
            np.testing.assert_array_equal(executor.run([samples])[0], interpreted(module, samples))


def convolutions(dilation: int) -> Module:
    """A 3x3 convolution to 18 channels and, not dilated, a depthwise one behind it, of an image of 4x4."""
    rng = np.random.default_rng(1)
    types = [TensorType((1, 4, 4, c), DType.INT8, Quantisation((0.05,), (-3,), None)) for c in (5, 18, 18)]
    values = [Value(name, type_) for name, type_ in zip("xyz", types, strict=True)]
    operations = []
    for kind, shape, axis, pad, source, result in (
        ("conv2d", (18, 3, 3, 5), 0, dilation, values[0], values[1]),
        ("depthwise_conv2d", (1, 3, 3, 18), 3, 1, values[1], values[2]),
    ):
        scales = Quantisation(tuple(float(s) for s in rng.uniform(0.005, 0.02, 18)), (0,) * 18, axis)
        data = some_weights(rng, int(np.prod(shape)), 0.7, 15).reshape(shape)
        weights = Constant(f"{kind}_w", TensorType(shape, DType.INT8, scales), data)
        attributes = {"stride": (1, 1), "padding": (pad,) * 4, "dilation": (pad, pad), "activation": "none"}
        operations.append(Operation(kind, [source, weights], [result], dict(attributes)))
    return Module("convs", {"infer": Function("infer", [values[0]], operations, [values[-1]])})
