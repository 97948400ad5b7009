"""A ceiling fan, felt by an accelerometer: Shawn Hymel, github.com/ShawnHymel/tinyml-example-anomaly-detection, "welcome to use".

A three-axis MSA301 on the fan's housing sent windows of a second, for about ten minutes in each of nine sessions: the fan off, at low, medium and
high speed, each without and with a weight (a coin) taped to a blade, and two more at low speed. A session is one recording, and its windows are in the order of
time. Where parts must not know each other, cut sessions in time (`in_time`), for neighbouring windows are alike.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lichen.data.published import Arrays, Published

RATE = 200
"""Samples a second."""

SESSIONS = (
    "fan_0_off_0_weight",
    "fan_0_low_0_weight",
    "fan_0_low_1_weight",
    "fan_0_med_0_weight",
    "fan_0_med_1_weight",
    "fan_0_high_0_weight",
    "fan_0_high_1_weight",
    "fan_0_low_0_weight-moving",
    "fan_0_low-deploy",
)
"""As their folders are called; `-moving` was recorded while the sensor was being moved about, `-deploy` on another day."""

_COUNTS_PER_G = 2048
_COMMIT = "f9f90ee24eb9aa3fbd48d95a94287573469426db"


def load_ceiling_fan() -> dict[str, NDArray[np.float32]]:
    """Windows (n, 200, 3) of each of the `SESSIONS`: acceleration along x, y and z in g, gravity included.

    From `LICHEN_DATA/ceiling_fan/ceiling_fan_accel.npz`, or downloaded. Raises `InputError` where it is not to be had or not what was
    published, `MissingToolError` where a download needs the package pooch.
    """
    counts = _PUBLISHED.load()
    return {name: counts[name].astype(np.float32) / np.float32(_COUNTS_PER_G) for name in SESSIONS}


def in_time(windows: NDArray[np.float32], shares: Sequence[float]) -> list[NDArray[np.float32]]:
    """A session cut into consecutive parts; `shares` add up to one, and each window is in exactly one part."""
    borders = np.round(np.cumsum([0.0, *shares]) * len(windows)).astype(int)
    return [windows[a:b] for a, b in pairwise(borders)]


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in SESSIONS}


def _convert(archive: Path) -> Arrays:
    """From the archive of the repository: a CSV file for each window, rows of x, y, z in g, written with six decimals."""
    files = defaultdict(list)
    try:
        with zipfile.ZipFile(archive) as stored:
            for name in sorted(stored.namelist()):
                found = re.search(r"/datasets/[^/]+/([^/]+)/\d+\.csv$", name)
                if found and found[1] in SESSIONS:
                    rows = np.loadtxt(io.BytesIO(stored.read(name)), delimiter=",", max_rows=RATE)
                    files[found[1]].append(np.round(rows * _COUNTS_PER_G).astype(np.int16))
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error
    return {name: np.stack(files[name]) for name in SESSIONS}


_PUBLISHED = Published(
    name="the ceiling fan data",
    local=Path("ceiling_fan", "ceiling_fan_accel.npz"),
    read=_read,
    url=f"https://github.com/ShawnHymel/tinyml-example-anomaly-detection/archive/{_COMMIT}.zip",
    file="tinyml-example-anomaly-detection.zip",
    convert=_convert,
    content="083e7ccffe4b72af85b2fe4ef88e027ae24b4d202bedbc05b8d51b41b50ecb08",
)
