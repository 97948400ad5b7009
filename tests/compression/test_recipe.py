"""Recipes: what they say arrives, and whatever is wrong is told with its line before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lichen
from compression_cases import RECIPE, kitchen, three_patterns
from lichen.compression import materials
from lichen.compression.recipe import DistilStage, PruneStage, QuantiseAwareStage, read_recipe
from lichen.errors import InputError
from lichen.nn.program_file import save_program
from lichen.nn.quantize import export
from lichen.nn.train import Recipe as Training

X, Y = three_patterns()


def test_what_a_recipe_says_arrives(tmp_path: Path) -> None:
    """Tables, inline tables, defaults, and the recipe's seed in every training; another seed takes its place everywhere."""
    path = kitchen(tmp_path)
    recipe = read_recipe(path)
    distil, prune, aware, _ = recipe.stage
    assert isinstance(distil, DistilStage) and isinstance(prune, PruneStage) and isinstance(aware, QuantiseAwareStage)
    assert recipe.data.file == tmp_path / "data.npz" and recipe.optimize == "speed"
    assert recipe.training == Training(epochs=2, batch_size=16, seed=3)
    assert (
        recipe.teacher is not None and recipe.teacher.arguments == {"width": 12} and recipe.teacher.temperature == 4.0
    )
    assert (distil.name, prune.macs, prune.steps, prune.teacher, prune.ram) == ("distil", 0.6, 2, True, None)
    assert (aware.weight_bits, aware.training.learning_rate, aware.training.seed) == (5, 1e-3, 3)
    assert read_recipe(path, seed=7).stage[0].training.seed == 7  # type: ignore[attr-defined]
    kitchen(tmp_path, RECIPE + '\n[[stage]]\nkind = "distil"\nname = "again"\n')
    with pytest.raises(InputError, match="stage 'again' would undo what 'code' has done"):
        read_recipe(path)


WRONG = {
    "unknown key": ("epochs = 2\n", "epoch = 2\n", r":11: \[training\] has no key 'epoch'; did you mean 'epochs'\?"),
    "unknown key of a stage": ("steps = 2", "rate = 2", r":28: \[stage\] has no key 'rate'; there are kind, name, macs"),
    "unknown key of an inline table": ("{ epochs = 1, b", "{ epoch = 1, b", r":23: \[stage.training\] has no key 'epoch'"),
    "wrong type": ("macs = 0.6", 'macs = "half"', r":27: 'macs' is 'half' where a number is expected"),
    "a fraction of an epoch": ("epochs = 2\n", "epochs = 2.5\n", r":11: 'epochs' is 2.5 where a whole number is expected"),
    "out of range": ("weight_bits = 5", "weight_bits = 9", r":34: 'weight_bits' is 9 where a number from 2 to 8"),
    "not above zero": ("macs = 0.6", "macs = 0", r":27: 'macs' is 0 where a number above 0 is expected"),
    "not a number": ("macs = 0.6", "macs = nan", r":27: 'macs' is nan where"),
    "no such kind": ('"prune"', '"prunes"', r":26: a stage needs a kind, and 'prunes' is none; did you mean 'prune'\?"),
    "no target": ("macs = 0.6\n", "", r":25: stage 'prune' has no target; give macs, ram or flash"),
    "missing key": ('name = "tiny:cnn"\n\n', "\n", r":7: \[model\] lacks the key 'name'; add it"),
    "no data": ('file = "data.npz"', "", r":4: \[data\] needs either a name or a file"),
    "no such data": ('file = "data.npz"', 'name = "dgits"', r":5: there is no data set 'dgits'; there are digits, cifar10"),
    "no such file": ('"data.npz"', '"date.npz"', r":5: .*date.npz cannot be read as arrays"),
    "no such board": ("nano33ble", "nano44", r":1: "),
    "no such level": ('board = "nano33ble"', 'optimize = "small"', r":1: 'optimize' is 'small' where one of speed"),
    "no such network": ('"tiny:cnn"\n\n', '"resnet9"\n\n', r":8: there is no network 'resnet9'; there are digits_cnn"),
    "no such function": ('"tiny:cnn"\n\n', '"tiny:rnn"\n\n', r":8: the module tiny has no function 'rnn'"),
    "no such module": ('"tiny:cnn"\n\n', '"tinier:cnn"\n\n', r":8: the module tinier cannot be imported"),
    "no module": ('"tiny:cnn"\n\n', '"tiny:number"\n\n', r":8: tiny:number makes a int, not a torch.nn.Module"),
    "wrong argument": ("width = 12", "depth = 12", r":15: tiny:cnn cannot be called with depth=12"),
    "too few logits": ('"tiny:cnn"\n\n', '"tiny:cnn"\narguments = { classes = 2 }\n\n', r":8: the network makes \[2, 2\] of two samples where 3 logits"),
    "other classes": ("width = 12", "classes = 4", r":15: the teacher has other classes than the network"),
    "code of floats": ('kind = "distil"\ntraining = { epochs = 1, batch_size = 16 }', 'kind = "code"', r":21: stage 'code' codes int8 weights; put a stage that quantises in front"),
    "shared weights trained apart": ('kind = "prune"\nmacs = 0.6\nsteps = 2', 'kind = "share"\nclusters = 4', r":3\d: stage 'quantise_aware' would train shared weights apart"),
    "what cannot be folded": (RECIPE[RECIPE.index('"tiny:cnn"\n\n') :], '"tiny:twice"\n\n[[stage]]\nkind = "share"\nclusters = 4\n', r":10: the weights of '0' cannot be shared, for the batch normalisation '1' cannot be folded .*; give each layer a normalisation of its own"),
    "nobody to follow": (RECIPE[RECIPE.index("[teacher]") : RECIPE.index("[[stage]]")], "", r":14: stage 'distil' follows a teacher"),
    "a teacher that knows nothing": ("[teacher.training]\nepochs = 2\nbatch_size = 16\n", "", r":14: \[teacher\] needs either weights or"),
    "NaN weights": ('"tiny:cnn"\n\n', '"tiny:broken"\n\n', r":8: tiny:broken begins with '0.weight', which holds a value that is not a finite"),
    "two of a name": ("steps = 2", 'name = "distil"', r":28: a stage cannot be called 'distil'; give it a name of its own"),
    "an impossible target": ("macs = 0.6", "macs = 50", r":27: no pruning brings the network to 50 MACs; the smallest it can reach is \d\d\d; ask for no less"),
    "no such layer": ("sensitivity = 30", 'keep_float = ["head"]', r":35: the network has no module 'head'; it has 0, 1"),
    "no such hint": ("width = 12 }", 'width = 12 }\nhints = [["2", "c"]]', r":17: the teacher has no module 'c'"),
    "half a hint": ("width = 12 }", 'width = 12 }\nhints = [["2"]]', r":17: 'hints' has a list of 1 where one of 2"),
    "not TOML": ("seed = 3", "seed = ", r":2: "),
    "a number for a table": ("[data]\nfile = \"data.npz\"\n", "data = 5\n", r":4: \[data\] is 5 where a table of keys"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_with_its_line(what: str, tmp_path: Path) -> None:
    """One sentence with file, line and remedy; nothing is trained, nothing is written."""
    old, new, message = WRONG[what]
    assert old in RECIPE
    path = kitchen(tmp_path, RECIPE.replace(old, new, 1))

    def never(step: object) -> None:
        raise AssertionError("it trains")

    with pytest.raises(InputError, match=rf"recipe\.toml{message}") as caught:
        lichen.compress(path, tmp_path / "out", watch=never)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": np.zeros(150, np.int64)}, "all samples are of class 0; a network learns nothing from one class"),
        (
            {"x": np.where(np.arange(150)[:, None, None, None] == 4, np.nan, X)},
            r"sample \d+ of the .* part holds a value",
        ),
        ({"y": Y[:-1]}, "150 samples and 149 classes"),
        ({"y": Y - 1}, "class below 0"),
        ({"y": Y + 0.5}, r"y is float64 \[150\] where whole numbers"),
        ({"x": Y}, r"x is int64 \[150\] where numbers \(n, …\)"),
        ({"test_x": X[:9]}, "test_x and test_y or neither"),
        ({"x": X[:, :2, :2], "test_x": X, "test_y": Y}, r"\[2, 2, 1\] to train on and \[8, 8, 1\] to test on"),
        ({"x": X[:, :2]}, r"recipe\.toml:8: the network cannot take samples of \[2, 8, 1\]"),
    ],
)
def test_data_that_cannot_teach_are_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    """One class, values that are no numbers, arrays that do not go together: with the recipe's line and before training."""
    recipe = read_recipe(kitchen(tmp_path, **arrays))
    with pytest.raises(InputError, match=rf"recipe\.toml:\d+: .*{message}|{message}"):
        materials.gather(recipe)


def test_weights_of_a_file(tmp_path: Path) -> None:
    """The network begins with the weights of a file; those with NaN, and those of another network, are refused with line and file."""
    example = torch.zeros(1, 1, 8, 8)
    given = materials.gather(read_recipe(kitchen(tmp_path))).network()
    with torch.no_grad():
        given[0].weight.mul_(2)  # type: ignore[index]
    save_program(export(given, example), tmp_path / "given.pt2")
    path = kitchen(tmp_path, RECIPE.replace('"tiny:cnn"\n\n', '"tiny:cnn"\nweights = "given.pt2"\n\n'))
    got = materials.gather(read_recipe(path)).network()
    assert all(torch.equal(a, b) for a, b in zip(given.state_dict().values(), got.state_dict().values(), strict=True))
    with torch.no_grad():
        given[7].bias[1] = torch.nan  # type: ignore[index]
    save_program(export(given, example), tmp_path / "given.pt2")
    with pytest.raises(
        InputError,
        match=r"recipe\.toml:9: .*given\.pt2: '7\.bias' of the weights holds a value that is not a finite number",
    ):
        materials.gather(read_recipe(path))
    save_program(export(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), example), tmp_path / "given.pt2")
    with pytest.raises(InputError, match=r"recipe\.toml:9: .*given\.pt2: the weights are those of another network"):
        materials.gather(read_recipe(path))
