"""Fixtures that all rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).parents[2] / "shared" / "data"


def data_folder() -> Path | None:
    """The folder of real data: `LICHEN_DATA`, or `../shared/data` beside the checkout; `None` when there is neither."""
    named = os.environ.get("LICHEN_DATA")
    if named:
        return Path(named)
    return _BESIDE if _BESIDE.is_dir() else None


@pytest.fixture(scope="session")
def lichen_data() -> Path:
    """Real data sets and models; without them the test is skipped, which CI does not allow."""
    folder = data_folder()
    if folder is None or not folder.is_dir():
        reason = "no real data: set LICHEN_DATA to the folder that holds data sets and models"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
