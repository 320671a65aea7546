from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import digamma, gammaln, polygamma

from lvkit.model.beta import (
    beta_above,
    beta_below,
    censored,
    evidence,
    log_density,
    log_gamma_series,
    normal_scores,
    response,
    score_terms,
)

ARGUMENTS = np.geomspace(1e-8, 1e6, 4_001)


def terms(y: Any, eta: Any, rho: float, floor: float, **options: Any) -> Any:
    scores = np.atleast_1d(np.asarray(y, dtype=float))
    eta = np.broadcast_to(np.atleast_2d(np.asarray(eta, dtype=float)), (len(scores), np.size(eta)))
    each = np.ones((len(scores), 1))
    return score_terms(evidence(scores), eta, rho * each, floor * each, **options)


# -- the response --------------------------------------------------------------------------------


@given(st.floats(-40.0, 40.0), st.floats(0.0, 0.99))
def test_the_response_lies_between_floor_and_one(eta: float, floor: float) -> None:
    assert floor <= response(eta, floor) <= 1.0


def test_the_response_reaches_floor_and_ceiling_without_overflow() -> None:
    assert response([-1e6, 1e6], 0.25).tolist() == [0.25, 1.0]


def test_the_response_broadcasts_floors_over_predictors() -> None:
    assert response(np.zeros((5, 3)), [0.0, 0.25, 0.5])[2].tolist() == [0.5, 0.625, 0.75]


# -- the density ---------------------------------------------------------------------------------


@given(st.floats(0.001, 0.999), st.floats(0.01, 0.99), st.floats(0.5, 500.0))
def test_the_log_density_is_that_of_scipy(y: float, mean: float, phi: float) -> None:
    expected = stats.beta.logpdf(y, mean * phi, (1.0 - mean) * phi)
    assert log_density(y, mean, phi) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_variance_is_mean_times_rest_over_one_plus_precision() -> None:
    y = np.linspace(0.0, 1.0, 200_001)[1:-1]
    density = np.exp(log_density(y, 0.3, 24.0)) / 200_000
    assert np.sum(density * (y - 0.3) ** 2) == pytest.approx(0.3 * 0.7 / 25.0, rel=1e-6)


# -- the gamma function --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "exact"),
    [(0, gammaln), (1, digamma), (2, lambda x: polygamma(1, x))],
    ids=["log gamma", "digamma", "trigamma"],
)
def test_the_series_agrees_with_scipy_over_fourteen_decades(which: int, exact: Any) -> None:
    found, expected = log_gamma_series(ARGUMENTS.copy())[which], exact(ARGUMENTS)
    assert np.max(np.abs(found - expected) / np.maximum(1.0, np.abs(expected))) < 2e-13


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_series_gives_as_many_derivatives_as_asked_for(order: int) -> None:
    wanted, all_three = log_gamma_series(ARGUMENTS, order), log_gamma_series(ARGUMENTS, 2)
    assert len(wanted) == order + 1
    for found, expected in zip(wanted, all_three, strict=False):
        np.testing.assert_array_equal(found, expected)


def test_the_series_leaves_its_argument_as_it_was() -> None:
    x = np.array([[0.5, 2.0], [3.0, 100.0]])
    log_gamma_series(x)
    assert x.tolist() == [[0.5, 2.0], [3.0, 100.0]]


def test_the_gamma_functions_recurrences_hold() -> None:
    x = np.geomspace(0.01, 1_000.0, 200)
    here, there = log_gamma_series(x), log_gamma_series(x + 1.0)
    np.testing.assert_allclose(there[0] - here[0], np.log(x), atol=2e-11)
    np.testing.assert_allclose(there[1] - here[1], 1.0 / x, rtol=1e-9)
    np.testing.assert_allclose(here[2] - there[2], x**-2.0, rtol=1e-6)


# -- the terms of the likelihood -----------------------------------------------------------------


def test_what_the_likelihood_needs_of_a_score() -> None:
    seen = evidence(np.array([0.2, 0.5]))
    assert seen.log_odds.shape == (2, 1)
    np.testing.assert_allclose(seen.log_odds[:, 0], [np.log(0.25), 0.0], atol=1e-15)
    np.testing.assert_allclose(seen.offset[:, 0], [-np.log(0.16), -np.log(0.25)])
    assert seen.rows(slice(1, 2)).log_complement.tolist() == [[np.log(0.5)]]


@pytest.mark.parametrize("floor", [0.0, 0.25])
def test_the_value_is_the_log_density_at_the_response(floor: float) -> None:
    eta = np.linspace(-6.0, 6.0, 25)
    found = terms([0.03, 0.7], eta, np.log(40.0), floor, order=0, floors=False)
    for row, y in zip(found.value, (0.03, 0.7), strict=True):
        np.testing.assert_allclose(row, log_density(y, response(eta, floor), 40.0), rtol=1e-9)


def test_only_what_was_asked_for_is_computed() -> None:
    asked = {"value"}
    for order, floors, more in (
        (0, False, ""),
        (1, False, "e r"),
        (1, True, "e r c"),
        (2, False, "e r ee er rr information"),
        (2, True, "e r c ee er rr ec cr cc information"),
    ):
        found = terms(0.4, 0.3, 3.0, 0.1, order=order, floors=floors)
        present = {name for name, value in vars(found).items() if value is not None}
        assert present == asked | set(more.split())


# Central differences: of values for the first derivatives, of first derivatives for the second.
STEP = 1e-5
FIRST = {"e": "eta", "r": "rho", "c": "floor"}
SECOND = [("ee", "e", "eta"), ("er", "e", "rho"), ("rr", "r", "rho")]
SECOND += [("ec", "e", "floor"), ("cr", "c", "rho"), ("cc", "c", "floor")]
POINTS = [
    {"eta": eta, "rho": rho, "floor": floor}
    for eta in (-3.0, 0.4, 2.5)
    for rho in (np.log(5.0), np.log(150.0))
    for floor in (0.02, 0.25)
]


def difference(y: float, point: dict[str, float], of: str, by: str) -> float:
    high, low = (point | {by: point[by] + sign * STEP} for sign in (1.0, -1.0))
    values = [
        getattr(terms(y, p["eta"], p["rho"], p["floor"], order=2, floors=True), of).item()
        for p in (high, low)
    ]
    return (values[0] - values[1]) / (2.0 * STEP)


@pytest.mark.parametrize("y", [0.004, 0.31, 0.93])
@pytest.mark.parametrize("name", FIRST)
def test_first_derivatives_agree_with_finite_differences(name: str, y: float) -> None:
    for p in POINTS:
        found = terms(y, p["eta"], p["rho"], p["floor"], order=1, floors=True)
        expected = difference(y, p, "value", FIRST[name])
        assert getattr(found, name).item() == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("y", [0.004, 0.31, 0.93])
@pytest.mark.parametrize(("name", "of", "by"), SECOND, ids=[name for name, *_ in SECOND])
def test_second_derivatives_agree_with_finite_differences(
    name: str, of: str, by: str, y: float
) -> None:
    for p in POINTS:
        found = terms(y, p["eta"], p["rho"], p["floor"], order=2, floors=True)
        expected = difference(y, p, of, by)
        assert getattr(found, name).item() == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_mean_score_has_mean_zero_gradient() -> None:
    y = np.linspace(0.0, 1.0, 100_001)[1:-1]
    found = terms(y, 0.5, np.log(30.0), 0.1, order=1, floors=True)
    density = np.exp(found.value[:, 0]) / 100_000
    for gradient in (found.e, found.r, found.c):
        assert abs(density @ gradient[:, 0]) < 1e-6


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_the_information_is_the_mean_curvature_over_scores(floor: float) -> None:
    y = np.linspace(0.0, 1.0, 100_001)[1:-1]
    found = terms(y, 0.5, np.log(30.0), floor, order=2, floors=floor > 0.0)
    density = np.exp(found.value[:, 0]) / 100_000
    assert np.ptp(found.information) < 1e-9
    assert -(density @ found.ee[:, 0]) == pytest.approx(found.information[0, 0], rel=1e-6)


def test_far_predictors_give_finite_terms() -> None:
    found = terms([0.0025, 0.9975], [-1e5, -299.0, 299.0, 1e5], 4.0, 0.0, order=2, floors=True)
    assert all(np.isfinite(value).all() for value in vars(found).values())


# -- tails ----------------------------------------------------------------------------------------


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
