from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lvkit.tails import beta_above, beta_below, censored, normal_scores


@pytest.mark.parametrize("y", [0.0025, 0.2, 0.7, 0.9975])
def test_tails_agree_with_scipys_beta_distribution(y: float) -> None:
    mean, precision = np.array([0.1, 0.5, 0.9]), 40.0
    expected = stats.beta(mean * precision, (1.0 - mean) * precision)
    np.testing.assert_allclose(beta_below(y, mean, precision), expected.cdf(y), rtol=1e-10)
    np.testing.assert_allclose(beta_above(y, mean, precision), expected.sf(y), rtol=1e-10)


def test_small_tails_keep_their_digits() -> None:
    below, above = beta_below(0.1, 0.5, 200.0), beta_above(0.9, 0.5, 200.0)
    assert 0.0 < below < 1e-20
    assert float(above) == pytest.approx(float(below), rel=1e-8)  # the distribution is symmetric


def test_only_scores_at_the_ends_are_censored() -> None:
    y, below = np.array([0.01, 0.5, 0.99]), np.array([0.2, 0.5, 0.9])
    low, high = censored(y, below, 1.0 - below, 0.01)
    np.testing.assert_allclose(low, [0.1, 0.5, 0.95])
    np.testing.assert_allclose(low + high, 1.0)


def test_normal_scores_undo_the_normal_distribution_far_into_both_tails() -> None:
    z = np.array([-20.0, -3.0, -0.5, 0.0, 0.5, 3.0, 20.0])
    np.testing.assert_allclose(normal_scores(stats.norm.cdf(z), stats.norm.sf(z)), z, atol=1e-9)


def test_a_score_that_cannot_be_has_a_finite_normal_score() -> None:
    found = normal_scores([0.0, 1.0], [1.0, 0.0])
    assert np.isfinite(found).all()
    assert found[0] == -found[1] < -30.0


def test_normal_scores_of_draws_are_standard_normal() -> None:
    rng = np.random.default_rng(3)
    mean, precision = rng.uniform(0.05, 0.95, 4_000), rng.uniform(5.0, 200.0, 4_000)
    y = rng.beta(mean * precision, (1.0 - mean) * precision)
    z = normal_scores(beta_below(y, mean, precision), beta_above(y, mean, precision))
    assert stats.kstest(z, "norm").pvalue > 0.01
