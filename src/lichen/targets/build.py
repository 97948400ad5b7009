"""Firmware: a model folder, the link server and a machine's start-up code as one image, linked into what its board has.

How this works inside: sources are compiled in the cache's own work folder, two compilers at a time, and linked with the board's RAM
and flash as the lengths of the memory regions. When the linker says that something overflows, the same objects are linked again into
more than enough memory, only to measure what is missing and who takes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType

from lichen.targets.board import Board
from lichen.targets.cache import cached_build, digest_of
from lichen.targets.core import PROCESSORS
from lichen.targets.fit import refuse_hopeless, too_large
from lichen.targets.folder import ModelFolder
from lichen.targets.linker import LINKERS
from lichen.targets.machine import Storage, machine_of
from lichen.targets.size import ImageSize, measure
from lichen.targets.toolchain import C_FLAGS, BuildError, Compiler, find_compiler

_FIRMWARE = Path(__file__).parent / "firmware"
_RUNTIME = Path(__file__).parents[1] / "backend" / "runtime"
_ELF = "firmware.elf"


class Mark(Enum):
    """What `LICHEN_MARK(k)` becomes; the value is the flags that make it so."""

    NONE = ()
    """Nothing: the code that is shipped."""

    PROFILE = ("-include", "lichen_mark.h")
    """A call of the empty function `lichen_mark`, which a profiler can see."""

    VALIDATE = ("-include", "lichen_stop.h", "-DLICHEN_VALIDATE")
    """A return from inference before call `lichen_stop`, so that what was computed so far can be read from the arena."""


@dataclass(frozen=True)
class Source:
    """A C file and the flags it is compiled with beyond the target's."""

    path: Path
    flags: tuple[str, ...] = ("-Os",)


@dataclass(frozen=True)
class Firmware:
    """A linked image, its sizes, and the board it fits."""

    elf: Path
    board: Board
    size: ImageSize


def build_firmware(model: ModelFolder, board: Board, mark: Mark = Mark.NONE, *, saves: bool = True) -> Firmware:
    """The image that serves `model` over the link on `board`, and unless `saves` is false keeps its state where the board can.

    Raises `DoesNotFitError` with the missing bytes and the largest contributors, `MissingToolError` without a compiler, `BuildError`
    if the folder's C does not compile.
    """
    storage = machine_of(board).storage_for(model.state_bytes, board.flash) if saves else None
    flags = ("-Os", *mark.value, *(("-DLICHEN_STORAGE",) if storage else ()))
    sources = [Source(model.source, (*optimize_flags(model), *mark.value))]
    sources += [Source(path, flags) for path in sorted(_RUNTIME.glob("*.c"))]
    if mark is Mark.PROFILE:
        sources.append(Source(_FIRMWARE / "lichen_mark.c"))
    try:
        return build_image(sources, board, [model.path, _RUNTIME], {"model.h": model.glue()}, model, storage)
    except BuildError:
        refuse_hopeless(model, board)
        raise


def optimize_flags(model: ModelFolder) -> tuple[str, ...]:
    """The flags of the model's own C file."""
    return ("-O2",) if model.optimize == "speed" else ("-Os",)


def build_image(
    sources: Sequence[Source],
    board: Board,
    include: Sequence[Path] = (),
    generated: Mapping[str, str] = MappingProxyType({}),
    model: ModelFolder | None = None,
    storage: Storage | None = None,
) -> Firmware:
    """An image of `sources` with the start-up code and UART driver of the board's machine.

    `include` are folders of headers, `generated` further headers by name; `model` is what is served, to tell its tables from the code;
    `storage` is where its state survives, which may take of the board's flash.
    Same inputs, same image, built once.
    """
    machine = machine_of(board)
    processor = PROCESSORS[board.core.name]
    compiler = find_compiler(processor.compiler)
    sources = [*sources, *(Source(_FIRMWARE / name) for name in machine.sources)]
    folders = [*include, _FIRMWARE]
    prefix = model.weights_prefix if model else "\0"  # no name begins so
    defines = {"F_CPU": f"{board.clock_hz}UL", **machine.defines}
    flags = [*C_FLAGS, *processor.flags, *machine.flags, *(f"-D{key}={value}" for key, value in defines.items())]
    linker = LINKERS[processor.compiler]
    available, placed = board, []
    if storage is not None:
        sources.append(Source(_FIRMWARE / storage.source, ("-Os", *(f"-D{k}={v}" for k, v in storage.defines.items()))))
        available = replace(board, flash=min(board.flash, storage.flash_end or board.flash))
        placed = [f"-Wl,--defsym=LICHEN_CODE_OFFSET={storage.code_offset}"] if storage.code_offset else []

    def build(folder: Path) -> None:
        for name, text in generated.items():
            (folder / name).write_text(text, "utf-8")
        objects = _compile(compiler, sources, [*flags, "-I.", *(f"-I{path.resolve()}" for path in folders)], folder)
        link = [*flags, *objects, *linker.flags, *placed, "-o", _ELF]
        result = compiler.run([*link, *linker.regions(machine, available.flash, board.ram)], folder)
        if linker.overflowed(result.stderr):
            compiler.require([*link, *linker.regions(machine, linker.most_flash, linker.most_ram)], folder)
            raise too_large(measure(folder / _ELF, prefix), available, linker.least_stack, model)
        compiler.check(result)
        for name in objects:
            (folder / name).unlink()

    inputs: list[str | bytes] = [compiler.version, *flags, *linker.flags, *placed]
    inputs.append(repr((machine, available.flash, board.ram)))
    for source in sources:
        inputs += [source.path.name, *source.flags, source.path.read_bytes()]
    for header in (file for folder in folders for file in sorted(folder.glob("*.h"))):
        inputs += [header.name, header.read_bytes()]
    for name in sorted(generated):
        inputs += [name, generated[name]]
    inputs.append(linker.script.read_bytes())
    elf = cached_build(digest_of(inputs), build) / _ELF
    return Firmware(elf, board, measure(elf, prefix))


def _compile(compiler: Compiler, sources: Sequence[Source], flags: Sequence[str], folder: Path) -> list[str]:
    """Compiles all sources in `folder`, two at a time; the names of the objects."""
    # Numbered: two files may have the same name, as when a model is called main.
    objects = [f"{index}.o" for index in range(len(sources))]

    def one(source: Source, output: str) -> None:
        compiler.require([*flags, *source.flags, "-c", str(source.path.resolve()), "-o", output], folder)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, sources, objects))
    return objects
