"""Fixtures that all rooms share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

# Read when NumPy and PyTorch are imported, here and in what tests start; small products gain nothing from more, and lose much beside another worker.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files with what is generated now")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)`: `text` must be what `golden/<name>` beside the test file holds."""
    folder = request.path.parent / "golden"

    def compare(name: str, text: str) -> None:
        if request.config.getoption("--update-golden"):
            folder.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        assert (folder / name).is_file(), f"no golden file {name}; run make golden"
        assert text == (folder / name).read_text(), f"{name} has changed; if that is wanted, run make golden"

    return compare


@pytest.fixture
def needs() -> Callable[..., None]:
    """`needs(tool, …)` skips the test where a tool is not installed, which CI does not allow."""

    def check(*tools: str) -> None:
        missing = [tool for tool in tools if shutil.which(tool) is None]
        if missing and not os.environ.get("CI"):
            pytest.skip(f"{', '.join(missing)} not installed; lichen doctor says how to get it")

    return check
