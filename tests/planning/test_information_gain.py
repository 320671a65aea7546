"""What a benchmark would tell, against closed forms, cells and quadrature written here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import betainc, betaln, polygamma

from lvkit.model.score_table import Coefficients
from lvkit.planning.information_gain import Candidates, Quantity, score_information

CLIP = 0.0025
ONE = np.ones((1, 1))


def mean_of(eta: Any, floor: float = 0.0) -> Any:
    return floor + (1.0 - floor) / (1.0 + np.exp(-np.asarray(eta, dtype=float)))


# -- the information of a score ------------------------------------------------------------------


@pytest.mark.parametrize("floor", [0.0, 0.25])
@pytest.mark.parametrize("precision", [30.0, 400.0, 50_000.0])
def test_far_from_the_ends_the_information_has_its_closed_form(
    precision: float, floor: float
) -> None:
    eta = np.linspace(-0.7, 0.7, 5)
    mean = mean_of(eta, floor)
    slope = (1.0 - floor) * mean_of(eta) * (1.0 - mean_of(eta))
    curve = polygamma(1, mean * precision) + polygamma(1, (1.0 - mean) * precision)
    found = score_information(eta, precision, floor, 1e-5)
    np.testing.assert_allclose(found, (precision * slope) ** 2 * curve, rtol=1e-4)


@pytest.mark.parametrize(("eta", "precision"), [(-5.0, 40.0), (-8.0, 40.0), (5.5, 90.0)])
def test_beyond_the_clip_scores_tell_what_their_probability_tells(
    eta: float, precision: float
) -> None:
    """The information of the cell a score falls in: two ends, and very many between them."""
    edges = np.concatenate([[0.0], np.geomspace(CLIP, 0.5, 3_000)])
    edges = np.concatenate([edges, 1.0 - edges[-2::-1]])
    cells = [
        np.diff(stats.beta.cdf(edges, mean * precision, (1.0 - mean) * precision))
        for mean in mean_of(np.array([eta - 1e-3, eta, eta + 1e-3]))
    ]
    expected = ((cells[2] - cells[0]) ** 2 / 4e-6 / np.maximum(cells[1], 1e-15)).sum()
    found = score_information(np.array([eta]), precision, 0.0, CLIP)[0]
    assert found == pytest.approx(expected, rel=0.01)


def test_a_wider_clip_never_tells_more() -> None:
    eta = np.linspace(-7.0, 7.0, 15)
    found = [score_information(eta, 60.0, 0.1, clip) for clip in (1e-4, 0.0025, 0.05)]
    assert (found[0] >= found[1] - 1e-9).all()
    assert (found[1] >= found[2] - 1e-9).all()


# -- the covariance after a benchmark ------------------------------------------------------------


def two_skills(**changes: Any) -> Coefficients:
    """Three benchmarks of two skills; the last is hard."""
    given: dict[str, Any] = {
        "latent": np.array([[[0.8, 0.0], [0.5, 0.6], [0.0, 1.0]]]),
        "feature": np.array([[0.4], [0.2], [0.5]]),
        "intercept": np.array([0.3, -0.5, -4.0]),
        "log_precision": np.log([60.0, 150.0, 40.0]),
        "floor": np.array([0.0, 0.2, 0.0]),
    }
    return Coefficients(**(given | changes))


FEATURES = np.array([0.5])
PRIOR = (np.array([0.3, -0.2]), np.array([[0.9, 0.3], [0.3, 0.7]]))


def candidates(coefficients: Coefficients) -> Candidates:
    return Candidates.of(coefficients, np.ones(1), FEATURES, PRIOR, CLIP)


def simulated(coefficients: Coefficients, run: list[int], times: int = 500) -> np.ndarray:
    """Covariance of the latent vector, averaged over scores drawn from the model."""
    axis = np.linspace(-5.0, 5.0, 51)
    root = np.linalg.cholesky(PRIOR[1])
    grid = PRIOR[0] + np.array(np.meshgrid(axis, axis)).reshape(2, -1).T @ root.T
    log_mass = np.tile(stats.multivariate_normal(*PRIOR).logpdf(grid), (times, 1))
    fixed = coefficients.feature @ FEATURES + coefficients.intercept
    rng = np.random.default_rng(7)
    truth = rng.multivariate_normal(*PRIOR, times)
    for j in run:
        phi = np.exp(coefficients.log_precision[j])
        at, mean = (
            mean_of(z @ coefficients.latent[0, j] + fixed[j], coefficients.floor[j])
            for z in (truth, grid)
        )
        y = rng.beta(at * phi, (1.0 - at) * phi)[:, None]
        a, b = mean * phi, (1.0 - mean) * phi
        density = a * np.log(y) + b * np.log1p(-y) - betaln(a, b)
        log_mass += np.where(y < CLIP, np.log(np.maximum(betainc(a, b, CLIP), 1e-300)), density)
    mass = np.exp(log_mass - log_mass.max(axis=1, keepdims=True))
    mass /= mass.sum(axis=1, keepdims=True)
    second = (mass @ (grid[:, :, None] * grid[:, None, :]).reshape(-1, 4)).reshape(-1, 2, 2)
    mean = mass @ grid
    return np.asarray((second - mean[:, :, None] * mean[:, None, :]).mean(axis=0))


@pytest.mark.parametrize("run", [[0], [1], [2], [1, 2], [2, 0, 1]])
def test_the_expected_covariance_is_that_of_drawn_scores(run: list[int]) -> None:
    coefficients = two_skills()
    benchmarks, covariance = candidates(coefficients), PRIOR[1]
    for j in run:
        covariance = benchmarks.after(covariance, j)
    exact = simulated(coefficients, run)
    sd = np.sqrt(np.diag(exact))
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), sd, rtol=0.03)
    assert np.abs((covariance - exact) / np.outer(sd, sd)).max() < 0.06


def test_the_mean_information_would_promise_more_than_comes() -> None:
    """Near an end, where the information differs most from one eta to the next."""
    coefficients = two_skills()
    a, variance = coefficients.latent[0, 2], PRIOR[1]
    benchmarks = candidates(coefficients)
    mean_information = benchmarks.mass @ benchmarks.information[2]
    naive = np.linalg.inv(np.linalg.inv(variance) + mean_information * np.outer(a, a))
    exact, found = simulated(coefficients, [2]), benchmarks.after(variance, 2)
    left = [a @ each @ a for each in (naive, found, exact)]
    assert left[0] < 0.95 * left[2]
    assert left[1] == pytest.approx(left[2], rel=0.04)


def test_a_benchmark_that_no_skill_reaches_tells_nothing() -> None:
    coefficients = two_skills(latent=np.zeros((1, 3, 2)))
    np.testing.assert_array_equal(candidates(coefficients).after(PRIOR[1], 1), PRIOR[1])


def test_a_benchmark_can_only_take_away() -> None:
    benchmarks = candidates(two_skills())
    covariance = PRIOR[1]
    for j in (0, 1, 2, 0, 1, 2):
        after = benchmarks.after(covariance, j)
        assert np.linalg.eigvalsh(covariance - after).min() > -1e-12
        assert np.linalg.eigvalsh(after).min() > 0.0
        covariance = after


# -- what is wanted ------------------------------------------------------------------------------


def scores_of(mix: np.ndarray, which: list[int]) -> tuple[Quantity, np.ndarray, np.ndarray]:
    coefficients = two_skills()
    weights = coefficients.latent[0, which]
    centre = (coefficients.feature @ FEATURES + coefficients.intercept)[which]
    centre = centre + weights @ PRIOR[0]
    floors = coefficients.floor[which]
    return Quantity.scores(weights, centre, floors, mix, PRIOR[1]), weights, centre


def drawn(which: list[int], weights: np.ndarray, centre: np.ndarray) -> np.ndarray:
    z = np.random.default_rng(3).multivariate_normal(np.zeros(2), PRIOR[1], 400_000)
    return np.asarray(mean_of(z @ weights.T + centre, 0.0) * (1 - two_skills().floor[which]))


def test_of_a_skill_its_standard_deviation_is_left() -> None:
    weights, after = np.array([[0.6, 0.8]]), np.array([[0.3, 0.1], [0.1, 0.2]])
    wanted = Quantity.skills(weights, ONE, PRIOR[1])
    assert wanted.left(after) == pytest.approx(np.sqrt((weights @ after @ weights.T).item()))


def test_of_all_skills_the_mean_variance_is_left() -> None:
    after = np.array([[0.3, 0.1], [0.1, 0.2]])
    wanted = Quantity.skills(np.eye(2), np.eye(2) / 2.0, PRIOR[1])
    assert wanted.left(after) == pytest.approx(np.sqrt(0.25))


@pytest.mark.parametrize("j", [0, 1, 2])
def test_at_first_all_of_an_expected_scores_variance_is_left(j: int) -> None:
    wanted, weights, centre = scores_of(ONE, [j])
    values = drawn([j], weights, centre)
    assert wanted.left(PRIOR[1]) == pytest.approx(values.std(), rel=0.01)
    assert wanted.left(np.zeros((2, 2))) == pytest.approx(0.0, abs=1e-9)


def test_a_mix_of_scores_has_the_variance_of_the_mix() -> None:
    share = np.array([0.3, 0.7])
    wanted, weights, centre = scores_of(np.outer(share, share), [1, 2])
    values = drawn([1, 2], weights, centre) @ share
    assert wanted.left(PRIOR[1]) == pytest.approx(values.std(), rel=0.01)


@pytest.mark.parametrize("j", [0, 2])
def test_what_is_left_of_a_score_is_the_mean_of_its_later_variances(j: int) -> None:
    """The later mean is drawn first, then the score's predictor around it."""
    after = candidates(two_skills()).after(PRIOR[1], 1)
    wanted, weights, centre = scores_of(ONE, [j])
    rng, floor = np.random.default_rng(5), two_skills().floor[j]
    means = rng.multivariate_normal(np.zeros(2), PRIOR[1] - after + 1e-12 * np.eye(2), 4_000)
    around = rng.multivariate_normal(np.zeros(2), after, (4_000, 200))
    values = (1 - floor) * mean_of((means[:, None] + around) @ weights[0] + centre[0])
    expected = np.sqrt(values.var(axis=1, ddof=1).mean())
    assert wanted.left(after) == pytest.approx(expected, rel=0.02)
