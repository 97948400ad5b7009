"""The generated C keeps the promises of the design page: clean, deterministic, no mutable globals, no heap."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from graphs import conv_module, int8
from lichen.backend.emit import KERNELS, RUNTIME, emit
from lichen.backend.folder import replacing, write_folder
from lichen.backend.literals import initialiser, literal
from lichen.backend.program import plan_module
from lichen.errors import InputError
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Function, Module, Operation, Value
from lichen.plan.rows import Streams
from native_check import WARNINGS, assert_native_equals_interpreter

OF_LIBC = {"memcpy", "memset", "memmove", "expf", "tanhf", "sqrtf", "floorf", "roundf", "lrintf", "rintf", "fabsf"}


def emitted(folder: Path, optimize: str = "speed", by_rows: bool = False) -> Path:
    """The folder of a small model, its input `by_rows` or not."""
    module = conv_module()
    program = plan_module(module, PLAIN, [Streams(module.infer, module.infer.inputs).region(0, 1)] if by_rows else [])
    with replacing(folder) as fresh:
        write_folder(fresh, program, emit(program, optimize), "nano33ble", optimize)
    return folder


@pytest.mark.parametrize("optimize", ["speed", "size"])
@pytest.mark.parametrize("compiler", [["gcc", "-x", "c", *WARNINGS], ["g++", "-x", "c++", "-std=c++17", *WARNINGS[1:]]])
@pytest.mark.parametrize("by_rows", [False, True])
def test_generated_code_compiles_without_a_warning(
    tmp_path: Path, compiler: list[str], optimize: str, by_rows: bool
) -> None:
    """As C99 and as C++17, with warnings as errors."""
    folder = emitted(tmp_path / "toy", optimize, by_rows)
    done = subprocess.run([*compiler, "-O2", "-c", "toy.c", "-o", "toy.o"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("header", sorted(p.name for p in KERNELS.glob("*.h")))
def test_every_header_stands_alone(tmp_path: Path, header: str) -> None:
    """Each kernel header compiles by itself, as C99 and as C++17: it includes what it needs."""
    for language, standard in (("c", "c99"), ("c++", "c++17")):
        command = ["gcc", "-x", language, f"-std={standard}", *WARNINGS[1:], "-Wno-unused-function", "-fsyntax-only"]
        done = subprocess.run(
            [*command, f"-I{KERNELS}", f"-I{RUNTIME}", "-include", header, "/dev/null"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_object_has_no_mutable_globals_and_no_heap(tmp_path: Path) -> None:
    """No symbol in .data or .bss, and nothing undefined but a few functions of string.h and math.h."""
    folder = emitted(tmp_path / "toy")
    subprocess.run(["gcc", "-std=c99", "-O2", "-c", "toy.c", "-o", "toy.o"], cwd=folder, check=True)
    symbols = subprocess.run(["nm", "toy.o"], cwd=folder, check=True, capture_output=True, text=True).stdout
    kinds = [(line.split()[-2], line.split()[-1]) for line in symbols.splitlines()]
    assert not [name for kind, name in kinds if kind in "bBdDcC"]
    assert {name for kind, name in kinds if kind == "U"} <= OF_LIBC


def test_two_compilations_are_identical(tmp_path: Path) -> None:
    """Same input, same bytes out, in every file."""
    first, second = emitted(tmp_path / "a"), emitted(tmp_path / "b")
    names = sorted(p.name for p in first.iterdir())
    assert names == sorted(p.name for p in second.iterdir())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    """`--out` never destroys what is not a model folder, and a failure leaves the old one."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("…")
    with pytest.raises(InputError, match="not a model folder"):
        emitted(tmp_path / "precious")
    folder = emitted(tmp_path / "toy")
    with pytest.raises(RuntimeError), replacing(folder):
        raise RuntimeError
    assert (folder / "manifest.json").is_file()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["precious", "toy"]


def test_comments_and_calls_are_wrapped_but_never_inside_a_name() -> None:
    """An operator with many long-named operands stays within 120 columns."""
    type_ = int8((4,))
    operands = [Value(f"activation_of_a_layer_with_a_rather_long_name_{i}", type_) for i in range(8)]
    result = Value("y", type_.with_shape(32))
    operation = Operation("concat", list(operands), [result], {"axis": 0})
    module = Module("wide", {"infer": Function("infer", operands, [operation], [result])})
    source = emit(plan_module(module, PLAIN), "size").files["wide.c"]
    assert max(map(len, source.splitlines())) <= 120
    assert all(source.count(value.name) == 1 for value in operands)


def test_literals_read_back_to_the_same_value() -> None:
    """Floats keep their bits, the smallest int32 is no overflow, and long tables are wrapped."""
    for value in (0.1, 1.0, 1e-30, 3.4e38, -2.5, 16777217.0):
        assert np.float32(literal(value).rstrip("f")) == np.float32(value)
    assert literal(-(2**31)) == "INT32_MIN"
    assert max(map(len, initialiser(np.arange(1000, dtype=np.int32)).splitlines())) <= 120


def test_native_equals_interpreter_in_both_modes() -> None:
    """The whole chain on one convolution, specialised and shared kernels."""
    assert_native_equals_interpreter([conv_module(seed=s, channels=c) for s, c in enumerate((5, 4, 1, 9))])
