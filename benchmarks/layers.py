"""Single int8 layers on the emulated Cortex-M4: Lichen beside CMSIS-NN, same compiler, same flags, same library, same input.

CMSIS-NN is version 4.0.0 as the package `bakenn` brings it, each function called directly (`cmsis_nn.py`); the better of -O2 and -O3
stands in the table. The package has no CMSIS-NN functions for add, mul, mean and softmax: there the other is bakenn's own C, which is slow
(TensorFlow Lite Micro with CMSIS-NN was measured to take 27 instructions for each element of an add). Instructions are emulated, cycles
modelled; "of CMSIS-NN" is Lichen's cycles divided by the other's, or instructions where the core has no cycle model. Above 1 it is a
defect, and the row says so.

    make bench-layers
    python benchmarks/layers.py                     # all layers
    python benchmarks/layers.py depthwise "conv 1x1"  # those with one of these in their names
    python benchmarks/layers.py --board nucleo-f411re --optimize size dense
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import bakenn_peer
import cmsis_nn
from counting import Counted, count_foreign, count_lichen
from layer_models import layers
from lichen.compiler import OPTIMIZE
from lichen.errors import DoesNotFitError
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.targets.board import load_board

_PEER_FLAGS = ("-O2", "-O3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only layers that have one of these in their names")
    parser.add_argument("--board", default="mps2-an386", help="whose core and emulator to take")
    parser.add_argument("--optimize", default="speed", choices=OPTIMIZE, help="Lichen's")
    arguments = parser.parse_args()
    print(
        "| layer | MACs | Lichen: instructions | per MAC | cycles | CMSIS-NN: instructions | per MAC | cycles | of CMSIS-NN | bytes |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    slower = []
    for name, module in layers():
        if not arguments.names or any(part in name for part in arguments.names):
            try:
                line, ratio = row(name, module, arguments.board, arguments.optimize)
                slower += [name] if ratio > 1 else []
            except DoesNotFitError as error:
                line = f"| {name} | {error} |"
            print(line, flush=True)
    print(f"\nSlower than CMSIS-NN: {', '.join(slower) or 'none'}.")


def row(name: str, module: Module, board: str, optimize: str) -> tuple[str, float]:
    """One line of the table, and Lichen's cost divided by the other's."""
    (operation,) = module.infer.operations
    macs = operator(operation.kind).macs(operation)
    elements = operation.results[0].type.elements
    theirs, whose = peer(module, board)  # first: compiling changes the module
    _, ours = count_lichen(module, board, optimize)
    per = macs or elements
    cells = [f"{name}", f"{macs:,}" if macs else f"{elements:,} elements"]
    for counted in (ours, theirs):
        cycles = counted.cost.cycles
        cells += [
            f"{counted.cost.instructions:,}",
            f"{counted.cost.instructions / per:.2f}",
            "" if cycles is None else f"{cycles:,}",
        ]
    ratio = _ratio(ours, theirs)
    cells += [f"{ratio:.2f}{' **slower**' if ratio > 1 else ''}{whose}", _difference(ours, theirs)]
    return f"| {' | '.join(cells)} |", ratio


def peer(module: Module, board: str) -> tuple[Counted, str]:
    """The better of -O2 and -O3, and a note where it is not CMSIS-NN."""
    kind, core = module.infer.operations[0].kind, load_board(board).core
    found = []
    for flags in _PEER_FLAGS:
        with tempfile.TemporaryDirectory() as folder:
            if kind in cmsis_nn.KINDS:
                code = cmsis_nn.layer(module, Path(folder), flags)
            else:
                code = bakenn_peer.BakennPeer(module, core, Path(folder), optimize=flags).code
            found.append(count_foreign(code, board))
    return min(found, key=_cost), "" if kind in cmsis_nn.KINDS else " (bakenn's own C)"


def _cost(counted: Counted) -> int:
    return counted.cost.instructions if counted.cost.cycles is None else counted.cost.cycles


def _ratio(ours: Counted, theirs: Counted) -> float:
    return _cost(ours) / _cost(theirs)


def _difference(ours: Counted, theirs: Counted) -> str:
    most = int(np.abs(ours.output.astype(int) - theirs.output.astype(int)).max())
    return "same" if most == 0 else f"differ by up to {most}"


if __name__ == "__main__":
    main()
