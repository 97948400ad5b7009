"""The fan demonstration as users run it, with the figures it is to reach."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from demo_command import answer_of, refusal_without
from lichen.cli import demo
from lichen.compiler import Compilation
from lichen.data.ceiling_fan import load_ceiling_fan
from lichen.demos import fan
from lichen.demos.fan_autoencoder import Errors, FineTuning
from lichen.demos.fan_classifier import Classification
from lichen.demos.fan_parts import FAULT, FIELD, KINDS, NORMAL, load_sessions
from lichen.device.count import Count, count_first, count_lesson
from lichen.targets.board import load_board
from lichen.targets.folder import open_folder

KEYS = ["auc_before", "auc_after", "false_alarms_before", "false_alarms_after"]
KEYS += ["f1_curve", "f1_offline", "instructions", "overhead"]


def test_sessions_are_cut_in_time(lichen_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part follows the one before, every window is in one part, and the scale is that of what teaches the host."""
    monkeypatch.setenv("LICHEN_DATA", str(lichen_data))
    sessions, windows = load_sessions(), load_ceiling_fan()
    for name in (NORMAL, FIELD, FAULT, *KINDS):
        session = sessions[name]
        assert [len(session.train), len(session.train) + len(session.validation), len(session.all)] == [
            round(len(windows[name]) * share) for share in (0.6, 0.8, 1.0)
        ]
        assert len(np.unique(session.all, axis=0)) == len(session.all)
    known = sessions[NORMAL].train
    np.testing.assert_allclose(known.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(known.std(axis=0), 1, atol=1e-3)


@pytest.mark.timeout(600)
def test_field_becomes_normal_and_kinds_are_told(lichen_data: Path, tmp_path: Path) -> None:
    """Natively compiled: the fixed keys, AUC and false alarms before and after, F1 of both orders beside the offline one, what is kept;
    and a lesson costs a chip of 64 MHz at most a fifth of TinyOL's time."""
    answer = answer_of("fan", "--on", "native", "--out", tmp_path, data=lichen_data)
    assert list(answer)[: len(KEYS)] == KEYS
    assert json.loads((tmp_path / "result.json").read_text()) == answer
    for picture in ("errors.png", "f1.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")

    assert answer["auc_before"] < 0.1 and answer["false_alarms_before"] > 0.95
    assert answer["auc_after"] >= 0.95
    assert answer["false_alarms_after"] < 0.05
    assert answer["detected_after"] > 0.95

    offline = dict(answer["f1_offline"])
    assert set(offline) == {1, 2, 5, 10, 20, 50, 100} and offline[50] > 0.95
    for curve in (answer["f1_curve"], answer["f1_curve_shuffled"]):
        steps, scores = zip(*curve, strict=True)
        assert all(step % 50 == 0 for step in steps[:-1]) and steps[-1] == 1400
        assert scores[-1] >= offline[50] - 0.03
    by_class = dict(answer["f1_curve"])
    assert by_class[350] == pytest.approx(0.1, abs=0.01) and by_class[650] < 0.5, "one class is known, then two"
    for curve in (answer["f1_river"], answer["f1_river_shuffled"]):
        assert curve[-1][0] == 1400 and 0.8 < curve[-1][1] <= 1

    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed")
    folder, clock = open_folder(tmp_path / "fan_autoencoder"), load_board("nano33ble").clock_hz
    x, target = np.zeros((1, 1, 40), np.int8), np.zeros((1, 1, 40), np.float32)
    infer, learn = count_first(folder, "qemu", [x]), count_lesson(folder, "qemu", [x, target])
    assert infer.cycles is not None and learn.cycles is not None
    assert clock == 64_000_000
    assert 0 < infer.cycles < learn.cycles <= clock * 1921e-6 / 5


def test_without_data_and_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence that says where to get the data and what to set."""
    monkeypatch.setenv("LICHEN_DATA", str(tmp_path))
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    command = [sys.executable, "-m", "lichen", "demo", "fan", "--on", "native", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "LICHEN_DATA" in done.stderr and "github.com/ShawnHymel" in done.stderr


def test_missing_package_says_what_to_install() -> None:
    """Without river one sentence names the extras."""
    assert "pip install 'lichen[torch,demos,report]'" in refusal_without("river", "fan")


def result() -> fan.Result:
    """Figures that are easy to follow."""
    built = Compilation(
        "m", load_board("nano33ble"), Path(), 0, arena=100, state=200, stack=50, weights=1000, code=2000, fits=True
    )
    before = Errors(np.array([20.0, 30.0]), np.array([5.0, 9.0]), auc=0.0, false_alarms=1.0, detected=1.0)
    after = Errors(np.array([0.5, 1.0]), np.array([5.0, 9.0]), auc=1.0, false_alarms=0.0, detected=1.0)
    tuning = FineTuning(1.5, before, after, built, Count(1000, 6400, "modelled"), Count(1500, 12800, "modelled"))
    curves = {"class by class": [(50, 0.1), (100, 0.9)], "shuffled": [(50, 0.8), (100, 0.95)]}
    counts = Count(2000, 9600, "modelled"), Count(2200, 10240, "modelled")
    return fan.Result(tuning, Classification(curves, curves, [(1, 0.7), (50, 0.97)], [0, 25, 50, 75], built, *counts))


def test_costs_follow_from_counts() -> None:
    """Overhead is of instructions, microseconds are cycles at 64 MHz; each half of the demo has its own."""
    answer = result().answer()
    assert list(answer)[: len(KEYS)] == KEYS
    assert answer["overhead"] == pytest.approx(0.5)
    assert answer["microseconds"] == {"infer": 100.0, "learn": 200.0}
    assert answer["classifier"]["overhead"] == pytest.approx(0.1)
    assert answer["classifier"]["microseconds"] == {"infer": 150.0, "learn": 160.0}
    assert answer["ram"] == 350 and answer["flash"] == 3000


def test_tables_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Before and after, the kinds beside river and offline, and the costs beside TinyOL's; without matplotlib no pictures."""
    monkeypatch.setattr(fan, "run", lambda bar, out, on, seed: result())
    demo.fan(tmp_path / "kept", "qemu", 0, False)
    rows = [" ".join(line.replace("│", " ").split()) for line in capsys.readouterr().out.splitlines()]
    assert "as deployed 0.000 100.0% 100.0%" in rows
    assert "after 2,000 updates on the device 1.000 0.0% 100.0%" in rows
    assert "class by class 0.900 0.900 0.970" in rows
    assert "autoencoder, last layer learns 100 200 +50.0% 350 3,000" in rows
    assert "TinyOL (measured, arXiv 2103.08295) 1,748 1,921 +9.9% – –" in rows
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["errors.png", "f1.png", "result.json"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    demo.fan(tmp_path / "bare", "qemu", 0, False)
    assert "pip install 'lichen[report]'" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "bare").iterdir()] == ["result.json"]
