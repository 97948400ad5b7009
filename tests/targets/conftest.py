"""Fixtures of the targets: a cache of their own, and model folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from graphs import conv_module
from lichen.backend.emit import emit
from lichen.backend.folder import write_folder
from lichen.backend.program import plan_module
from lichen.ir.module import Module
from lichen.plan.rows import Streams
from lichen.targets.blocks import Block
from lichen.targets.board import load_board
from lichen.targets.core import PROCESSORS
from lichen.targets.folder import ModelFolder, open_folder
from lichen.targets.toolchain import find_compiler


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Builds of the tests go to a folder of their own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LICHEN_CACHE", str(folder))
        yield folder


_SOURCE = """
    .syntax unified
    .thumb
    .text
    .global first, behind
    nop
first:
{assembly}
behind:
    nop             @ or CBZ would have nowhere to go
    .balign 4
near:
    nop
wide_across:        @ 32 bits across a word boundary
    dmb
"""


@pytest.fixture
def assemble(tmp_path: Path, needs: Callable[..., None]) -> Callable[..., tuple[Path, Block]]:
    """`assemble(core, assembly, executions, taken)`: an image, and the block of its instructions, which semicolons separate."""
    needs("arm-none-eabi-gcc")

    def assemble_(core: str, assembly: str, executions: int = 1, taken: int = 0) -> tuple[Path, Block]:
        processor, source, elf = PROCESSORS[core], tmp_path / "block.S", tmp_path / "block.elf"
        source.write_text(_SOURCE.format(assembly=assembly))
        options = ["-nostdlib", "-Wl,-Ttext=0x1000,-e,first", str(source), "-o", str(elf)]
        find_compiler("arm-none-eabi-gcc").require([*processor.flags, *options], tmp_path)
        with elf.open("rb") as file:
            symbols = ELFFile(file).get_section_by_name(".symtab")
            first, behind = (symbols.get_symbol_by_name(name)[0]["st_value"] & ~1 for name in ("first", "behind"))
        count = len([line for line in assembly.replace(";", "\n").splitlines() if line.strip()])
        return elf, Block(first, behind - first, count, executions, taken)

    return assemble_


@pytest.fixture
def compile_model(tmp_path: Path) -> Callable[..., ModelFolder]:
    """`compile_model(board, module=…, optimize=…, by_rows=…)`: the folder of a module, by default of a small convolution.

    With `by_rows` all of it is one region, and its inputs come by rows.
    """

    def compile_(
        board: str = "mps2-an386", module: Module | None = None, optimize: str = "size", by_rows: bool = False
    ) -> ModelFolder:
        module = module or conv_module()
        streams = Streams(module.infer, module.infer.inputs)
        regions = [streams.region(0, len(module.infer.operations))] if by_rows else []
        program = plan_module(module, load_board(board).core, regions)
        folder = tmp_path / f"{module.name}-{board}-{optimize}"
        folder.mkdir()
        write_folder(folder, program, emit(program, optimize), board, optimize)
        return open_folder(folder)

    return compile_
