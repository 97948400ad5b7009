"""Constant operands on AVR, where flash is another address space: the emulated ATmega328P gives the interpreter's bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import lichen.ops  # noqa: F401  registers the operators
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.ir.interpret import Interpreter
from lichen.ir.parse import parse_module
from lichen.targets.board import load_board
from lichen.targets.build import build_firmware
from lichen.targets.folder import open_folder
from native_check import random_input

INT8 = """
module flash {
  const @k : i8[2, 3]{scale = 0.1, zero = 2} = "AQL/gH8D"
  const @v : i8[3]{scale = 0.3, zero = -1} = "f4AF"
  state $s : i8[2, 3]{scale = 0.1, zero = 2} = "BQYHCAkK"
  func infer(%x : i8[2, 3]{scale = 0.1, zero = 2}) {
    %joined = concat(%x, @k) {axis = 1} : i8[2, 6]{scale = 0.1, zero = 2}
    %back = strided_slice(%joined) {begin = (1, 5), end = (-1, -1), strides = (-1, -2)} : i8[2, 3]{scale = 0.1, zero = 2}
    %sum = add(@v, %back) {activation = "none"} : i8[2, 3]{scale = 0.3, zero = -128}
    %difference = sub(%sum, @k) {activation = "relu"} : i8[2, 3]{scale = 0.2, zero = -100}
    %product = mul(@v, %difference) {activation = "none"} : i8[2, 3]{scale = 0.5, zero = 9}
    %old = read_state($s) : i8[2, 3]{scale = 0.1, zero = 2}
    write_state($s, @k)
    %more = add(%product, %old) {activation = "none"} : i8[2, 3]{scale = 0.1, zero = 2}
    %turned = transpose(%more) {permutation = (1, 0)} : i8[3, 2]{scale = 0.1, zero = 2}
    %curve = tanh(%turned) : i8[3, 2]{scale = 0.0078125, zero = 0}
    %low, %high = split(%curve) {axis = 0} : i8[1, 2]{scale = 0.0078125, zero = 0}, i8[2, 2]{scale = 0.0078125, zero = 0}
    %odds = softmax(%high) {beta = 1.0} : i8[2, 2]{scale = 0.00390625, zero = -128}
    return %odds, %low
  }
}
"""

FLOAT = """
module flash {
  const @k : f32[3] = "AACAPwAAAMAAAEBA"
  func infer(%x : f32[2, 3]) {
    %sum = sub(@k, %x) {activation = "none"} : f32[2, 3]
    %product = mul(%sum, @k) {activation = "relu6"} : f32[2, 3]
    %whole = concat(%product, %x) {axis = 0} : f32[4, 3]
    %y = quantize(%whole) : i8[4, 3]{scale = 0.05, zero = -20}
    return %y
  }
}
"""


@pytest.mark.skipif(shutil.which("avr-gcc") is None, reason="avr-gcc is not installed: apt install gcc-avr avr-libc")
@pytest.mark.parametrize("text", [INT8, FLOAT])
def test_constants_are_read_from_flash(text: str, tmp_path: Path) -> None:
    """Every kernel that takes a constant operand, over three inferences with state; no kernel's params are left in RAM."""
    module = parse_module(text)
    rng = np.random.default_rng(0)
    inputs = np.stack([random_input(module.infer.inputs[0].type, rng) for _ in range(3)])
    interpreter = Interpreter(parse_module(text))
    expected = [interpreter.run([x]) for x in inputs]
    folder = compile_model(module, "uno", tmp_path / "model").path
    with open_executor(open_folder(folder), "simavr") as executor:
        outputs = executor.run([inputs])
    for index, got in enumerate(outputs):
        np.testing.assert_array_equal(got, np.stack([results[index] for results in expected]))
    symbols = build_firmware(open_folder(folder), load_board("uno")).size.symbols
    assert [symbol.name for symbol in symbols if symbol.in_ram and "_p_" in symbol.name] == []
