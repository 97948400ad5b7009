"""Damaged `.tflite` files: refused in one sentence, or read as a module that is well formed and runs; nothing else, and at once."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from lichen.errors import LichenError
from lichen.frontends import load
from lichen.frontends.tflite import import_tflite
from lichen.ir.interpret import Interpreter
from lichen.ir.verify import verify
from tflite_cases import CASES, GRAPHS
from tflite_damage import contradictions, mutations

SECONDS = 2.0  # for one file; a good one takes a hundredth

# Together 5,000; the large files take longer to read.
MUTATIONS = {
    "hello_world_float": 1200,
    "hello_world_int8": 1200,
    "micro_speech_quantized": 1000,
    "resnet8_int8": 800,
    "person_detect": 400,
    "vww_96_int8": 400,
}


def survives(data: bytes) -> bool:
    """Whether the file is read; raises whatever is not an error of exit code 2, and takes no longer than allowed."""
    started = time.process_time()
    try:
        module = import_tflite(data, "damaged")
    except LichenError as error:
        assert error.exit_code == 2
        assert "\n" not in str(error) and len(str(error)) < 500
        return False
    finally:
        assert time.process_time() - started < SECONDS
    verify(module)
    if sum(value.type.elements for value in module.infer.values()) < 10_000:
        Interpreter(module).run([np.zeros(v.type.shape, v.type.dtype.numpy) for v in module.infer.inputs])
    return True


@pytest.mark.parametrize("name", MUTATIONS)
def test_damaged_model(lichen_data: Path, name: str) -> None:
    """The published models, damaged: no crash, no hang, and not everything is refused (the damage must reach the depths)."""
    model = (lichen_data / "models" / f"{name}.tflite").read_bytes()
    survivors = sum(survives(data) for data in mutations(model, MUTATIONS[name], seed=len(model)))
    assert 0 < survivors < MUTATIONS[name]


@pytest.mark.parametrize("name", CASES)
def test_damaged_operator(name: str) -> None:
    """A model of each operator, damaged, so that every rule meets nonsense."""
    model = CASES[name]()
    survivors = sum(survives(data) for data in mutations(model, 150, seed=len(name)))
    assert 0 < survivors < 150


@pytest.mark.parametrize("name", GRAPHS)
def test_contradicting_operator(name: str) -> None:
    """A whole file in which one shape, type, quantisation, operand or option is another is refused, or runs."""
    rng = np.random.default_rng(len(name))
    for _ in range(100):
        survives(contradictions(GRAPHS[name](), rng))


@pytest.mark.parametrize("name", CASES)
def test_truncated_operator(name: str) -> None:
    """A file that ends early is refused wherever it ends."""
    model = CASES[name]()
    for end in range(0, len(model) - 4, 13):
        assert not survives(model[:end])


def test_load_names_the_file(tmp_path: Path) -> None:
    """The sentence about a damaged file begins with the file's name."""
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(40))
    with pytest.raises(LichenError, match=r"broken\.tflite: the file is damaged"):
        load(path)


def test_load_survives_what_nobody_foresaw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the reader itself that a file brings to light is still an error of exit code 2 for the user."""

    def fault(data: bytes, name: str) -> None:
        raise IndexError("beyond")

    monkeypatch.setattr("lichen.frontends.tflite.import_tflite", fault)
    (tmp_path / "odd.tflite").write_bytes(b"")
    with pytest.raises(LichenError, match=r"odd\.tflite: the file is damaged \(IndexError: beyond\)") as caught:
        load(tmp_path / "odd.tflite")
    assert caught.value.exit_code == 2
