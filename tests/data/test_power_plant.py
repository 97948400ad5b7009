"""The power plant: the original workbook gives the data at hand, bit by bit."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from lichen.data import power_plant
from lichen.data.power_plant import COLUMNS, load_power_plant
from lichen.errors import InputError
from served import Server


@pytest.fixture
def local(lichen_data: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The table at hand, in hundredths."""
    return power_plant._read(lichen_data / "ccpp" / "ccpp.csv.gz")["hundredths"]


def write_original(path: Path, table: np.ndarray) -> None:
    """An archive as the repository publishes it: a folder with a workbook of several sheets."""
    workbook = openpyxl.Workbook(write_only=True)
    for name, rows in (("Sheet1", table), ("Sheet2", table[:9])):
        sheet = workbook.create_sheet(name)
        sheet.append(COLUMNS)
        for row in rows:
            sheet.append((row / 100).tolist())
    workbook.save(path.parent / "Folds5x2_pp.xlsx")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("CCPP/Readme.txt", "hourly averages")
        archive.write(path.parent / "Folds5x2_pp.xlsx", "CCPP/Folds5x2_pp.xlsx")


def test_original_is_the_data_at_hand(
    server: Server, local: np.ndarray, lichen_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every part of the split is the same to the bit, wherever the table came from."""
    write_original(server.folder / "original.zip", local)
    served = dataclasses.replace(power_plant._PUBLISHED, url=f"{server.url}/original.zip")
    monkeypatch.setattr(power_plant, "_PUBLISHED", served)
    downloaded = load_power_plant()
    assert server.requests
    monkeypatch.setenv("LICHEN_DATA", str(lichen_data))
    for field, array in dataclasses.asdict(load_power_plant()).items():
        np.testing.assert_array_equal(array, getattr(downloaded, field), field)


def test_other_archives_are_refused(server: Server, local: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """One number more or less, no workbook, no archive: one sentence each."""
    path = server.folder / "original.zip"
    served = dataclasses.replace(power_plant._PUBLISHED, url=f"{server.url}/original.zip")
    monkeypatch.setattr(power_plant, "_PUBLISHED", served)
    changed = local[:20].copy()
    changed[7, 3] += 1
    write_original(path, changed)
    with pytest.raises(InputError, match="does not hold the power plant data as published"):
        load_power_plant()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "")
    with pytest.raises(InputError, match=r"no workbook Folds5x2_pp\.xlsx"):
        load_power_plant()
    path.write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"no workbook Folds5x2_pp\.xlsx"):
        load_power_plant()


def test_split(local: np.ndarray, lichen_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """60/20/20, standardised by the training part, and every row in one part."""
    monkeypatch.setenv("LICHEN_DATA", str(lichen_data))
    data = load_power_plant()
    assert [len(x) for x in (data.train_x, data.validation_x, data.test_x)] == [5740, 1914, 1914]
    np.testing.assert_allclose(data.train_x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.train_x.std(axis=0), 1, atol=1e-5)
    power = np.concatenate([data.train_y, data.validation_y, data.test_y]).ravel() * data.scale
    expected = local[:, 4] / 100
    np.testing.assert_allclose(np.sort(power - power.mean()), np.sort(expected - expected.mean()), atol=1e-3)
