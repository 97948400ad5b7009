"""A ceiling fan's anomalies: an autoencoder that learns its place on the chip, and a classifier that learns the kinds there.

After Ren, Anicic, Runkler, "TinyOL: TinyML with online-learning on microcontrollers", arXiv 2103.08295, which did it with a fan and an Arduino
Nano 33 BLE. The host teaches an autoencoder (40-16-4-16-40) what the fan is like at low speed, quantises it and deploys it. In the field the fan
runs at medium speed, and everything looks like an anomaly until the last layer, float32 in RAM, has learned there. Then an online layer on
the embedding and the reconstruction error learns to tell kinds of window, with a neuron more for each new label.

The windows are those of `lichen.data.ceiling_fan`; `fan_parts` says which of them teach, choose and test: sessions are cut in time and never
mixed across the cuts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lichen.demos.fan_autoencoder import FineTuning, ProgressBar, fine_tune, quantised, train_autoencoder
from lichen.demos.fan_classifier import Classification, classify
from lichen.demos.fan_parts import KINDS, NORMAL, load_sessions
from lichen.device.count import Count
from lichen.report.error_histograms import draw_error_histograms
from lichen.report.score_curves import draw_score_curves
from lichen.targets.board import Board

COMPARED_EPOCHS = 50
"""The offline classifier that the online one is to be measured by has gone through its windows so often."""


@dataclass(frozen=True)
class Result:
    """Both halves of the demonstration."""

    tuning: FineTuning
    classes: Classification

    @property
    def f1_offline(self) -> float:
        """Of the offline classifier after `COMPARED_EPOCHS`."""
        return dict(self.classes.offline)[COMPARED_EPOCHS]

    def answer(self) -> dict[str, Any]:
        """What `--json` prints. Instructions and cycles are those of one window; `overhead` is what learning adds to an inference."""
        tuning, classes = self.tuning, self.classes
        return {
            "auc_before": tuning.before.auc,
            "auc_after": tuning.after.auc,
            "false_alarms_before": tuning.before.false_alarms,
            "false_alarms_after": tuning.after.false_alarms,
            "f1_curve": classes.online["class by class"],
            "f1_offline": classes.offline,
            **_cost(tuning.infer, tuning.learn, tuning.compiled.board),
            "detected_before": tuning.before.detected,
            "detected_after": tuning.after.detected,
            "threshold": tuning.threshold,
            "f1_curve_shuffled": classes.online["shuffled"],
            "f1_river": classes.river["class by class"],
            "f1_river_shuffled": classes.river["shuffled"],
            "ram": tuning.compiled.ram,
            "flash": tuning.compiled.flash,
            "classifier": {
                **_cost(classes.infer, classes.learn, classes.compiled.board),
                "ram": classes.compiled.ram,
                "flash": classes.compiled.flash,
            },
        }


def run(bar: ProgressBar, folder: Path, on: str = "qemu", seed: int = 0) -> Result:
    """Runs the demo on the emulated chip, or on `native`, which counts no instructions; model folders are written below `folder`.

    `seed` is that of the autoencoder's initial weights; 0 was chosen on the validation parts.
    """
    sessions = load_sessions()
    with bar("autoencoder: training on the host", 1) as progress:
        module = quantised(train_autoencoder(sessions[NORMAL], seed), sessions[NORMAL])
        progress(1)
    tuning = fine_tune(module, sessions, folder / "fan_autoencoder", on, bar)
    return Result(tuning, classify(module, sessions, folder / "fan_classifier", on, bar))


def draw(result: Result, folder: Path) -> None:
    """Writes the pictures `errors.png` and `f1.png` into `folder`. Raises `MissingToolError` without matplotlib."""
    tuning, classes = result.tuning, result.classes
    draw_error_histograms(
        folder / "errors.png",
        "Ceiling fan: the last layer learns what is normal at medium speed",
        "reconstruction error of a window, squared standard deviations",
        {
            f"{moment}: AUC {errors.auc:.3f}, false alarms {errors.false_alarms:.1%}": {
                "normal": errors.normal,
                "with a weight": errors.fault,
            }
            for moment, errors in (("before", tuning.before), ("after 2,000 updates", tuning.after))
        },
        tuning.threshold,
    )
    draw_score_curves(
        folder / "f1.png",
        "Ceiling fan: four kinds of window, a neuron more for each new one",
        ("windows learned from", "macro F1, test parts"),
        {way: {"online, Lichen": classes.online[way], "online, river": classes.river[way]} for way in classes.online},
        (f"offline, {COMPARED_EPOCHS} epochs", result.f1_offline),
        {"class by class": dict(zip(classes.began, KINDS.values(), strict=True))},
    )


def microseconds(count: Count, board: Board) -> float | None:
    """At the clock of the board, from modelled cycles."""
    return None if count.cycles is None else count.cycles / board.clock_hz * 1e6


def _cost(infer: Count, learn: Count, board: Board) -> dict[str, Any]:
    """What an inference and a lesson cost; `None` where nothing counts."""
    both = {"infer": infer, "learn": learn}
    known = infer.instructions is not None and learn.instructions is not None
    return {
        "instructions": {name: count.instructions for name, count in both.items()},
        "overhead": learn.instructions / infer.instructions - 1 if known else None,  # type: ignore[operator]
        "cycles": {name: count.cycles for name, count in both.items()},
        "microseconds": {name: microseconds(count, board) for name, count in both.items()},
    }
