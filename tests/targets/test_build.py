from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from graphs import conv_module
from lichen.errors import DoesNotFitError, MissingToolError
from lichen.targets.board import load_board
from lichen.targets.build import Mark, build_firmware
from lichen.targets.core import PROCESSORS
from lichen.targets.folder import ModelFolder, open_folder
from lichen.targets.linker import LINKERS
from lichen.targets.machine import MACHINES, Machine
from lichen.targets.size import read_symbols
from lichen.targets.toolchain import BuildError

FIRMWARE = Path(__file__).parents[2] / "src/lichen/targets/firmware"
RUNTIME = Path(__file__).parents[2] / "src/lichen/backend/runtime"
Compile = Callable[..., ModelFolder]


@pytest.fixture(autouse=True)
def tools(needs: Callable[..., None]) -> None:
    """All tests here compile for both kinds of board."""
    needs("arm-none-eabi-gcc", "avr-gcc")


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda machine: machine.name)
def test_the_firmware_of_every_machine_compiles_without_a_warning(machine: Machine, tmp_path: Path) -> None:
    """C99, pedantic, warnings are errors."""
    processor = PROCESSORS[machine.core]
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Os", "-DF_CPU=16000000UL"]
    given = machine.defines | (machine.storages[0].defines if machine.storages else {})
    defines = [f"-I{RUNTIME}", *(f"-D{key}={value}" for key, value in given.items())]
    storages = {storage.source for storage in machine.storages}
    files = [str(FIRMWARE / name) for name in (*machine.sources, *storages, "lichen_mark.c")]
    command = [processor.compiler, *processor.flags, *machine.flags, *strict, *defines, "-c", *files]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["uno", "mps2-an386"])
def test_same_model_same_image(
    compile_model: Compile, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image holds no path and no date: built elsewhere from a copy of the folder it has the same bytes. It is built once."""
    model, board = compile_model(name), load_board(name)
    first = build_firmware(model, board)
    stamp = first.elf.stat().st_mtime_ns
    assert build_firmware(model, board) == first
    assert first.elf.stat().st_mtime_ns == stamp
    copy = tmp_path / "copy"
    shutil.copytree(model.path, copy)
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path / "elsewhere"))
    second = build_firmware(open_folder(copy), board)
    assert second.elf != first.elf
    assert second.elf.read_bytes() == first.elf.read_bytes()


@pytest.mark.parametrize("name", ["uno", "nano33ble"])
def test_the_link_fails_exactly_where_the_board_ends(compile_model: Compile, name: str) -> None:
    """A board with just the bytes needed is enough; with a word less the model is refused with the number of bytes missing."""
    model, board = compile_model(name), load_board(name)
    size = build_firmware(model, board).size
    stack = LINKERS[PROCESSORS[board.core.name].compiler].least_stack
    just = replace(board, flash=size.flash, ram=(size.ram + stack + 7) // 8 * 8)
    assert build_firmware(model, just).size == size

    with pytest.raises(DoesNotFitError, match=f"flash is 8 bytes short, it has {size.flash - 8:,} ") as caught:
        build_firmware(model, replace(just, flash=size.flash - 8))
    assert caught.value.exit_code == 1
    assert "RAM" not in str(caught.value)

    short = replace(just, ram=size.ram + stack - 8)
    with pytest.raises(
        DoesNotFitError, match=r"toy does not fit .*RAM is 8 bytes short.*largest: \w+ [\d,]+, .*arena \d\d\d"
    ) as caught:
        build_firmware(model, short)
    assert "flash" not in str(caught.value)

    with pytest.raises(DoesNotFitError, match=rf"RAM is {size.ram + stack - 256:,} bytes short.*stack {stack:,}"):
        build_firmware(model, replace(just, ram=256))


def test_the_largest_contributors_are_named_in_order(compile_model: Compile) -> None:
    """Whoever has to shrink a model is told what takes the space: here the weights of the convolution."""
    model = compile_model("nano33ble", conv_module(channels=200))
    with pytest.raises(DoesNotFitError) as caught:
        build_firmware(model, replace(load_board("nano33ble"), flash=4096))
    listed = re.findall(r"(\w+) ([\d,]+)(?=[,)])", str(caught.value).split("largest: ")[1])
    assert listed[0] == ("y_weights", "8,800")
    sizes = [int(size.replace(",", "")) for _, size in listed]
    assert sizes == sorted(sizes, reverse=True)


def test_a_network_that_cannot_even_be_compiled_for_the_core_is_refused_as_too_large(compile_model: Compile) -> None:
    """No array on AVR exceeds 32 KiB; what the compiler says about that is not what the user has to know."""
    model = compile_model("uno", conv_module(channels=4000))
    weights = model.manifest["weights_bytes"]
    with pytest.raises(
        DoesNotFitError, match=f"toy does not fit uno: flash is {weights - 32256:,} bytes short"
    ) as caught:
        build_firmware(model, load_board("uno"))
    assert "largest: y_weights 108,000" in str(caught.value)
    assert "RAM is" in str(caught.value)


def test_altered_c_is_reported_with_the_compiler_s_first_error_and_leaves_nothing(
    compile_model: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder someone has edited ends in one sentence; the cache holds no half-built image."""
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path / "empty"))
    model = compile_model()
    model.source.write_text(model.source.read_text() + "\nint broken = ;\n")
    with pytest.raises(BuildError, match=r"arm-none-eabi-gcc failed: .*toy.c.*error: expected expression"):
        build_firmware(model, load_board("mps2-an386"))
    assert list((tmp_path / "empty" / "build").iterdir()) == []


@pytest.mark.parametrize("name", ["uno", "mps2-an386"])
def test_marks_are_in_the_builds_that_ask_for_them_only(compile_model: Compile, name: str) -> None:
    """A profiled build has the function of the marks, a validating build the variable to stop at, the shipped build neither."""
    model = compile_model(name)
    symbols = {mark: {s.name for s in read_symbols(build_firmware(model, load_board(name), mark).elf)} for mark in Mark}
    extra = {"lichen_mark", "lichen_stop"}
    assert symbols[Mark.NONE] & extra == set()
    assert symbols[Mark.PROFILE] & extra == {"lichen_mark"}
    assert symbols[Mark.VALIDATE] & extra == {"lichen_stop"}


@pytest.mark.parametrize("name", ["main", "model", "device"])
def test_a_model_may_have_a_name_that_the_firmware_uses(compile_model: Compile, name: str) -> None:
    """The names of files and functions of the firmware are not taken from the user."""
    model = compile_model("mps2-an386", conv_module(name))
    assert build_firmware(model, load_board("mps2-an386")).size.weights > 0


def test_without_a_compiler_the_sentence_says_how_to_get_one(
    compile_model: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line to copy."""
    model = compile_model()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match="apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"):
        build_firmware(model, load_board("mps2-an386"))
