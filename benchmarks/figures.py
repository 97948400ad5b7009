"""RAM, flash, instructions and cycles of the shared models and of the zoo on every emulated core, beside other compilers.

The others are compiled in the same run with the same compiler, flags, start-up code and library, and get the same input, byte
i = ((i * 37 + 11) % 256) - 128:

* bakenn, with CMSIS-NN where the core has DSP instructions: as it comes, and with asymmetric paddings made explicit, which is faster
  (`bakenn_peer.py` says why); the better of -O2 and -O3. On the M55 without Helium, for which its buffers are too small.
* emlearn, which knows dense networks in float32 only: beside Lichen's float32 of the same network (`emlearn_peer.py`).

What no package brings was recorded (`recorded.py`). RAM and flash are as linked; Lichen's code holds the link protocol, the others' a
few hundred bytes that start them. Lichen's arena holds inputs and outputs, so those of the others do as well. Instructions are emulated,
cycles modelled (on AVR emulated, on the M7 a bound from above); "of bakenn's" are cycles, or instructions where there is no cycle model.
Weights of the zoo's networks are random, and they answer the input, which is noise to them, with few different bytes: that these are
the same says less than `make bench-layers`.

    make bench
    python benchmarks/figures.py --board mps2-an386 --model resnet8 --model vww
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np

import lichen
from bakenn_peer import BakennPeer, pads_unevenly
from counting import Counted, ForeignCode, count_foreign, count_lichen
from emlearn_peer import dense_network
from goals import Figures, Goal, goals
from lichen.errors import LichenError
from lichen.ir.module import Array, Module
from lichen.kernels import OPTIMIZE
from lichen.targets.board import Board, load_board
from lichen.targets.qemu import PROGRAM
from lichen.targets.toolchain import find_tool
from models import BOARDS, CASES, Case, in_float
from recorded import BOARD, RECORDED

_FLAGS = ("-O2", "-O3")
_PACKAGES = ("numpy", "torch", "torchao", "bakenn", "emlearn", "capstone", "pyelftools")


@dataclass(frozen=True)
class Row:
    """One build of one model on one board. `None` where nothing is known; `note` says what became of it, or of its output."""

    model: str
    board: str
    core: str
    build: str
    arena: int | None = None
    stack: int | None = None
    weights: int | None = None
    code: int | None = None
    flash: int | None = None
    instructions: int | None = None
    cycles: int | None = None
    cycles_are: str | None = None
    instructions_of_bakenn: float | None = None
    cycles_of_bakenn: float | None = None
    note: str = ""


_COLUMNS = ("model", "core", "build", "arena", "stack", "weights", "code", "flash", "instructions", "cycles")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", action="append", help="only boards with this in their name")
    parser.add_argument("--model", action="append", help="only models with this in their name")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), metavar="FILE")
    arguments = parser.parse_args()
    print(f"| {' | '.join(_COLUMNS)} | of bakenn's | note |")
    print("| --- | --- | --- |" + " ---: |" * 8 + " --- |")
    rows: list[Row] = []
    reached: list[Goal] = []
    for board, names in BOARDS.items():
        for name in names:
            if _wanted(board, arguments.board) and _wanted(name, arguments.model):
                found = list(measure(CASES[name], load_board(board)))
                rows += found
                reached += _goals(found)
                print("\n".join(_line(row) for row in found), flush=True)
    print("\n| model | to reach | measured | must | goal | met |")
    print("| --- | --- | ---: | ---: | ---: | --- |")
    for goal in reached:
        best = "" if goal.goal is None else f"{goal.goal:,}"
        print(f"| {goal.model} | {goal.what} | {goal.measured:,} | {goal.must:,} | {best} | {goal.met} |")
    contents = {"versions": versions(), "rows": [asdict(row) for row in rows]}
    contents["goals"] = [asdict(goal) | {"met": goal.met} for goal in reached]
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(contents, indent=1) + "\n", "utf-8")
    print(f"\n{', '.join(f'{name} {version}' for name, version in contents['versions'].items())}")


def _wanted(name: str, parts: Sequence[str] | None) -> bool:
    return parts is None or any(part in name for part in parts)


def measure(case: Case, board: Board) -> Iterator[Row]:
    """All builds of one model on one board. Raises `SystemExit` if Lichen's output is not the recorded one."""
    about = {"model": case.name, "board": board.name, "core": board.core.name}
    peers: list[tuple[Row, Counted | None]] = []
    ways = {"bakenn": False} | ({"bakenn, explicit padding": True} if pads_unevenly(case.read()) else {})
    for build, padded in ways.items():
        peers.append(_best_peer(about, build, partial(_bakenn, case, board, padded), board))
    fastest = min((counted for _, counted in peers if counted), key=_cost, default=None)
    recorded = RECORDED.get(case.name) if board.name == BOARD else None
    output: Array | None = None
    for optimize in OPTIMIZE:
        row, counted = _lichen(about, f"Lichen, {optimize}", case.read, board.name, optimize, fastest)
        if counted and output is not None and not np.array_equal(counted.output, output):
            raise SystemExit(f"{case.name} on {board.name}: --optimize {optimize} gives another output")
        output = output if counted is None else counted.output
        if recorded and recorded.outputs and output is not None and tuple(output.tolist()) != recorded.outputs:
            raise SystemExit(f"{case.name} on {board.name}: not the recorded output")
        yield row
    for row, counted in peers:
        yield Row(**(asdict(row) | {"note": row.note or _difference(output, counted)}))
    if recorded:
        figures = (recorded.arena, None, None, recorded.code, recorded.flash, recorded.instructions)
        yield Row(**about, build=recorded.build, **dict(zip(_COLUMNS[3:9], figures, strict=True)))
    if case.network:
        yield from _in_float(about, case, board)


def _in_float(about: dict[str, str], case: Case, board: Board) -> Iterator[Row]:
    """The float32 network: Lichen's and emlearn's."""
    assert case.network is not None
    network = case.network()
    inputs = network[0].in_features
    read = partial(in_float, case.network, (inputs,), f"{case.name}_f32")
    row, ours = _lichen(about, "Lichen, float32, speed", read, board.name, "speed", None)
    yield row

    def emlearn(folder: Path, flags: str) -> tuple[ForeignCode, int]:
        widest = max(max(layer.in_features, layer.out_features) for layer in network if hasattr(layer, "in_features"))
        return dense_network(network, folder, flags), 4 * (2 * widest + inputs)

    row, theirs = _best_peer(about, "emlearn, float32", emlearn, board)
    if ours and theirs:
        most = float(np.abs(ours.output - theirs.output.view(np.float32)).max())
        row = Row(**(asdict(row) | {"note": f"differs by up to {most:.1g}"}))
    yield row


def _lichen(
    about: dict[str, str],
    build: str,
    read: Callable[[], Module],
    board: str,
    optimize: str,
    fastest: Counted | None,
) -> tuple[Row, Counted | None]:
    """What Lichen makes of a model, beside the fastest that bakenn makes of it."""
    try:
        built, counted = count_lichen(read(), board, optimize)
    except LichenError as error:
        return Row(**about, build=build, note=str(error)), None
    cost = counted.cost
    figures = (built.arena, built.stack, built.weights, built.code, built.flash, cost.instructions, cost.cycles)
    named = dict(zip(_COLUMNS[3:], figures, strict=True))
    shares = {}
    for figure in ("instructions", "cycles"):
        theirs = getattr(fastest.cost, figure) if fastest else None
        shares[f"{figure}_of_bakenn"] = round(named[figure] / theirs, 3) if theirs else None
    return Row(**about, build=build, **named, cycles_are=cost.cycles_are, **shares), counted


def _best_peer(
    about: dict[str, str], build: str, compile_: Callable[[Path, str], tuple[ForeignCode, int]], board: Board
) -> tuple[Row, Counted | None]:
    """The faster of -O2 and -O3; `compile_` gives the code and its bytes of arena, input and output."""
    found = []
    for flags in _FLAGS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                code, arena = compile_(Path(folder), flags)
                found.append((count_foreign(code, board.name), arena, flags))
            except LichenError as error:
                return Row(**about, build=build, note=str(error)), None
    counted, arena, flags = min(found, key=lambda one: _cost(one[0]))
    cost = counted.cost
    row = Row(
        **about,
        build=f"{build}, {flags}",
        arena=arena,
        flash=counted.firmware.size.flash,
        instructions=cost.instructions,
        cycles=cost.cycles,
        cycles_are=cost.cycles_are,
    )
    return row, counted


def _cost(counted: Counted) -> int:
    """Cycles, or instructions of a core without a cycle model."""
    return counted.cost.instructions if counted.cost.cycles is None else counted.cost.cycles


def _bakenn(case: Case, board: Board, padded: bool, folder: Path, flags: str) -> tuple[ForeignCode, int]:
    peer = BakennPeer(case.read(), board.core, folder, padded, flags)
    return peer.code, peer.arena_bytes + peer.code.input_bytes + peer.code.output_bytes


def _difference(output: Array | None, counted: Counted | None) -> str:
    """What the output of another is beside Lichen's."""
    if output is None or counted is None:
        return ""
    most = int(np.abs(output.astype(int) - counted.output.astype(int)).max())
    return "same output" if most == 0 else f"output differs by up to {most}"


def _goals(rows: Sequence[Row]) -> list[Goal]:
    """Those of the model and board that `rows` are of."""
    builds = {
        row.build.removeprefix("Lichen, "): Figures(row.code, row.instructions, row.cycles)
        for row in rows
        if row.build.startswith("Lichen, ")
    }
    cycles = [row.cycles for row in rows if row.build.startswith("bakenn") and row.cycles]
    return list(goals(rows[0].board, rows[0].model, builds, min(cycles, default=None)))


def _line(row: Row) -> str:
    cells = [getattr(row, column) for column in _COLUMNS]
    of_bakenn = row.cycles_of_bakenn
    if of_bakenn is None and row.instructions_of_bakenn is not None:
        of_bakenn = f"{row.instructions_of_bakenn} (instructions)"
    cells += [of_bakenn, row.note]
    shown = ["" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells]
    return f"| {' | '.join(shown)} |"


def versions() -> dict[str, str]:
    """Of everything that the figures depend on."""
    found = {"lichen": lichen.__version__, "commit": _commit()}
    for name in ("arm-none-eabi-gcc", "avr-gcc", PROGRAM):
        found[name] = _output([find_tool(name), "--version"]).partition("\n")[0]
    found["libsimavr"] = _output(["dpkg-query", "--show", "--showformat=${Version}", "libsimavr-dev"])
    return found | {name: metadata.version(name) for name in _PACKAGES}


def _commit() -> str:
    """Of the checkout, with a plus sign behind it where that has been changed."""
    folder = str(Path(__file__).parent)
    commit = _output(["git", "-C", folder, "rev-parse", "--short=12", "HEAD"])
    return commit + ("+" if _output(["git", "-C", folder, "status", "--porcelain"]) else "")


def _output(command: Sequence[str]) -> str:
    """What a command prints; `unknown` where there is no such command."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


if __name__ == "__main__":
    main()
