from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from graphs import conv_module
from lichen.targets.board import load_board
from lichen.targets.build import build_firmware
from lichen.targets.folder import ModelFolder

Compile = Callable[..., ModelFolder]


@pytest.mark.parametrize(("name", "prefix"), [("uno", "avr"), ("nano33ble", "arm-none-eabi")])
def test_the_sizes_are_those_of_the_flashed_image(
    compile_model: Compile, needs: Callable[..., None], name: str, prefix: str, tmp_path: Path
) -> None:
    """Flash is the length of the binary a programmer would write, but for padding; RAM is what binutils' size says."""
    needs(f"{prefix}-gcc")
    firmware = build_firmware(compile_model(name), load_board(name))
    image = tmp_path / "image.bin"
    subprocess.run([f"{prefix}-objcopy", "-O", "binary", str(firmware.elf), str(image)], check=True)
    assert 0 <= image.stat().st_size - firmware.size.flash < 8
    table = subprocess.run(
        [f"{prefix}-size", "-A", str(firmware.elf)], check=True, capture_output=True, text=True
    ).stdout
    sections = {
        words[0]: int(words[1])
        for words in map(str.split, table.splitlines())
        if len(words) == 3 and words[1].isdigit()
    }
    assert firmware.size.ram == sections.get(".data", 0) + sections.get(".bss", 0)


@pytest.mark.parametrize("name", ["uno", "nano33ble"])
def test_weights_are_the_model_s_tables_and_code_is_the_rest(
    compile_model: Compile, needs: Callable[..., None], name: str
) -> None:
    """The manifest and the linked image agree on the bytes of the tables."""
    needs("avr-gcc" if name == "uno" else "arm-none-eabi-gcc")
    model = compile_model(name, conv_module(channels=24))
    size = build_firmware(model, load_board(name)).size
    tables = (
        24 * (27 + 4 + 4 + 1) if name == "uno" else 12 * (16 + 6) * 4
    )  # words of pairs of channels, with their biases and scales
    assert size.weights == model.manifest["weights_bytes"] == tables
    assert size.code == size.flash - size.weights
    assert all(symbol.in_flash for symbol in size.symbols if symbol.name.startswith("toy_w_"))
    device = next(symbol for symbol in size.symbols if symbol.name == "device")
    assert device.in_ram and not device.in_flash
    assert device.bytes >= model.manifest["arena_bytes"]
