"""Running standardisation against its definition in float64, over short streams and over millions of samples."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lichen.backend
from lichen.errors import VerifyError
from lichen.ir.module import Array
from lichen.ir.operator import operator
from online_strategies import standard_score, standardise, with_state, zeros
from online_streams import assert_native_streams, run_stream, samples
from ops_oracle import f32, run

KERNELS = Path(lichen.backend.__file__).parent / "kernels"


def faded(x: Array, forgetting: float) -> tuple[Array, Array]:
    """Mean and variance of the samples seen, in float64, each by its weight: the newest has 1/n, or `forgetting` if that is more."""
    weights = np.zeros(0)
    for n in range(1, len(x) + 1):
        newest = max(1 / n, float(np.float32(forgetting)))
        weights = np.append(weights * (1 - newest), newest)
    wide = x.astype(np.float64)
    mean = weights @ wide
    return mean, weights @ (wide - mean) ** 2


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 200),
    offset=st.floats(-4, 4).map(lambda e: 10.0**e),
    scale=st.floats(-8, 8).map(lambda e: 10.0**e),
    forgetting=st.sampled_from([0.0, 0.004, 0.1, 0.5]),
)
def test_statistics_are_those_of_the_samples(
    seed: int, length: int, offset: float, scale: float, forgetting: float
) -> None:
    """Mean and variance after any stream, also of features far from 0, with and without forgetting."""
    x = (scale * (offset + np.random.default_rng(seed).normal(size=(length, 3)))).astype(np.float32)
    y, count, mean, variance, _ = run_stream(standardise(3, forgetting=forgetting), samples(x))
    true_mean, true_variance = faded(x, forgetting)
    rounding = 1e-6 * (1 + offset)  # of the mean, in standard deviations
    assert count[-1] == length
    np.testing.assert_allclose(mean[-1], true_mean, rtol=0, atol=scale * rounding)
    np.testing.assert_allclose(variance[-1], true_variance, rtol=10 * rounding, atol=scale**2 * rounding**2)
    if length > 10:
        score = (x[-1] - true_mean) / np.sqrt(true_variance)
        assert (np.abs(y[-1] - score) <= 20 * rounding * (1 + np.abs(score))).all()


def test_the_first_samples() -> None:
    """The first sample scores 0, the second 1 or -1; a feature that does not change scores 0, and is no more than sqrt(n - 1) off
    when it does."""
    x = np.array([[3, 7], [5, 7], [4, 7], [4, 7], [4, 1e6]], np.float32)
    y = run_stream(standardise(2), samples(x))[0]
    np.testing.assert_allclose(y[:, 0], [0, 1, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(y[:, 1], [0, 0, 0, 0, 2], atol=1e-6)


def test_old_samples_fade() -> None:
    """With forgetting the statistics follow a change of the signal; without, they do not."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, (1000, 1)), rng.normal(50, 3, (1000, 1))]).astype(np.float32)
    for forgetting, mean, deviation in ((0.01, 50, 3), (0.0, 25, 25)):
        _, _, means, variances, _ = run_stream(standardise(1, forgetting=forgetting), samples(x))
        assert means[-1, 0] == pytest.approx(mean, abs=1)
        assert np.sqrt(variances[-1, 0]) == pytest.approx(deviation, rel=0.2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e16])
def test_what_is_no_sample_changes_nothing(bad: float) -> None:
    """Statistics stay as they are, to the bit, for all features of the sample; the others are scored all the same."""
    x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    x[3, 1] = bad
    y, *state = run_stream(standardise(2), samples(x))
    for tensor in state:
        np.testing.assert_array_equal(tensor[3], tensor[2])
        assert not np.array_equal(tensor[4], tensor[3]) and np.isfinite(tensor).all()
    assert np.isfinite(y[3, 0]) and y[3, 0] != 0 and not abs(y[3, 1]) < 1e6


def test_scoring_leaves_the_statistics() -> None:
    """`standard_score` gives the scores of `standardise` for the same statistics and changes none; without variance it gives 0."""
    mean, variance = np.array([1, -2, 5], np.float32), np.array([4, 0, 0.25], np.float32)
    y, *state = run(standard_score(mean, variance), np.array([2, 7, 4], np.float32))
    np.testing.assert_array_equal(y, np.array([0.5, 0, -2], np.float32))
    np.testing.assert_array_equal(state, [mean, variance])
    x = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    y, _, means, variances, _ = run_stream(standardise(4), samples(x))
    np.testing.assert_array_equal(run(standard_score(means[-1], variances[-1]), x[-1])[0], y[-1])


def test_native_code_equals_the_interpreter() -> None:
    """Scores and statistics at every call, with what is no number among the samples; the scores may overwrite the sample."""
    rng = np.random.default_rng(1)
    modules, streams = [], []
    for shape, forgetting in (((1,), 0.0), ((7,), 0.02), ((1, 3, 2), 0.5)):
        x = rng.normal(100, 5, (60, *shape)).astype(np.float32)
        x[20:30, ..., 0] = rng.choice(np.array([np.nan, np.inf, 3e38, 1e-40], np.float32), 10).reshape(
            10, *[1] * (len(shape) - 1)
        )
        modules += [standardise(*shape, forgetting=forgetting), standard_score(x[0], x[1])]
        streams += [samples(x)] * 2
    assert_native_streams(modules, streams)


HARNESS = """
#include <stdio.h>
#include "lichen_standardise_f32.h"

static uint64_t seed = 1;

static double uniform(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(seed >> 40) / 16777216.0;
}

int main(void)
{
    static const lichen_standardise_f32_params p = {2, FORGETTING};
    int32_t count = 0;
    float mean[2] = {0}, variance[2] = {0}, lost[4] = {0}, out[2];
    double true_mean[2] = {0}, true_variance[2] = {0};
    for (long n = 1; n <= 20000000; n++) {
        const float x[2] = {(float)(uniform() + uniform()), (float)(1000.0 + 3.0 * uniform())};
        lichen_standardise_f32(&p, x, &count, mean, variance, lost, out);
        const double weight = 1.0 / (double)n > FORGETTING ? 1.0 / (double)n : FORGETTING;
        for (int i = 0; i < 2; i++) {
            const double deviation = (double)x[i] - true_mean[i];
            true_mean[i] += weight * deviation;
            true_variance[i] = (1.0 - weight) * (true_variance[i] + weight * deviation * deviation);
        }
    }
    for (int i = 0; i < 2; i++) {
        printf("%.17g %.17g %.17g %.17g\\n", (double)mean[i], true_mean[i], (double)variance[i], true_variance[i]);
    }
    return 0;
}
"""


@pytest.mark.parametrize("forgetting", ["0.0f", "1e-7f"])
def test_statistics_stay_true_over_millions_of_samples(forgetting: str, tmp_path: Path) -> None:
    """Twenty million samples, more than float32 can count: mean and variance stay those of double precision."""
    (tmp_path / "harness.c").write_text(HARNESS.replace("FORGETTING", forgetting))
    command = ["gcc", "-std=c99", "-O2", "-ffp-contract=off", f"-I{KERNELS}", "harness.c", "-o", "harness", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "harness"], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        mean, true_mean, variance, true_variance = map(float, line.split())
        assert mean == pytest.approx(true_mean, abs=1e-7 * true_mean + 1e-5 * true_variance**0.5)
        assert variance == pytest.approx(true_variance, rel=1e-4)


def test_scores_may_lie_where_the_sample_lay() -> None:
    """The accesses say that the whole sample is read first, then feature after feature."""
    accesses = operator("standardise").accesses(standardise(2).infer.operations[0])
    assert accesses.atomic
    assert accesses.reads[0].tolist() == [[0, 8], [0, 4], [4, 8]]
    assert accesses.writes[0].tolist() == [[0, 0], [0, 4], [4, 8]]


def test_wrong_states_are_refused() -> None:
    """Statistics of another shape, another type or an impossible forgetting get a sentence."""
    count, one, two = np.zeros(1, np.int32), zeros(3), zeros(2, 3)
    for state, forgetting, sentence in (
        ([count, one, zeros(2), two], 0.0, "variance must be f32"),
        ([count, one, one, zeros(3)], 0.0, "lost must be f32"),
        ([zeros(1), one, one, two], 0.0, "count must be i32"),
        ([count, one, one, two], 0.6, "forgetting is 0.6"),
        ([count, one, one, two], float("nan"), "forgetting is nan"),
    ):
        with pytest.raises(VerifyError, match=sentence):
            with_state("standardise", [f32(3), *state], [f32(3)], {"forgetting": forgetting})
