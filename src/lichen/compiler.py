"""The way through the house: a module is rewritten, planned, emitted, linked and measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import lichen.ops  # noqa: F401  registers the operators
from lichen.backend.emit import Sources, emit
from lichen.backend.folder import replacing, write_folder
from lichen.backend.literals import C_NAMES
from lichen.backend.program import Program, plan_module
from lichen.backend.state import StateError
from lichen.coded_weights import coded_program, require_form
from lichen.coding.weights import CodedLayer
from lichen.cost import FunctionCost, counted, linked_costs, planned_costs
from lichen.device.connect import connect
from lichen.errors import DoesNotFitError, InputError, MissingToolError
from lichen.flash_budget import fastest_within
from lichen.ir.kernel import PLAIN, Table
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ir.verify import verify
from lichen.kernels import OPTIMIZE, Kernels, kernels_for
from lichen.learning.learner import Learning, make_learner
from lichen.passes import DEFAULT_PASSES, run_passes
from lichen.plan.schedule import Schedule, choose, front, with_fast_rows
from lichen.targets.board import Board, load_board
from lichen.targets.build import build_firmware
from lichen.targets.fit import refuse_hopeless
from lichen.targets.folder import ModelFolder, open_folder

_STACK_AND_LINK = 2048
"""Bytes of RAM that are not given to decoded weights, and a sixty-fourth of it all; but at most a quarter."""


@dataclass(frozen=True)
class OperationFigures:
    """One operation as planned."""

    name: str
    kind: str
    macs: int
    shape: tuple[int, ...]
    weights: int


@dataclass(frozen=True)
class Analysis:
    """What is known of a model without a compiler. Bytes; planned."""

    name: str
    macs: int
    arena: int
    lower_bound: int
    method: str
    state: int
    weights: int
    operations: tuple[OperationFigures, ...]
    board: Board | None
    fits: bool | None
    """Whether arena, state and weights alone fit the board; code and stack come on top."""
    module: Module
    """What was analysed, after the rewrites."""
    schedules: tuple[Schedule, ...]
    """From layer by layer to the least memory; those with strips compute some of it twice."""
    input_rows: bool
    """Whether inputs come by rows."""
    functions: tuple[FunctionCost, ...] = ()
    """Of a model that learns, `infer` and `learn`; linked and counted where there is a board and its tools are installed."""
    decoded: int = 0
    """RAM of weights that are decoded once."""
    plain_weights: int = 0
    """What `weights` would be if none were coded."""
    coded: tuple[CodedLayer, ...] = ()
    """The layers whose weights are coded."""


@dataclass(frozen=True)
class Compilation:
    """A compiled model. Bytes as linked for the board; `None` where the tool that would tell is not installed."""

    name: str
    board: Board
    path: Path
    macs: int
    arena: int
    state: int
    stack: int | None
    weights: int
    code: int | None
    fits: bool | None
    """Known once it has been linked."""

    input_rows: bool = False
    """Whether inputs come by rows."""

    notes: tuple[str, ...] = ()
    """What could not be measured, and what to install."""

    functions: tuple[FunctionCost, ...] = ()
    """Of a model that learns, `infer` and `learn`."""

    decoded: int = 0
    """RAM of weights that are decoded once."""

    plain_weights: int = 0
    """What `weights` would be if none were coded."""

    coded: tuple[CodedLayer, ...] = ()
    """The layers whose weights are coded."""

    @property
    def ram(self) -> int:
        """Arena, state, weights decoded once and the measured stack."""
        return self.arena + self.state + self.decoded + (self.stack or 0)

    @property
    def flash(self) -> int | None:
        """Every byte of the linked image in flash."""
        return None if self.code is None else self.weights + self.code


def prepare(module: Module) -> Module:
    """Verifies `module` and runs the rewrites that never change a result. The module is changed in place and returned.

    A name that would shadow a header or a type of C gets `_model` appended.
    """
    verify(module)
    if module.name.lower() in C_NAMES or module.name.lower().startswith("lichen"):
        module.name += "_model"
    run_passes(module, DEFAULT_PASSES)
    return module


def analyze(
    module: Module,
    board: str | None = None,
    input_rows: bool = False,
    learning: Learning | None = None,
    rows_again: bool = False,
    weights: str = "plain",
) -> Analysis:
    """Plans `module` (for the core of `board`, if given) and reports what needs neither compiler nor board.

    With `input_rows` the images among its inputs come row by row; raises `InputError` where none can. `rows_again` says that they can
    do so more than once, which strips need. With `learning` it is the model
    that learns, which is linked and counted for a board whose compiler and emulator are installed. `weights` is `plain` or `coded`, see
    `compile_model`; without a board RAM is no limit.
    """
    require_form(weights)
    target = load_board(board) if board is not None else None
    core = target.core if target else PLAIN
    prepare(module)
    if learning is not None:
        module = make_learner(module, learning)
    schedules = tuple(front(module.infer, core, input_rows, rows_again))
    program = plan_module(module, core, schedules[0].regions)
    if weights == "coded":
        program = coded_program(program, core, schedules[0].regions, _room(target, None) - program.state_bytes)
    sources = emit(program, "speed")
    needed_ram = program.arena_bytes + program.state_bytes + program.decoded_bytes
    return Analysis(
        name=module.name,
        macs=_macs(module),
        arena=program.arena_bytes,
        lower_bound=program.infer.plan.lower_bound,
        method=program.infer.plan.method,
        state=program.state_bytes,
        weights=sources.weights_bytes,
        operations=tuple(_figures(program)),
        board=target,
        fits=(needed_ram <= target.ram and sources.weights_bytes <= target.flash) if target else None,
        schedules=schedules,
        input_rows=input_rows,
        module=module,
        functions=_analysed_costs(program, sources, target),
        decoded=program.decoded_bytes,
        plain_weights=sources.plain_weights_bytes,
        coded=tuple(program.coding.layers.values()),
    )


def compile_model(
    module: Module,
    board: str,
    out: Path,
    optimize: str = "speed",
    schedule: str | Schedule | None = None,
    ram: int | None = None,
    input_rows: bool = False,
    learning: Learning | None = None,
    rows_again: bool = False,
    flash: int | None = None,
    weights: str = "plain",
) -> Compilation:
    """Writes the model folder `out` for `board`, links it, and measures its stack on the board's emulator.

    `schedule` is `layers`, `stream` (by rows wherever that saves memory) or `auto` (the fastest that fits), or one of
    those that `analyze` found for `module`. It is `layers` unless `ram` is given, the bytes that arena and state may take, and then `auto`; rows then take the fastest kernels that it allows. With `input_rows` the images among the inputs are not in
    RAM: the generated code asks a callback for one row after the other. Raises `InputError` where no input can come so. `rows_again` says that the callback can begin anew within an inference, which strips need. With `learning` the
    model goes on learning on the device. `flash` are the bytes that the image may take: the fastest set of kernels that fits is
    chosen, layer by layer, which takes several builds. With `weights="coded"` they lie in flash in Huffman codes, where that is smaller, and
    are decoded on the chip: same results, and `<name>_init` says whether they are whole.

    Raises `DoesNotFitError` with the figures there are, and writes nothing, if the board is too small. Where a compiler or emulator is missing the folder is
    written all the same, what it would tell is `None`, and `notes` says what to install.
    """
    if optimize not in OPTIMIZE:
        raise InputError(f"--optimize {optimize} is not one of {', '.join(OPTIMIZE)}")
    if flash is not None and optimize != "speed":
        raise InputError(f"--flash chooses between speed and size itself; leave out --optimize {optimize}")
    require_form(weights)
    target = load_board(board)
    prepare(module)
    if learning is not None:
        module = make_learner(module, learning)
    state = sum(s.type.bytes for s in module.states())
    if isinstance(schedule, Schedule):
        chosen, input_rows = schedule, schedule.input_rows
        if any(op not in module.infer.operations for region in chosen.regions for op in region.operations):
            raise InputError(
                f"the schedule is not one of this {module.name}; take it from `analyze` of the same module"
            )
        kind, limit = "auto" if chosen.regions else "layers", chosen.arena if ram is None else ram - state
    else:
        kind = schedule or ("layers" if ram is None else "auto")
        limit = (target.ram if ram is None else ram) - state
        chosen = choose(module.infer, target.core, kind, limit, input_rows, rows_again)
    chosen = with_fast_rows(module.infer, target.core, chosen, limit if ram is not None or kind == "auto" else 0)
    others = [
        choose(function, target.core, kind, limit) for name, function in module.functions.items() if name != "infer"
    ]
    regions = [region for schedule in (chosen, *others) for region in schedule.regions]
    program = plan_module(module, target.core, regions)
    if weights == "coded":
        program = coded_program(program, target.core, regions, _room(target, ram) - program.state_bytes)
    kernels = kernels_for(optimize, target) if flash is None else fastest_within(program, target, flash)
    sources = emit(program, kernels.optimize, kernels.specialised)
    known = Compilation(
        name=module.name,
        board=target,
        path=out,
        macs=program.infer.macs,
        arena=program.arena_bytes,
        state=program.state_bytes,
        stack=None,
        weights=sources.weights_bytes,
        code=None,
        fits=None,
        input_rows=input_rows,
        decoded=program.decoded_bytes,
        plain_weights=sources.plain_weights_bytes,
        coded=tuple(program.coding.layers.values()),
    )
    try:
        needed_ram = program.arena_bytes + program.state_bytes + program.decoded_bytes
        if ram is not None and needed_ram > ram:
            raise DoesNotFitError(
                f"{module.name} needs {needed_ram:,} bytes of RAM for arena and state, and --ram gives "
                f"{ram:,}; `lichen analyze` lists what each schedule needs"
            )
        with replacing(out) as folder:
            write_folder(folder, program, sources, target.name, kernels.optimize)
            code, stack, notes = _measure(folder, target)
            if flash is not None and code is not None and code + sources.weights_bytes > flash:
                raise DoesNotFitError(
                    f"{module.name} takes {code + sources.weights_bytes:,} bytes of flash with its smallest kernels, and --flash gives {flash:,}",
                    flash=code + sources.weights_bytes,
                )
            functions = _costs(program, kernels, open_folder(folder), target, code, stack)
    except DoesNotFitError as error:
        code = None if error.flash is None else error.flash - known.weights
        error.compilation = replace(known, code=code, fits=False)
        raise
    return replace(
        known,
        code=code,
        stack=stack,
        fits=None if code is None else True,
        notes=kernels.notes + notes,
        functions=functions,
    )


def _room(board: Board | None, ram: int | None) -> int:
    """Bytes of RAM for arena, state and weights decoded once."""
    if ram is not None:
        return ram
    if board is None:
        return 1 << 40
    return board.ram - min(board.ram // 64 + _STACK_AND_LINK, board.ram // 4)


def _measure(folder: Path, board: Board) -> tuple[int | None, int | None, tuple[str, ...]]:
    """Code bytes as linked, stack bytes after an inference (a lesson, a save) on the emulator, and what kept either from being measured."""
    model = open_folder(folder)
    try:
        firmware = build_firmware(model, board)
    except MissingToolError as error:
        refuse_hopeless(model, board)
        return None, None, (str(error),)
    code = firmware.size.flash - int(model.manifest["weights_bytes"])
    try:
        with connect(model, firmware) as session:
            session.infer([np.zeros(slot.shape, slot.dtype) for slot in session.inputs])
            if session.learn_inputs:
                session.begin_learning(0.0)
                session.learn([np.zeros((1, *slot.shape), slot.dtype) for slot in session.learn_inputs])
            if session.info.has_storage:
                with suppress(
                    StateError
                ):  # where the emulator lacks the board's storage, it goes as deep to find that out
                    session.save()
            return code, session.stack_used(), ()
    except MissingToolError as error:
        return code, None, (str(error),)


def _costs(
    program: Program, kernels: Kernels, model: ModelFolder, board: Board, code: int | None, stack: int | None
) -> tuple[FunctionCost, ...]:
    """Of the functions of a model that learns, what can be told where `code` and `stack` were measured, or were not."""
    if code is None:
        return planned_costs(program)
    linked = linked_costs(program, kernels, board, code + int(model.manifest["weights_bytes"]))
    return linked if stack is None else counted(linked, program, model, board)


def _analysed_costs(program: Program, sources: Sources, board: Board | None) -> tuple[FunctionCost, ...]:
    """The same of a model that is not to be kept; planned only where it does not fit."""
    if board is None or not program.others:
        return planned_costs(program)
    with tempfile.TemporaryDirectory() as scratch:
        write_folder(Path(scratch), program, sources, board.name, "speed")
        try:
            code, stack, _ = _measure(Path(scratch), board)
            return _costs(program, Kernels("speed"), open_folder(Path(scratch)), board, code, stack)
        except DoesNotFitError:
            return planned_costs(program)


def _macs(module: Module) -> int:
    return sum(operator(op.kind).macs(op) for op in module.infer.operations)


def _figures(program: Program) -> Iterator[OperationFigures]:
    for step in program.infer.steps:
        for op, call in zip(step.operations, step.calls, strict=True):
            tables = sum(a.data.nbytes for a in call.arguments if isinstance(a, Table))
            layer = program.coding.of(call)
            tables = tables if layer is None else layer.bytes
            shape = op.results[0].type.shape if op.results else op.operands[0].type.shape
            yield OperationFigures(op.name, op.kind, operator(op.kind).macs(op), shape, tables)
