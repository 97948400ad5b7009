"""The command line: forms and JSON keys that scripts rely on, and exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coded import dense_module
from graphs import conv_module, deep_module, random_array, streaming_module
from lichen.ir.interpret import Interpreter
from lichen.ir.print import print_module
from lichen.ir.samples import dequantise


def lichen(*arguments: object, code: int = 0) -> str:
    """Standard output of a run of the program that must end with `code`."""
    done = subprocess.run([sys.executable, "-m", "lichen", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code != 2 else done.stderr


def answer(*arguments: object, code: int = 0) -> Any:
    """The JSON object a verb prints: nothing else is on standard output."""
    return json.loads(lichen(*arguments, "--json", code=code))


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small graph as a file."""
    path = tmp_path_factory.mktemp("graph") / "toy.lichen"
    path.write_text(print_module(conv_module()))
    return path


@pytest.fixture(scope="module")
def folder(graph: Path) -> Path:
    """The graph, compiled for a Cortex-M4."""
    lichen("compile", graph, "--board", "nano33ble", "--out", graph.parent / "model")
    return graph.parent / "model"


@pytest.fixture(scope="module")
def samples(graph: Path) -> Path:
    """Five samples in the model's own type."""
    path = graph.parent / "X.npy"
    np.save(path, np.stack([random_array(conv_module().infer.inputs[0].type, seed) for seed in range(5)]))
    return path


def test_compile_answers_with_the_fixed_keys(graph: Path, tmp_path: Path) -> None:
    """RAM is arena, state and measured stack; flash is weights and code; the model fits."""
    got = answer("compile", graph, "--board", "nano33ble", "--out", tmp_path / "m", "--optimize", "size")
    assert list(got) == ["name", "board", "macs", "ram", "flash", "fits", "functions", "input_rows"]
    assert list(got["ram"]) == ["arena", "state", "stack", "total"]
    assert list(got["flash"]) == ["weights", "code", "total"]
    assert got["ram"]["total"] == got["ram"]["arena"] + got["ram"]["state"] + got["ram"]["stack"]
    assert got["flash"]["total"] == got["flash"]["weights"] + got["flash"]["code"]
    assert 0 < got["ram"]["stack"] < 2000
    assert got["fits"] is True
    assert got["macs"] == 6 * 7 * 5 * 27


def test_coded_weights_are_told_beside_plain_ones(tmp_path: Path) -> None:
    """--weights coded tells what plain weights would take, the RAM of decoded ones, and each layer, in `analyze` as in `compile`."""
    path = tmp_path / "batch.lichen"
    path.write_text(print_module(dense_module([64, 60, 40], 0.1, batch=2)))
    compile_ = ("compile", path, "--board", "nano33ble", "--out", tmp_path / "m")
    built, found = (answer(*v, "--weights", "coded") for v in (compile_, ("analyze", path, "--board", "nano33ble")))
    assert "coded" not in answer(*compile_)
    assert list(built["ram"]) == ["arena", "state", "decoded", "stack", "total"]
    assert built["ram"]["total"] == sum(value for key, value in built["ram"].items() if key != "total")
    assert list(built["flash"]) == ["plain_weights", "weights", "code", "total"]
    assert built["flash"]["weights"] < built["flash"]["plain_weights"]
    assert built["coded"] == found["coded"] and built["coded"][0]["decoded"] == "start"
    assert built["flash"]["weights"] == found["flash"]["weights"] and built["ram"]["decoded"] == found["ram"]["decoded"]
    saved = sum(layer["plain_bytes"] - layer["bytes"] for layer in built["coded"])
    assert built["flash"]["plain_weights"] - built["flash"]["weights"] == saved
    assert "coded weights" in lichen(*compile_, "--weights", "coded")
    assert "plain, coded" in lichen(*compile_, "--weights", "zipped", code=2)


def test_too_small_a_board_is_a_no(tmp_path: Path, lichen_data: Path) -> None:
    """Exit code 1, a sentence with the missing bytes and the largest contributors, the figures, and no folder left behind."""
    model = lichen_data / "models" / "resnet8_int8.tflite"
    done = subprocess.run(
        [sys.executable, "-m", "lichen", "compile", model, "--board", "uno", "--out", tmp_path / "m", "--json"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "bytes short" in done.stderr
    assert "largest: model_batch_normalization_6_FusedBatchNormV3_2_weights 36,864" in done.stderr
    got = json.loads(done.stdout)
    assert list(got) == ["name", "board", "macs", "ram", "flash", "fits", "functions", "input_rows"]
    assert got["fits"] is False
    assert got["ram"]["arena"] > 2048
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("on", ["native", "qemu"])
def test_run_writes_what_the_interpreter_gives(folder: Path, samples: Path, tmp_path: Path, on: str) -> None:
    """Outputs in the model's own type, and the fixed keys."""
    got = answer("run", folder, "--on", on, "--input", samples, "--output", tmp_path / "Y.npy")
    assert list(got) == ["on", "samples", "instructions", "cycles", "cycles_are"]
    assert (got["on"], got["samples"]) == (on, 5)
    if on == "qemu":
        assert got["instructions"] > 6 * 7 * 5 * 27
        assert got["cycles_are"] == "modelled"
    interpreter = Interpreter(conv_module())
    expected = [interpreter.run([x])[0] for x in np.load(samples)]
    np.testing.assert_array_equal(np.load(tmp_path / "Y.npy"), np.stack(expected))


def test_float_samples_come_back_as_float(folder: Path, samples: Path, tmp_path: Path) -> None:
    """float32 is quantised on the way in, and outputs are float32."""
    function = conv_module().infer
    real = dequantise(np.load(samples), function.inputs[0].type)
    np.save(tmp_path / "real.npy", real)
    lichen("run", folder, "--on", "native", "--input", samples, "--output", tmp_path / "Y8.npy")
    lichen("run", folder, "--on", "native", "--input", tmp_path / "real.npy", "--output", tmp_path / "Y.npy")
    expected = dequantise(np.load(tmp_path / "Y8.npy"), function.outputs[0].type)
    assert np.load(tmp_path / "Y.npy").dtype == np.float32
    np.testing.assert_array_equal(np.load(tmp_path / "Y.npy"), expected)


@pytest.mark.parametrize("on", ["native", "qemu"])
def test_validate_says_identical(folder: Path, samples: Path, on: str) -> None:
    """A folder as compiled computes what its graph means."""
    assert answer("validate", folder, "--on", on, "--input", samples) == {"identical": True, "first_difference": None}


@pytest.mark.parametrize("on", ["native", "qemu"])
def test_validate_names_the_operator_that_differs(graph: Path, samples: Path, tmp_path: Path, on: str) -> None:
    """One altered bias in the generated C: exit code 1, the operator, the element, both values."""
    lichen("compile", graph, "--board", "nano33ble", "--out", tmp_path / "m")
    tables = tmp_path / "m" / "toy_weights.h"
    text = tables.read_text()
    start = text.index("_w_y_weights[")  # the first word is the bias of the first channel
    line = text.index("{", start) + 1
    tables.write_text(text[:line] + " 70000 +" + text[line:])
    got = answer("validate", tmp_path / "m", "--on", on, "--input", samples, code=1)
    assert got["identical"] is False
    assert got["first_difference"]["op"] == "y"
    assert got["first_difference"]["index"] % 5 == 0  # a pixel of the first channel
    assert got["first_difference"]["expected"] != got["first_difference"]["got"]


def test_profile_adds_up(folder: Path) -> None:
    """Instructions of the operators sum to the total, and shares to 1."""
    got = answer("profile", folder, "--on", "qemu")
    assert [op["kind"] for op in got["ops"]] == ["conv2d"]
    assert set(got["ops"][0]) == {"name", "kind", "macs", "instructions", "cycles", "share"}
    assert sum(op["instructions"] for op in got["ops"]) == got["total"]["instructions"]
    assert sum(op["share"] for op in got["ops"]) == pytest.approx(1.0)
    assert "against" not in got and "difference" not in got


def test_profile_against_another_build(graph: Path, folder: Path, tmp_path: Path) -> None:
    """Both profiles, the difference between them, and a picture; a folder of another emulator or none at all is bad usage."""
    small = tmp_path / "small"
    lichen("compile", graph, "--board", "nano33ble", "--out", small, "--optimize", "size")
    picture = tmp_path / "profile.png"
    got = answer("profile", folder, "--on", "qemu", "--against", small, "--picture", picture)
    (difference,) = got["difference"]["ops"]
    (this,), (against,) = got["ops"], got["against"]["ops"]
    assert got["against"]["dir"] == str(small)
    assert difference["instructions"] == this["instructions"] - against["instructions"] != 0
    assert difference["cycles_ratio"] == this["cycles"] / against["cycles"]
    assert (difference["name"], difference["kind"], difference["only_in"]) == ("y", "conv2d", None)
    assert got["difference"]["total"]["instructions"] == difference["instructions"]
    assert got["picture"] == str(picture) and picture.read_bytes().startswith(b"\x89PNG")
    shown = lichen("profile", folder, "--on", "qemu", "--against", small)
    for figure in (this["instructions"], against["instructions"], difference["instructions"]):
        assert f"{figure:,}" in shown
    lichen("compile", graph, "--board", "uno", "--out", tmp_path / "uno")
    assert "counted on simavr" in lichen("profile", folder, "--on", "qemu", "--against", tmp_path / "uno", code=2)
    assert "manifest" in lichen("profile", folder, "--on", "qemu", "--against", tmp_path, code=2)
    assert "end in .png or .svg" in lichen("profile", folder, "--on", "qemu", "--picture", tmp_path / "a.txt", code=2)


def test_what_the_machine_refuses_is_one_sentence(graph: Path, folder: Path, samples: Path, tmp_path: Path) -> None:
    """A cache that cannot be made and a full standard output: exit code 2 and no traceback."""
    (tmp_path / "file").touch()
    environment = {**os.environ, "LICHEN_CACHE": str(tmp_path / "file" / "cache")}
    for arguments in (
        ["compile", graph, "--board", "nano33ble", "--out", tmp_path / "m"],
        ["run", folder, "--on", "native", "--input", samples],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "lichen", *map(str, arguments)], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].endswith("set LICHEN_CACHE to a folder that can")
        assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lichen", "boards"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr == "lichen: No space left on device\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_leaves_nothing_behind(folder: Path, tmp_path: Path, number: int) -> None:
    """Ctrl-C, `timeout` and a closed terminal end the emulator too, and no output is half-written."""
    np.save(tmp_path / "X.npy", np.zeros((100_000, *conv_module().infer.inputs[0].type.shape), np.int8))
    command = ["run", folder, "--on", "qemu", "--input", tmp_path / "X.npy", "--output", tmp_path / "Y.npy"]
    with subprocess.Popen([sys.executable, "-m", "lichen", *map(str, command)], stderr=subprocess.PIPE) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + 60
        while not (started := children.read_text().split()) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(1)  # past the start of the emulator, into the inferences
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    assert started
    assert not any(Path(f"/proc/{child}").exists() for child in started)
    assert [path.name for path in tmp_path.iterdir()] == ["X.npy"]


def test_compile_streams_when_ram_is_short(tmp_path: Path) -> None:
    """--ram takes the fastest schedule that fits, --schedule the one that is named; what cannot be met is a no, or a bad usage."""
    path = tmp_path / "deep.lichen"
    path.write_text(print_module(deep_module()))
    schedules = answer("analyze", path, "--board", "nano33ble")["schedules"]
    once = [s["arena"] for s in schedules if s["macs"] == schedules[0]["macs"]]
    least, streamed, large = schedules[-1]["arena"], once[-1], once[0]
    compile_ = ("compile", path, "--board", "nano33ble", "--out", tmp_path / "model")
    assert answer(*compile_)["ram"]["arena"] == large
    assert answer(*compile_, "--ram", large)["ram"]["arena"] == large
    assert answer(*compile_, "--ram", large - 1)["ram"]["arena"] < large
    assert answer(*compile_, "--schedule", "stream")["ram"]["arena"] == streamed
    assert answer(*compile_, "--ram", least)["ram"]["arena"] == least <= streamed
    assert answer(*compile_, "--ram", least - 1, code=1)["fits"] is False
    assert "layers, stream, auto" in lichen(*compile_, "--schedule", "rows", code=2)


def test_input_rows_from_the_search_to_the_chip(tmp_path: Path) -> None:
    """--input-rows is planned, compiled, run, validated and profiled; a model whose input is no image is bad usage."""
    path, model, samples, output = (tmp_path / name for name in ("deep.lichen", "model", "X.npy", "Y.npy"))
    path.write_text(print_module(deep_module()))
    analyze = ("analyze", path, "--board", "mps2-an386")
    whole, by_rows = answer(*analyze), answer(*analyze, "--input-rows")
    assert (whole["input_rows"], by_rows["input_rows"]) == (False, True)
    small = by_rows["schedules"][-1]["arena"]
    assert small < by_rows["schedules"][0]["arena"] == by_rows["ram"]["arena"]
    compile_ = ("compile", path, "--board", "mps2-an386", "--out", model, "--input-rows")
    assert answer(*compile_, "--ram", small - 1, code=1)["fits"] is False
    built = answer(*compile_, "--ram", small)
    assert built["input_rows"] is True and built["ram"]["arena"] == small
    assert json.loads((model / "manifest.json").read_text())["inputs"][0]["rows"] == 3
    x = np.stack([random_array(deep_module().infer.inputs[0].type, seed) for seed in range(3)])
    np.save(samples, x)
    for on in ("native", "qemu"):
        lichen("run", model, "--on", on, "--input", samples, "--output", output)
        interpreter = Interpreter(deep_module())
        np.testing.assert_array_equal(np.load(output), np.stack([interpreter.run([one])[0] for one in x]))
        assert answer("validate", model, "--on", on, "--input", samples)["identical"] is True
    assert [op["kind"] for op in answer("profile", model, "--on", "qemu")["ops"]] == ["stream"]
    vector = tmp_path / "vector.lichen"
    vector.write_text(print_module(streaming_module()))
    assert "no input can come by rows: input 'x' is [1, 8]" in lichen("analyze", vector, "--input-rows", code=2)


def test_analyze_needs_no_compiler(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty PATH the plan is still printed; a board that cannot hold the arena is a no."""
    monkeypatch.setenv("PATH", "")
    got = answer("analyze", graph, "--board", "uno")
    assert got["fits"] is True
    assert got["ram"]["arena"] >= got["ram"]["lower_bound"]


def test_analyze_shows_the_arena_over_time(tmp_path: Path) -> None:
    """A chart before and after for people, a picture on demand; --ram chooses what comes after."""
    path = tmp_path / "deep.lichen"
    path.write_text(print_module(deep_module()))
    arenas = [s["arena"] for s in answer("analyze", path)["schedules"]]
    shown = lichen("analyze", path)
    assert f"layer by layer: {arenas[0]:,} bytes" in shown and f"streamed: {arenas[-1]:,} bytes" in shown
    assert "└─" in shown and "└═" in shown
    unstreamed = lichen("analyze", path, "--ram", arenas[0])
    assert "streamed:" not in unstreamed and "└═" not in unstreamed
    got = answer("analyze", path, "--picture", tmp_path / "arena.png")
    assert got["picture"] == str(tmp_path / "arena.png")
    assert (tmp_path / "arena.png").read_bytes().startswith(b"\x89PNG")
    assert "end in .png or .svg" in lichen("analyze", path, "--picture", tmp_path / "arena.txt", code=2)


def test_search_redistribute_answers() -> None:
    """The network first, then proposals with less recomputation at equal MACs; damaged notation and nowhere to go are bad usage."""
    command = ("search", "redistribute", "k3s2c8 8k3c8r 16k5s2c8 24k3s2c8 48k3c8r", "--resolution", 32, "--early", 4)
    got = answer(*command, "--strips", 2)
    first, *others = got["proposals"]
    assert list(first) == ["notation", "early", "early_field", "field", "macs", "arena", "strips_macs"]
    assert others and list(first["arena"]) == ["layers", "streamed", "strips"]
    assert all(p["strips_macs"] - p["macs"] < first["strips_macs"] - first["macs"] for p in others)
    small = lichen("search", "redistribute", "k1c4 8k3c4 8k3c4", "--resolution", 16, "--early", 2, "--strips", 2)
    assert "given: k1c4 8k3c4 8k3c4\n" in small
    assert "item 1, 8q3" in lichen("search", "redistribute", "8q3", "--resolution", 32, code=2)
    assert "first stage" in lichen("search", "redistribute", "k3c8", "--resolution", 32, code=2)


def test_boards_and_doctor_answer() -> None:
    """The six boards of the design, and every tool with what it enables."""
    names = {board["name"] for board in answer("boards")["boards"]}
    assert names >= {"uno", "nano33ble", "nucleo-f411re", "stm32f746-disco", "pico", "mps2-an386"}
    assert all(tool["enables"] and tool["install"] for tool in answer("doctor")["tools"])


@pytest.mark.parametrize(
    "verb", ["demo", "analyze", "compile", "validate", "run", "profile", "search", "boards", "doctor"]
)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    """`--help` ends in an example; `demo` and `search` have it on each of what they offer."""
    text = lichen(verb, *{"demo": ["digits"], "search": ["redistribute"]}.get(verb, []), "--help")
    assert "Example: lichen" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["compile", "absent.tflite", "--board", "uno", "--out", "m"],
        ["compile", "{graph}", "--board", "nano34ble", "--out", "m"],
        ["compile", "{graph}", "--board", "uno", "--out", "m", "--optimize", "luck"],
        ["compile", "{graph}", "--board", "uno"],
        ["run", "{folder}", "--on", "simavr", "--input", "{samples}"],
        ["run", "{folder}", "--on", "moon", "--input", "{samples}"],
        ["run", "{folder}", "--on", "/dev/nothing", "--input", "{samples}"],
        ["run", "{folder}", "--on", "native", "--input", "{graph}"],
        ["validate", "/tmp", "--on", "native", "--input", "{samples}"],
        ["launch"],
    ],
)
def test_bad_usage_and_bad_input_exit_with_2(arguments: list[str], graph: Path, folder: Path, samples: Path) -> None:
    """One clear sentence on standard error, never a traceback."""
    given = [a.format(graph=graph, folder=folder, samples=samples) for a in arguments]
    assert len(lichen(*given, code=2).splitlines()) == 1
