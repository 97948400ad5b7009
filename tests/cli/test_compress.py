"""`lichen train` and `lichen compress` as users type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compression_cases import RECIPE, kitchen
from lichen.compression import chain


def lichen(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lichen", *map(str, arguments)], capture_output=True, text=True, env=dict(os.environ)
    )


SHORT = RECIPE.partition("[teacher]")[0] + '[[stage]]\nkind = "quantise"\nsensitivity = 20\n'


def test_train_then_compress_what_was_trained(tmp_path: Path) -> None:
    """`train` writes a program that analyses, `compress` prints exactly the object of the contract, logs for TensorBoard and a table beside it."""
    recipe = kitchen(tmp_path, SHORT)
    trained = lichen("train", recipe, "--out", tmp_path / "net.pt2", "--json")
    assert trained.returncode == 0, trained.stderr
    told = json.loads(trained.stdout)
    assert list(told) == ["path", "accuracy", "weights_bytes", "macs"] and (tmp_path / "net.pt2").is_file()
    done = lichen("compress", recipe, "--out", tmp_path / "out", "--logs", tmp_path / "logs", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert list(answer) == ["stages", "ratio_vs_float32", "ratio_vs_int8"]
    assert [list(stage) for stage in answer["stages"]] == [
        ["name", "accuracy", "weights_bytes", "flash_bytes", "macs"]
    ] * 3
    assert answer["stages"][0]["accuracy"] == told["accuracy"] and answer["stages"][0]["macs"] == told["macs"]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert len(log.Scalars("loss/float32")) == 2
    assert [round(s.value, 5) for s in log.Scalars("stages/accuracy")] == [
        round(s["accuracy"], 5) for s in answer["stages"]
    ]
    again = lichen("compress", recipe, "--out", tmp_path / "out")
    assert again.returncode == 0 and "from an earlier run" in again.stderr
    assert "all but it in int8" in again.stdout and "times smaller than in plain int8" in again.stdout


def test_mistakes_end_with_one_sentence(tmp_path: Path) -> None:
    """Exit code 2 and a sentence with the line; the file that could not be made is not there."""
    recipe = kitchen(tmp_path, SHORT.replace("epochs = 2", "epoch = 2"))
    for verb, out in (("train", "net.pt2"), ("compress", "out")):
        done = lichen(verb, recipe, "--out", tmp_path / out, "--json")
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.startswith("lichen: ") and ":11: [training] has no key 'epoch'" in done.stderr
        assert done.stderr.count("\n") == 1 and not (tmp_path / out).exists()


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch-pruning or tensorboard the sentence has the line that installs them."""
    from lichen.compression.logs import Logs
    from lichen.errors import MissingToolError

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingToolError, match=r"pip install 'lichen\[compression\]'"):
        Logs(tmp_path / "logs")
    monkeypatch.delitem(sys.modules, "lichen.compression.channel_pruning", raising=False)
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    with pytest.raises(MissingToolError, match=r"pip install 'lichen\[compression\]'"):
        chain.compress_recipe(chain_recipe(tmp_path), tmp_path / "out")


def chain_recipe(folder: Path):  # type: ignore[no-untyped-def]
    from lichen.compression.recipe_file import read_recipe

    return read_recipe(kitchen(folder))
