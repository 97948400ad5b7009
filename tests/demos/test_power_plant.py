"""The power-plant demonstration as users run it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from demo_command import answer_of

pytestmark = pytest.mark.long


def test_chip_learns_as_pytorch_does(lichen_data: Path, tmp_path: Path) -> None:
    """Natively compiled for five epochs: the fixed keys, PyTorch's losses, an error below that of least squares; what is kept."""
    answer = answer_of("power-plant", "--on", "native", "--epochs", 5, "--out", tmp_path, data=lichen_data)
    keys = ["loss_chip", "loss_torch", "max_relative_difference", "rmse_chip", "rmse_torch", "ram", "flash"]
    assert list(answer)[:7] == keys and "instructions_per_sample" in answer
    assert len(answer["loss_chip"]) == 5 and answer["loss_chip"][4] < answer["loss_chip"][0]
    assert answer["max_relative_difference"] < 1e-3
    assert answer["rmse_chip"] == pytest.approx(answer["rmse_torch"], rel=1e-3)
    assert answer["rmse_chip"] < 4.56
    assert json.loads((tmp_path / "result.json").read_text()) == answer
    assert (tmp_path / "power_plant" / "power_plant.c").is_file()
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    parameters = 4 * (4 * 32 + 2 * 32 * 32 + 32 + 3 * 32 + 1)
    assert answer["ram"] <= 2 * parameters + 4 * (4 + 3 * 32 + 1) + 4 * 32 + 1024


def test_other_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the data set and a network, or with another file in its place: one sentence that says where to get it."""
    monkeypatch.setenv("LICHEN_DATA", str(tmp_path))
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    command = [sys.executable, "-m", "lichen", "demo", "power-plant", "--on", "native"]
    for write in (False, True):
        if write:
            (tmp_path / "ccpp").mkdir()
            (tmp_path / "ccpp" / "ccpp.csv.gz").write_bytes(b"AT,V,AP,RH,PE\n")
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert "archive.ics.uci.edu" in done.stderr
