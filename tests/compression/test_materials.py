"""What a recipe works with: data, networks and targets that cannot be used are told with their line before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compression_cases import RECIPE, assert_refused, kitchen, three_patterns
from lichen.compression import materials
from lichen.compression.recipe_file import read_recipe
from lichen.errors import InputError
from lichen.nn.program_file import save_program
from lichen.nn.quantize import export

X, Y = three_patterns()

WRONG = {
    "no such file": ('"data.npz"', '"date.npz"', r":5: .*date.npz cannot be read as arrays"),
    "no such network": ('"tiny:cnn"\n\n', '"resnet9"\n\n', r":8: there is no network 'resnet9'; there are digits_cnn"),
    "no such function": ('"tiny:cnn"\n\n', '"tiny:rnn"\n\n', r":8: the module tiny has no function 'rnn'"),
    "no such module": ('"tiny:cnn"\n\n', '"tinier:cnn"\n\n', r":8: the module tinier cannot be imported"),
    "no module": ('"tiny:cnn"\n\n', '"tiny:number"\n\n', r":8: tiny:number makes a int, not a torch.nn.Module"),
    "wrong argument": ("width = 12", "depth = 12", r":15: tiny:cnn cannot be called with depth=12"),
    "too few logits": ('"tiny:cnn"\n\n', '"tiny:cnn"\narguments = { classes = 2 }\n\n', r":8: the network makes \[2, 2\] of two samples where 3 logits"),
    "other classes": ("width = 12", "classes = 4", r":15: the teacher has other classes than the network"),
    "what cannot be folded": (RECIPE[RECIPE.index('"tiny:cnn"\n\n') :], '"tiny:twice"\n\n[[stage]]\nkind = "share"\nclusters = 4\n', r":10: the weights of '0' cannot be shared, for the batch normalisation '1' cannot be folded .*; give each layer a normalisation of its own"),
    "NaN weights": ('"tiny:cnn"\n\n', '"tiny:broken"\n\n', r":8: tiny:broken begins with '0.weight', which holds a value that is not a finite"),
    "an impossible target": ("macs = 0.6", "macs = 50", r":27: no pruning brings the network to 50 MACs; the smallest it can reach is \d\d\d; ask for no less"),
    "no such layer": ("sensitivity = 30", 'keep_float = ["head"]', r":35: the network has no module 'head'; it has 0, 1"),
    "no such hint": ("width = 12 }", 'width = 12 }\nhints = [["2", "c"]]', r":17: the teacher has no module 'c'"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_with_its_line(what: str, tmp_path: Path) -> None:
    """One sentence with file, line and remedy; nothing is trained, nothing is written."""
    assert_refused(tmp_path, *WRONG[what])


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
