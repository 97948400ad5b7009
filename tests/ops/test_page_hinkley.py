"""The Page-Hinkley test against river's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import PageHinkley

from lichen.errors import VerifyError
from lichen.ir.module import Array
from online_strategies import counts, page_hinkley, with_state, zeros
from online_streams import assert_native_streams, run_stream, samples
from ops_oracle import f32


def of_river(x: Array, **attributes: float) -> tuple[list[int], float]:
    """river's flags for a stream, and how near any decision was to falling otherwise."""
    detector, flags, margin = PageHinkley(**attributes), [], np.inf
    for value in x:
        detector.update(float(value))
        flags.append(int(detector.drift_detected))
        moved = (
            detector._sum_increase - detector._min_increase,
            detector._max_decrease - detector._sum_decrease,
        )
        margin = min(margin, *(abs(distance - detector.threshold) for distance in moved))
    return flags, margin


def shifts(rng: np.random.Generator, deviation: float, *means: float) -> Array:
    """300 samples about each mean in turn."""
    return np.concatenate([rng.normal(mean, deviation, 300) for mean in means]).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    means=st.lists(st.floats(-10, 10), min_size=1, max_size=4),
    deviation=st.floats(0.01, 3),
    attributes=st.fixed_dictionaries(
        {
            "min_instances": st.integers(1, 60),
            "delta": st.floats(0, 1, width=32),
            "threshold": st.floats(0.5, 100, width=32),
            "alpha": st.sampled_from([0.5, 0.99, 0.9999, 1.0]).map(lambda a: float(np.float32(a))),
        }
    ),
)
def test_flags_are_those_of_river(
    seed: int, means: list[float], deviation: float, attributes: dict[str, float]
) -> None:
    """Rises and falls, many in one stream: a flag at the same samples, unless float32 makes a close decision another one."""
    x = shifts(np.random.default_rng(seed), deviation, *means)
    expected, margin = of_river(x, **attributes)
    if margin > 1e-2:
        np.testing.assert_array_equal(run_stream(page_hinkley(1, **attributes), samples(x[:, None]))[0][:, 0], expected)


def test_both_directions_are_found() -> None:
    """With river's settings: nothing in a stationary signal, a rise and a fall of ten deviations soon after they happen."""
    x = shifts(np.random.default_rng(0), 1, 0, 10, 0)
    flags = run_stream(page_hinkley(1), samples(x[:, None]))[0][:, 0]
    (rise, fall) = np.flatnonzero(flags)
    assert 300 <= rise < 310 and 600 <= fall < 615
    assert not run_stream(page_hinkley(1), samples(shifts(np.random.default_rng(1), 1, 5, 5)[:, None]))[0].any()


def test_features_are_watched_by_themselves() -> None:
    """A drift of one feature starts its test anew and leaves the others' counts running."""
    rng = np.random.default_rng(0)
    x = np.stack([shifts(rng, 1, 0, 0), shifts(rng, 1, 0, 10)], axis=1)
    flags, count, _ = run_stream(page_hinkley(2), samples(x))
    assert flags.sum(axis=0).tolist() == [0, 1]
    drift = int(np.flatnonzero(flags[:, 1])[0])
    assert count[drift].tolist() == [drift + 1, 0] and count[drift + 1].tolist() == [drift + 2, 1]


def test_what_is_no_sample_is_passed_over() -> None:
    """NaN, infinity and numbers too large raise no flag and leave count and sums of their feature as they are."""
    x = np.array([[1, 1], [2, np.nan], [3, np.inf], [4, -1e16], [5, 2]], np.float32)
    flags, count, sums = run_stream(page_hinkley(2, min_instances=1, threshold=1e3), samples(x))
    assert not flags.any() and count[:, 1].tolist() == [1, 1, 1, 1, 2] and count[-1, 0] == 5
    np.testing.assert_array_equal(sums[1:4, :, 1], np.repeat(sums[:1, :, 1], 3, axis=0))


def test_native_code_equals_the_interpreter() -> None:
    """Flags, counts and sums at every sample, with drifts and what is no number."""
    rng = np.random.default_rng(2)
    x = np.stack([shifts(rng, 1, *rng.uniform(-5, 5, 3)) for _ in range(3)], axis=1)
    x[100:110, 1] = [np.nan, np.inf, -np.inf, 1e16, -3e38, 1e15, -1e15, 0, 1, 2]
    modules = [page_hinkley(3, threshold=20.0), page_hinkley(3, alpha=1.0, min_instances=1, delta=0.0)]
    assert run_stream(modules[0], samples(x))[0].any()
    assert_native_streams(modules, [samples(x)] * 2)


@pytest.mark.parametrize(
    ("attribute", "value", "sentence"),
    [
        ("min_instances", 0, "min_instances is 0"),
        ("delta", -1.0, "delta is -1"),
        ("threshold", 0.0, "threshold is 0"),
        ("threshold", 1e39, "threshold is inf"),
        ("alpha", 1.5, "alpha is 1.5"),
    ],
)
def test_settings_that_detect_nothing_are_refused(attribute: str, value: float, sentence: str) -> None:
    """Each with the attribute and what it may be."""
    with pytest.raises(VerifyError, match=sentence):
        page_hinkley(1, **{attribute: value})


def test_wrong_states_are_refused() -> None:
    """Counts and sums are of the input's shape, flags are int32."""
    settings_ = {"min_instances": 1, "delta": 0.0, "threshold": 1.0, "alpha": 1.0}
    with pytest.raises(VerifyError, match="state of the sums must be f32"):
        with_state("page_hinkley", [f32(2), counts(2), zeros(5, 2)], [f32(2)], settings_)
    with pytest.raises(VerifyError, match="result must be i32"):
        with_state("page_hinkley", [f32(2), counts(2), zeros(6, 2)], [f32(2)], settings_)
