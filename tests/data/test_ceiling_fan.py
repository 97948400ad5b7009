"""The ceiling fan: the published archive gives the windows at hand, in their order."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.data import ceiling_fan
from lichen.data.ceiling_fan import SESSIONS, in_time, load_ceiling_fan
from lichen.errors import InputError
from served import Server


def write_archive(path: Path, sessions: dict[str, np.ndarray]) -> None:
    """As the repository is packed: a folder for each session, a CSV for each window; the order of the members says nothing."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("repository/README.md", "")
        archive.writestr("repository/datasets/ceiling-fan/fan_1/0000.csv", "another one\n")
        for name, windows in sessions.items():
            group = "ceiling-fan-deploy" if name.endswith("deploy") else "ceiling-fan"
            for index in reversed(range(len(windows))):
                rows = (windows[index] / 2048).tolist()
                text = "".join(f"{x:.6g}, {y:.6g}, {z:.6g}\n" for x, y, z in rows)
                archive.writestr(f"repository/datasets/{group}/{name}/{index:04}.csv", text)


def test_archive_is_the_data_at_hand(server: Server, lichen_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same windows to the bit, in g; an archive that lacks one, or none at all, is refused."""
    counts = dict(np.load(lichen_data / "ceiling_fan" / "ceiling_fan_accel.npz"))
    del counts["counts_per_g"]
    served = dataclasses.replace(ceiling_fan._PUBLISHED, url=f"{server.url}/fan.zip")
    monkeypatch.setattr(ceiling_fan, "_PUBLISHED", served)
    write_archive(server.folder / "fan.zip", counts)
    downloaded = load_ceiling_fan()
    monkeypatch.setenv("LICHEN_DATA", str(lichen_data))
    found = load_ceiling_fan()
    assert list(found) == list(SESSIONS) and set(counts) == set(SESSIONS)
    for name, windows in found.items():
        np.testing.assert_array_equal(windows, downloaded[name])
        np.testing.assert_array_equal(windows, counts[name] / np.float32(2048))
        assert windows.shape[1:] == (200, 3) and windows.dtype == np.float32
        assert 0.9 < np.median(windows[:, :, 2]) < 1.1, "gravity"


@pytest.mark.parametrize("kind", ["a window less", "no archive", "no session"])
def test_other_archives_are_refused(
    kind: str, server: Server, lichen_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence; what was downloaded is removed."""
    counts = np.load(lichen_data / "ceiling_fan" / "ceiling_fan_accel.npz")
    served = dataclasses.replace(ceiling_fan._PUBLISHED, url=f"{server.url}/fan.zip")
    monkeypatch.setattr(ceiling_fan, "_PUBLISHED", served)
    if kind == "no archive":
        (server.folder / "fan.zip").write_bytes(b"<html>")
    else:
        chosen = SESSIONS if kind == "a window less" else SESSIONS[1:]
        write_archive(server.folder / "fan.zip", {name: counts[name][:3] for name in chosen})
    with pytest.raises(InputError, match="the ceiling fan data"):
        load_ceiling_fan()


@given(st.integers(0, 500), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_in_time(count: int, weights: list[int]) -> None:
    """Parts follow one another, together are the whole, and have their shares to within a window."""
    windows = np.arange(count, dtype=np.float32)
    shares = [w / sum(weights) for w in weights]
    parts = in_time(windows, shares)
    np.testing.assert_array_equal(np.concatenate(parts), windows)
    for part, share in zip(parts, shares, strict=True):
        assert abs(len(part) - share * count) <= 1
