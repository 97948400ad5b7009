"""A tour of the whole public surface in a few seconds: load, analyse, interpret, compile, run."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import lichen
from graphs import conv_module, random_array
from lichen.ir.print import print_module


def test_all_is_exactly_what_is_visible() -> None:
    """`__all__` names every public object of the package, and nothing else."""
    visible = {
        name for name, value in vars(lichen).items() if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert visible == set(lichen.__all__)


def test_from_a_file_to_outputs(tmp_path: Path) -> None:
    """What the README's example does, on a graph in text form."""
    path = tmp_path / "toy.lichen"
    path.write_text(print_module(conv_module()))
    module = lichen.load(path)
    analysis = lichen.analyze(module, board="nano33ble")
    assert analysis.macs == 6 * 7 * 5 * 27
    assert analysis.fits is True
    built = lichen.compile(module, board="nano33ble", out=tmp_path / "model")
    assert built.arena == analysis.arena
    x = random_array(module.infer.inputs[0].type)
    expected = lichen.Interpreter(module).run([x])[0]
    with lichen.connect(tmp_path / "model", on="native") as device:
        np.testing.assert_array_equal(device.run([x[None]])[0][0], expected)


@pytest.mark.parametrize("content", [b"", b"hello", b"TFL3" * 10, b"\x00" * 100])
@pytest.mark.parametrize("suffix", [".tflite", ".lichen", ".onnx", ""])
def test_any_other_file_is_one_clear_error(tmp_path: Path, content: bytes, suffix: str) -> None:
    """Unknown suffixes and damaged content are `LichenError`s for the user to mend."""
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(lichen.LichenError) as caught:
        lichen.load(path)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    """The name of the file stands in the sentence."""
    with pytest.raises(lichen.LichenError, match=r"absent\.tflite"):
        lichen.load(tmp_path / "absent.tflite")
