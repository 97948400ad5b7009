"""The Combined Cycle Power Plant data set: Tüfekci, Kaya, UCI Machine Learning Repository 294, CC BY 4.0."""

from __future__ import annotations

import gzip
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lichen.errors import InputError

COLUMNS = "AT,V,AP,RH,PE"
ROWS = 9568
_FILE = Path("ccpp", "ccpp.csv.gz")
_SHA256 = "51848da3c8b8c29f709f159fad95443eaa8ff2e95c721a00bba582048cd207e4"


@dataclass(frozen=True)
class PowerPlant:
    """Temperature, vacuum, pressure and humidity (n, 4) and electric power (n, 1), float32, standardised by the training part.

    `scale` is one standard deviation of the power in MW.
    """

    train_x: NDArray[np.float32]
    train_y: NDArray[np.float32]
    validation_x: NDArray[np.float32]
    validation_y: NDArray[np.float32]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.float32]
    scale: float


def load_power_plant(seed: int = 0) -> PowerPlant:
    """The data in random order, split 60/20/20, from `LICHEN_DATA/ccpp/ccpp.csv.gz`, whose header is `AT,V,AP,RH,PE`.

    Raises `InputError` where the file is missing or not the one that was published.
    """
    table = _table()
    table = table[np.random.default_rng(seed).permutation(len(table))]
    first, second = len(table) * 6 // 10, len(table) * 8 // 10
    mean, deviation = table[:first].mean(axis=0), table[:first].std(axis=0)
    scaled = ((table - mean) / deviation).astype(np.float32)
    x, y = np.ascontiguousarray(scaled[:, :4]), np.ascontiguousarray(scaled[:, 4:])
    train, validation, test = slice(first), slice(first, second), slice(second, None)
    return PowerPlant(x[train], y[train], x[validation], y[validation], x[test], y[test], float(deviation[4]))


def _table() -> NDArray[np.float64]:
    folder = os.environ.get("LICHEN_DATA")
    path = Path(folder or ".") / _FILE
    where = "download it from archive.ics.uci.edu/dataset/294, save the rows as gzipped CSV, and set LICHEN_DATA"
    try:
        text = gzip.decompress(path.read_bytes())
    except OSError as error:
        raise InputError(f"no power plant data in {path} ({error.strerror or 'it is not gzip'}); {where}") from error
    if hashlib.sha256(text).hexdigest() != _SHA256:
        raise InputError(f"{path} does not hold the published {ROWS} rows under the header {COLUMNS}; {where}")
    table: NDArray[np.float64] = np.loadtxt(text.decode().splitlines(), delimiter=",", skiprows=1)
    return table
