"""Labelled data: files of arrays are split evenly and alike each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.data.labelled import read_labelled


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(2, 40), min_size=2, max_size=5), st.floats(0.05, 0.95))
def test_each_class_is_shared_out(tmp_path_factory, seed: int, sizes: list[int], share: float) -> None:  # type: ignore[no-untyped-def]
    """Every sample is in exactly one part, each class in both and in the share asked for, and the same seed gives the same parts."""
    path = tmp_path_factory.mktemp("labelled") / "data.npz"
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    np.savez(path, x=np.arange(len(y), dtype=np.float32)[:, None], y=y)
    data = read_labelled(path, share, seed)
    assert sorted([*data.train_x[:, 0], *data.test_x[:, 0]]) == list(range(len(y)))
    assert (y[data.test_x[:, 0].astype(int)] == data.test_y).all() and data.classes == len(sizes)
    for label, size in enumerate(sizes):
        held = int((data.test_y == label).sum())
        assert 1 <= held < size and abs(held - share * size) <= 1
    assert read_labelled(path, share, seed).digest == data.digest


def test_a_test_part_of_the_file_is_kept(tmp_path: Path) -> None:
    """Where the file has a test part nothing is set aside; values become float32 and classes int64."""
    x, y = np.arange(12, dtype=np.uint8).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1], np.uint8)
    np.savez(tmp_path / "data.npz", x=x, y=y, test_x=x[:2] + 1, test_y=y[:2])
    data = read_labelled(tmp_path / "data.npz")
    assert data.train_x.dtype == np.float32 and data.train_y.dtype == np.int64
    np.testing.assert_array_equal(data.train_x, x)
    np.testing.assert_array_equal(data.test_x, x[:2] + 1)
