"""The demonstration as users run it: real training, real chips."""

import pytest

from demo_command import answer_of

pytestmark = pytest.mark.long


@pytest.mark.timeout(600)
def test_digits_on_two_chips() -> None:
    """The fixed keys, accuracies that a working network reaches, and the chip deciding as Python does."""
    stages = answer_of("digits")["stages"]
    keys = ["stage", "board", "accuracy", "ram", "flash", "instructions", "cycles", "milliseconds", "fits"]
    assert all(list(stage) == keys for stage in stages)
    assert [stage["board"] for stage in stages] == [None, None, "nano33ble", None, None, "uno"]
    for (float_, python, chip), least, ram in ((stages[:3], 0.97, 16_000), (stages[3:], 0.93, 2_048)):
        assert float_["accuracy"] >= least
        assert abs(float_["accuracy"] - python["accuracy"]) <= 0.01
        assert chip["accuracy"] == python["accuracy"]
        assert chip["fits"] is True
        assert 0 < chip["ram"] < ram
        assert 0 < chip["instructions"] < chip["cycles"]
        assert 0 < chip["milliseconds"] < 100
