"""The Combined Cycle Power Plant data set: Tüfekci, Kaya, UCI Machine Learning Repository 294, CC BY 4.0."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lichen.data.published import Arrays, Published
from lichen.errors import MissingToolError

COLUMNS = ("AT", "V", "AP", "RH", "PE")
"""Temperature in °C, vacuum in cm Hg, pressure in mbar, relative humidity in %, and the electric power in MW."""


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
    """The data in random order, split 60/20/20.

    From `LICHEN_DATA/ccpp/ccpp.csv.gz`, whose header is `AT,V,AP,RH,PE`, or downloaded (4 MB). Raises `InputError` where it is not to be had or
    not what was published, `MissingToolError` where a download needs packages that are not installed.
    """
    table = _PUBLISHED.load()["hundredths"] / 100  # correctly rounded, so these are the numbers as written
    table = table[np.random.default_rng(seed).permutation(len(table))]
    first, second = len(table) * 6 // 10, len(table) * 8 // 10
    mean, deviation = table[:first].mean(axis=0), table[:first].std(axis=0)
    scaled = ((table - mean) / deviation).astype(np.float32)
    x, y = np.ascontiguousarray(scaled[:, :4]), np.ascontiguousarray(scaled[:, 4:])
    train, validation, test = slice(first), slice(first, second), slice(second, None)
    return PowerPlant(x[train], y[train], x[validation], y[validation], x[test], y[test], float(deviation[4]))


def _read(path: Path) -> Arrays:
    try:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    except (EOFError, zlib.error) as error:
        raise ValueError(str(error)) from error
    if lines[:1] != [",".join(COLUMNS)]:
        raise ValueError(f"its first line is not {','.join(COLUMNS)}")
    return _hundredths(np.loadtxt(lines, delimiter=",", skiprows=1))


def _convert(archive: Path) -> Arrays:
    """From the archive of the repository: the first sheet of the workbook in it; its other sheets hold the same rows in other orders."""
    try:
        import openpyxl
    except ModuleNotFoundError as error:
        raise MissingToolError(
            "the published power plant data is a workbook, and to read it needs the package openpyxl: pip install 'lichen[data]'"
        ) from error
    try:
        with zipfile.ZipFile(archive) as files:
            workbook = next(name for name in files.namelist() if name.endswith("Folds5x2_pp.xlsx"))
            with files.open(workbook) as file:
                header, *rows = openpyxl.load_workbook(file, read_only=True).worksheets[0].values
    except (zipfile.BadZipFile, StopIteration) as error:
        raise ValueError("there is no workbook Folds5x2_pp.xlsx in it") from error
    if tuple(header) != COLUMNS:
        raise ValueError(f"its first row is not {','.join(COLUMNS)}")
    return _hundredths(np.array(rows, np.float64))


def _hundredths(table: NDArray[np.float64]) -> Arrays:
    """Every number of the data set has at most two decimals."""
    return {"hundredths": np.round(table * 100).astype(np.int32)}


_PUBLISHED = Published(
    name="the power plant data",
    local=Path("ccpp", "ccpp.csv.gz"),
    read=_read,
    url="https://archive.ics.uci.edu/static/public/294/combined+cycle+power+plant.zip",
    file="combined-cycle-power-plant.zip",
    convert=_convert,
    content="200cc3327be3f7b7186d0f54c41cad5cc7e60a675e4186a4957b4a8b44d4549d",
)
