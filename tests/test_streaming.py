"""Streaming as users meet it: compiled for a limit of RAM, linked for the Cortex-M4, emulated, profiled and validated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphs import deep_module
from lichen.compiler import analyze, compile_model
from lichen.device.count import count_first
from lichen.device.executor import open_executor
from lichen.device.validate import validate
from lichen.errors import DoesNotFitError, InputError
from lichen.ir.interpret import Interpreter
from lichen.learning.learner import Learning
from lichen.reading import load
from lichen.running import Device
from lichen.targets.folder import open_folder
from native_check import random_input


@pytest.mark.parametrize(("name", "ram"), [("resnet8_int8", 14_000), ("vww_96_int8", 32_000)])
def test_same_bytes_in_less_memory(name: str, ram: int, lichen_data: Path, tmp_path: Path) -> None:
    """Under half the RAM or little more than the input, no MAC more."""
    path = lichen_data / "models" / f"{name}.tflite"
    layers = compile_model(load(path), "mps2-an386", tmp_path / "layers")
    streamed = compile_model(load(path), "mps2-an386", tmp_path / "streamed", ram=ram)
    assert streamed.arena <= ram < layers.arena and streamed.macs == layers.macs
    model = open_folder(streamed.path)
    assert "stream" in {op["kind"] for op in model.manifest["ops"]}
    module = load(path)
    x = random_input(module.infer.inputs[0].type, np.random.default_rng(0))
    with open_executor(model, "qemu") as executor:
        np.testing.assert_array_equal(executor.run([x[np.newaxis]])[0][0], Interpreter(module).run([x])[0])


def test_same_bytes_with_the_input_by_rows(lichen_data: Path, tmp_path: Path) -> None:
    """The published 12,000 bytes, less than half the input."""
    path = lichen_data / "models" / "vww_96_int8.tflite"
    layers = compile_model(load(path), "mps2-an386", tmp_path / "layers")
    rows = compile_model(load(path), "mps2-an386", tmp_path / "rows", ram=12_000, input_rows=True)
    module = load(path)
    x = random_input(module.infer.inputs[0].type, np.random.default_rng(0))
    assert rows.arena <= 12_000 and rows.macs == layers.macs and rows.input_rows
    model = open_folder(rows.path)
    expected = Interpreter(module).run([x])[0]
    for on in ("native", "qemu"):
        with open_executor(model, on) as executor:
            np.testing.assert_array_equal(executor.run([x[np.newaxis]])[0][0], expected)


@pytest.mark.parametrize(
    ("name", "ram", "input_rows"),
    [("resnet8_int8", 14_000, False), ("vww_96_int8", 32_000, False), ("vww_96_int8", 12_000, True)],
)
def test_streaming_costs_little_time(name: str, ram: int, input_rows: bool, lichen_data: Path, tmp_path: Path) -> None:
    """At most 5 % more instructions than layer by layer, without those of fetching rows."""
    path = lichen_data / "models" / f"{name}.tflite"
    layers = compile_model(load(path), "mps2-an386", tmp_path / "layers")
    streamed = compile_model(load(path), "mps2-an386", tmp_path / "streamed", ram=ram, input_rows=input_rows)
    x = random_input(load(path).infer.inputs[0].type, np.random.default_rng(0))[np.newaxis]
    whole, by_rows = (count_first(open_folder(f.path), "qemu", [x]).instructions for f in (layers, streamed))
    assert whole is not None and by_rows is not None
    assert by_rows <= 1.05 * whole


def test_strips_on_the_chip(tmp_path: Path) -> None:
    """The least memory of a small network: strips, from an input in RAM and from rows that come once for each; the MACs are told."""
    for input_rows in (False, True):
        module = deep_module()
        schedule = analyze(module, "mps2-an386", input_rows, rows_again=True).schedules[-1]
        assert schedule.more_macs and schedule.regions[0].strips
        built = compile_model(module, "mps2-an386", tmp_path / "model", schedule=schedule)
        assert built.macs == schedule.macs > analyze(deep_module()).macs and built.arena <= schedule.arena
        found = compile_model(
            deep_module(), "mps2-an386", tmp_path / "found", ram=schedule.arena, input_rows=input_rows, rows_again=True
        )
        assert found.macs == schedule.macs and found.arena <= schedule.arena
        model = open_folder(built.path)
        assert model.manifest["macs"] == sum(op["macs"] for op in model.manifest["ops"]) == schedule.macs
        x = random_input(deep_module().infer.inputs[0].type, np.random.default_rng(2))
        for on in ("native", "qemu"):
            with open_executor(model, on) as executor:
                for _ in range(2):
                    got = executor.run([x[np.newaxis]])[0][0]
                    np.testing.assert_array_equal(got, Interpreter(deep_module()).run([x])[0])


def test_what_streams_is_validated_at_its_ends(lichen_data: Path, tmp_path: Path) -> None:
    """Tensors within a region are nowhere whole; those that leave it are compared like all others."""
    path = lichen_data / "models" / "resnet8_int8.tflite"
    model = open_folder(compile_model(load(path), "mps2-an386", tmp_path / "model", schedule="stream").path)
    x = random_input(load(path).infer.inputs[0].type, np.random.default_rng(1))
    assert validate(model, "native", [x[np.newaxis]]) is None
    source = tmp_path / "model" / "resnet8_int8.c"
    source.write_text(source.read_text().replace("next[stage]++", "next[stage]++ * (stage != 3)"))
    difference = validate(open_folder(tmp_path / "model"), "native", [x[np.newaxis]])
    assert difference is not None and difference.op == model.manifest["ops"][0]["name"]


def test_a_limit_that_nothing_meets_is_refused(lichen_data: Path, tmp_path: Path) -> None:
    """What the smallest schedule needs is said, and nothing is written."""
    path = lichen_data / "models" / "resnet8_int8.tflite"
    smallest = analyze(load(path), "mps2-an386").schedules[-1].arena
    with pytest.raises(DoesNotFitError, match=f"needs {smallest:,} bytes"):
        compile_model(load(path), "mps2-an386", tmp_path / "model", ram=smallest - 1)
    assert not (tmp_path / "model").exists()


def test_what_learns_streams_too(lichen_data: Path, tmp_path: Path) -> None:
    """A frozen network that streams teaches its head to the byte what it teaches layer by layer, in no more RAM than inference takes."""
    path = lichen_data / "models" / "resnet8_int8.tflite"
    learning = Learning("last:1", learning_rate=0.1)
    layers = compile_model(load(path), "mps2-an386", tmp_path / "layers", learning=learning)
    streamed = compile_model(load(path), "mps2-an386", tmp_path / "streamed", ram=17_000, learning=learning)
    infer, learn = streamed.functions
    assert learn.arena <= 1.05 * infer.arena and streamed.arena < layers.arena / 2
    rng = np.random.default_rng(0)
    x = np.stack([random_input(load(path).infer.inputs[0].type, rng) for _ in range(20)])
    states = []
    for built in (layers, streamed):
        with Device(open_folder(built.path), "native") as device:
            device.learn(x, np.arange(20) % 10)
            states.append(device.states())
    for name, learned in states[0].items():
        np.testing.assert_array_equal(states[1][name], learned)


def test_a_schedule_of_another_module_is_refused(lichen_data: Path, tmp_path: Path) -> None:
    """Also of the same file read again: regions are made of the operations of one module."""
    path = lichen_data / "models" / "resnet8_int8.tflite"
    module = load(path)
    schedule = analyze(module, "mps2-an386").schedules[-1]
    assert compile_model(module, "mps2-an386", tmp_path / "model", schedule=schedule).arena == schedule.arena
    with pytest.raises(InputError, match="of the same module"):
        compile_model(load(path), "mps2-an386", tmp_path / "other", schedule=schedule)
    assert not (tmp_path / "other").exists()
