"""The conductor: what compiling promises beyond the parts."""

from pathlib import Path

import numpy as np
import pytest

from graphs import conv_module, streaming_module
from lichen.compiler import analyze, compile_model
from lichen.device.connect import connect
from lichen.errors import DoesNotFitError, InputError
from lichen.targets.build import build_firmware
from lichen.targets.folder import open_folder
from lichen.targets.native import NativeModel


@pytest.mark.parametrize(
    "name", ["string", "size", "int", "lichen_view", "model", "stdint", "features", "port", "main", "Float"]
)
def test_any_name_compiles(tmp_path: Path, name: str) -> None:
    """A model may be called like a header, a type or a keyword of C."""
    built = compile_model(conv_module(name), "nano33ble", tmp_path / "m")
    NativeModel(open_folder(built.path))


def test_analysis_is_the_plan_that_is_compiled(tmp_path: Path) -> None:
    """What `analyze` says without a compiler, `compile` delivers."""
    analysis = analyze(conv_module(), "nano33ble")
    built = compile_model(conv_module(), "nano33ble", tmp_path / "m")
    assert (analysis.arena, analysis.weights, analysis.macs) == (built.arena, built.weights, built.macs)


@pytest.mark.parametrize("board", ["uno", "nano33ble", "nucleo-f411re", "stm32f746-disco", "pico", "mps2-an386"])
def test_every_board_measures_its_stack(tmp_path: Path, board: str) -> None:
    """The stack is measured by running the firmware on the board's machine."""
    built = compile_model(conv_module(), board, tmp_path / "m", "size")
    assert built.stack is not None
    assert 32 < built.stack < 1024
    assert built.ram == built.arena + built.state + built.stack
    assert built.notes == ()


@pytest.mark.parametrize("board", ["uno", "nucleo-f411re"])
def test_the_stack_of_a_save_is_counted(tmp_path: Path, board: str) -> None:
    """A model with state needs the stack of a save too, which goes deeper than a small inference."""
    built = compile_model(streaming_module(), board, tmp_path / "m", "size")
    with connect(model := open_folder(built.path), build_firmware(model, built.board)) as session:
        session.infer([np.zeros((1, 8), np.int8)])
        assert built.stack is not None and built.stack > session.stack_used() + 50


def test_without_compilers_the_folder_is_written_and_the_rest_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No arm-none-eabi-gcc: a note says what to install; a model that cannot fit is refused all the same."""
    monkeypatch.setenv("PATH", "")
    built = compile_model(conv_module(), "nano33ble", tmp_path / "m")
    assert (built.code, built.stack, built.flash, built.fits) == (None, None, None, None)
    assert "apt-get install gcc-arm-none-eabi" in built.notes[0]
    assert (tmp_path / "m" / "manifest.json").is_file()
    with pytest.raises(DoesNotFitError, match="RAM is"):
        compile_model(conv_module(channels=60), "uno", tmp_path / "n")
    assert not (tmp_path / "n").exists()


def test_unknown_optimisation_is_refused(tmp_path: Path) -> None:
    """Only `speed` and `size`."""
    with pytest.raises(InputError, match="speed, balanced, size"):
        compile_model(conv_module(), "uno", tmp_path / "m", "luck")
