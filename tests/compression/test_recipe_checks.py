"""Keys that do not go together are told with their line before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from compression_cases import RECIPE, assert_refused

WRONG = {
    "training anew behind coding": ('kind = "code"\n', 'kind = "code"\n\n[[stage]]\nkind = "distil"\nname = "again"\n', r":41: stage 'again' would undo what 'code' has done"),
    "no target": ("macs = 0.6\n", "", r":25: stage 'prune' has no target; give macs, ram or flash"),
    "no data": ('file = "data.npz"', "", r":4: \[data\] needs either a name or a file"),
    "no such data": ('file = "data.npz"', 'name = "dgits"', r":5: there is no data set 'dgits'; there are digits, cifar10"),
    "no such board": ("nano33ble", "nano44", r":1: "),
    "no such level": ('board = "nano33ble"', 'optimize = "small"', r":1: 'optimize' is 'small' where one of speed"),
    "code of floats": ('kind = "distil"\ntraining = { epochs = 1, batch_size = 16 }', 'kind = "code"', r":21: stage 'code' codes int8 weights; put a stage that quantises in front"),
    "shared weights trained apart": ('kind = "prune"\nmacs = 0.6\nsteps = 2', 'kind = "share"\nclusters = 4', r":3\d: stage 'quantise_aware' would train shared weights apart"),
    "nobody to follow": (RECIPE[RECIPE.index("[teacher]") : RECIPE.index("[[stage]]")], "", r":14: stage 'distil' follows a teacher"),
    "a teacher that knows nothing": ("[teacher.training]\nepochs = 2\nbatch_size = 16\n", "", r":14: \[teacher\] needs either weights or"),
    "two of a name": ("steps = 2", 'name = "distil"', r":28: a stage cannot be called 'distil'; give it a name of its own"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_with_its_line(what: str, tmp_path: Path) -> None:
    """One sentence with file, line and remedy; nothing is trained, nothing is written."""
    assert_refused(tmp_path, *WRONG[what])
