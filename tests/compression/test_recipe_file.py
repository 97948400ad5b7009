"""Recipes are read: what they say arrives, and what no key can say is told with its line before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from compression_cases import assert_refused, kitchen
from lichen.compression.recipe import DistilStage, PruneStage, QuantiseAwareStage
from lichen.compression.recipe_file import read_recipe
from lichen.nn.train import Recipe as Training


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
    "missing key": ('name = "tiny:cnn"\n\n', "\n", r":7: \[model\] lacks the key 'name'; add it"),
    "half a hint": ("width = 12 }", 'width = 12 }\nhints = [["2"]]', r":17: 'hints' has a list of 1 where one of 2"),
    "not TOML": ("seed = 3", "seed = ", r":2: "),
    "a number for a table": ("[data]\nfile = \"data.npz\"\n", "data = 5\n", r":4: \[data\] is 5 where a table of keys"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_with_its_line(what: str, tmp_path: Path) -> None:
    """One sentence with file, line and remedy; nothing is trained, nothing is written."""
    assert_refused(tmp_path, *WRONG[what])
