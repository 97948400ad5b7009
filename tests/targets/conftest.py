"""Fixtures of the targets: a cache of their own, and model folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graphs import conv_module
from lichen.backend.emit import emit
from lichen.backend.folder import write_folder
from lichen.backend.program import plan_module
from lichen.ir.module import Module
from lichen.plan.rows import Streams
from lichen.targets.board import load_board
from lichen.targets.folder import ModelFolder, open_folder


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Builds of the tests go to a folder of their own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LICHEN_CACHE", str(folder))
        yield folder


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
