"""The gate of learning: learn until good enough, wake when it drifts."""

from __future__ import annotations

import numpy as np
import pytest

from lichen.errors import VerifyError
from lichen.ir.module import Array
from online_strategies import learning_gate
from online_streams import assert_native_streams, run_stream, samples


def gate(losses: list[float], drift_at: dict[int, int] | None = None, **settings: float) -> list[Array]:
    """The outputs over a stream of losses, with one of two detectors raising its flag at some samples."""
    drift = np.zeros((len(losses), 2), np.int32)
    for sample, detector in (drift_at or {}).items():
        drift[sample, detector] = 1
    return run_stream(learning_gate(2, **settings), samples(np.array(losses, np.float32)[:, None], drift))


def test_learning_stops_when_it_is_good_enough() -> None:
    """As soon as the mean loss of at least `min_instances` samples has come down to the limit, and for good."""
    enabled, lesson, count, mean, asleep = gate([0.5, 0.1, 0.1, 0.1, 0.1, 9, 9], min_instances=3, good_enough=0.25)
    assert enabled[:, 0].tolist() == [1, 1, 0, 0, 0, 0, 0]
    assert asleep[:, 0].tolist() == [0, 0, 1, 1, 1, 1, 1]
    np.testing.assert_array_equal(lesson[:, 0], np.array([0.5, 0.1, *[np.nan] * 5], np.float32))
    assert count[-1] == 7 and mean[-1, 0] == pytest.approx(18.9 / 7)


def test_too_few_samples_are_not_good_enough() -> None:
    """However small their loss."""
    assert gate([0.0] * 4, min_instances=5)[0].all()


@pytest.mark.parametrize("detector", [0, 1])
def test_drift_wakes(detector: int) -> None:
    """Any detector's flag starts learning at once, and the mean loss begins anew."""
    enabled, _, count, mean, _ = gate([0.0] * 3 + [8.0] + [0.0] * 4, {3: detector}, min_instances=3)
    assert enabled[:, 0].tolist() == [1, 1, 0, 1, 1, 1, 0, 0]
    assert count[:, 0].tolist() == [1, 2, 3, 0, 1, 2, 3, 4] and mean[3:, 0].tolist() == [0.0] * 5


def test_drift_disturbs_nobody_who_learns() -> None:
    """A flag while learning goes on changes nothing."""
    quiet, drifting = gate([1.0, 2.0, 3.0]), gate([1.0, 2.0, 3.0], {1: 0})
    for expected, got in zip(quiet, drifting, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_forgetting_looks_at_the_newest_losses() -> None:
    """A bad start keeps a plain mean from ever being good enough, but not one that forgets."""
    losses = [100.0] * 20 + [0.05] * 200
    assert gate(losses, good_enough=0.1)[0].all()
    assert not gate(losses, good_enough=0.1, forgetting=0.1)[0][-1].any()


def test_a_loss_that_is_no_number_is_not_counted() -> None:
    """Neither NaN nor infinity puts learning to sleep or disturbs the mean."""
    enabled, _, count, mean, _ = gate([1.0, float("nan"), float("inf"), 1e16, 3.0])
    assert enabled.all() and count[:, 0].tolist() == [1, 1, 1, 1, 2]
    np.testing.assert_array_equal(mean[:, 0], [1, 1, 1, 1, 2])


def test_native_code_equals_the_interpreter() -> None:
    """Flags and state at every sample."""
    rng = np.random.default_rng(0)
    loss = rng.exponential(0.3, (200, 1)).astype(np.float32)
    loss[50:52] = [[np.nan], [np.inf]]
    stream = samples(loss, (rng.random((200, 3)) < 0.03).astype(np.int32))
    modules = [learning_gate(3, 4, limit, forgetting) for limit in (0.2, 0.3, 5.0) for forgetting in (0.0, 0.1)]
    assert {int(flag) for module in modules for flag in run_stream(module, stream)[0][:, 0]} == {0, 1}
    assert_native_streams(modules, [stream] * len(modules))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"min_instances": 0}, "min_instances is 0"),
        ({"good_enough": float("nan")}, "good_enough is nan"),
        ({"good_enough": 1e39}, "good_enough is 1e"),
        ({"forgetting": -0.1}, "forgetting is -0.1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], sentence: str) -> None:
    """Each with the attribute and what it may be."""
    with pytest.raises(VerifyError, match=sentence):
        learning_gate(1, **settings)
