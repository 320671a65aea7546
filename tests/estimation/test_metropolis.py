from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_case

from lvkit.estimation.metropolis import draw_latent, ess_bulk, ess_tail, r_hat
from lvkit.model.marginal import integrate
from lvkit.model.quadrature import make_nodes

Array = Any


@pytest.mark.parametrize("m", [1, 2])
def test_draws_have_the_moments_that_the_integrals_found(m: int) -> None:
    table, coefficients, _ = make_case(m=m)
    found = integrate(table, coefficients, make_nodes(2, 4096))
    z, _ = draw_latent(
        table, coefficients, found.mean, found.covariance, count=5_000, chains=4, seed=0
    )
    for family, draws in enumerate(z.reshape(table.n_families, 2, -1)):
        root = np.linalg.cholesky(found.covariance[family])
        white = np.linalg.solve(root, draws - found.mean[family][:, None])
        np.testing.assert_allclose(white.mean(axis=1), 0.0, atol=0.04)
        np.testing.assert_allclose(np.cov(white), np.eye(2), atol=0.05)


def test_proposals_in_the_wrong_place_still_lead_to_the_posterior() -> None:
    table, coefficients, _ = make_case()
    found = integrate(table, coefficients, make_nodes(2, 4096))
    settings: dict[str, Any] = {"count": 8_000, "chains": 4, "seed": 0}
    moved, wide = found.mean + 0.5, 2.0 * found.covariance
    z, _ = draw_latent(table, coefficients, moved, wide, **settings)
    deviation = np.sqrt(np.einsum("lqq->lq", found.covariance))
    away = (z.mean(axis=(2, 3)) - found.mean) / deviation
    np.testing.assert_allclose(away, 0.0, atol=0.08)
    assert r_hat(z).max() < 1.01


def test_a_posterior_that_is_nearly_a_point_can_be_drawn_from() -> None:
    table, coefficients, _ = make_case()
    found = integrate(table, coefficients, make_nodes(2, 1024))
    point = np.zeros_like(found.covariance)
    z, acceptance = draw_latent(table, coefficients, found.mean, point, count=50, chains=2, seed=0)
    np.testing.assert_allclose(z, found.mean[:, :, None, None] + np.zeros(z.shape), atol=1e-4)
    assert (acceptance > 0.0).all()


def test_shapes_are_those_asked_for_and_acceptance_is_a_share() -> None:
    table, coefficients, _ = make_case(q=3)
    mean, covariance = np.zeros((4, 3)), np.broadcast_to(np.eye(3), (4, 3, 3))
    z, acceptance = draw_latent(table, coefficients, mean, covariance, count=7, chains=5, seed=0)
    assert z.shape == (4, 3, 5, 7)
    assert ((acceptance > 0.0) & (acceptance <= 1.0)).all()


@pytest.mark.parametrize("chains", [1, 3, 300])
def test_any_number_of_chains_will_do(chains: int) -> None:
    table, coefficients, _ = make_case()
    mean, covariance = np.zeros((4, 2)), np.broadcast_to(np.eye(2), (4, 2, 2))
    z, _ = draw_latent(table, coefficients, mean, covariance, count=40, chains=chains, seed=0)
    assert len(np.unique(z[0, 0, :, -1])) == chains


def test_the_seed_decides() -> None:
    table, coefficients, _ = make_case()
    mean, covariance = np.zeros((4, 2)), np.broadcast_to(np.eye(2), (4, 2, 2))

    def draws(seed: int) -> Array:
        found = draw_latent(table, coefficients, mean, covariance, count=9, chains=2, seed=seed)
        return found[0]

    np.testing.assert_array_equal(draws(1), draws(1))
    assert not np.array_equal(draws(1), draws(2))


# -- can the draws be trusted ---------------------------------------------------------------------


EVERY = pytest.mark.parametrize("diagnostic", [r_hat, ess_bulk, ess_tail])


def autoregression(rho: float, chains: int, draws: int, seed: int = 0) -> Array:
    """Stationary first-order autoregressions with standard normal innovations."""
    x = np.random.default_rng(seed).standard_normal((chains, draws))
    x[:, 0] /= np.sqrt(1.0 - rho**2)
    for t in range(1, draws):
        x[:, t] += rho * x[:, t - 1]
    return x


CASES = {
    "independent": autoregression(0.0, 4, 1000),
    "correlated": autoregression(0.5, 4, 1000),
    "sticky": autoregression(0.9, 4, 1000),
    "alternating": autoregression(-0.5, 4, 1001),
    "one chain elsewhere": autoregression(0.3, 4, 500) + np.array([[0.0], [0.0], [0.0], [1.0]]),
    "one chain wider": autoregression(0.0, 4, 500) * [[1.0], [1.0], [1.0], [3.0]],
    "drifting": autoregression(0.0, 4, 500) + np.linspace(0.0, 2.0, 500),
    "heavy tails": np.random.default_rng(1).standard_cauchy((4, 500)),
    "rounded": np.round(autoregression(0.3, 4, 500)),
}
FOLDER = Path(__file__).parents[1] / "reference"
REFERENCE = pd.read_csv(FOLDER / "diagnostics.csv", index_col="case")


@pytest.mark.parametrize("case", CASES)
def test_r_hat_is_that_of_arviz(case: str) -> None:
    assert r_hat(CASES[case]) == pytest.approx(REFERENCE.loc[case, "r_hat"], abs=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_effective_sample_sizes_are_those_of_arviz(case: str) -> None:
    """Within 1 %: when the figures were made the largest difference was 0.7 %."""
    for diagnostic in (ess_bulk, ess_tail):
        expected = REFERENCE.loc[case, diagnostic.__name__]
        assert diagnostic(CASES[case]) == pytest.approx(expected, rel=0.01)


@EVERY
def test_the_fewest_draws_that_can_be_split_give_a_number(
    diagnostic: Callable[[Array], Array],
) -> None:
    assert np.isfinite(diagnostic(autoregression(0.0, 4, 4)))


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.3, 0.6, 0.9])
def test_an_autoregression_is_worth_what_theory_says(rho: float) -> None:
    chains = autoregression(rho, 8, 20_000, seed=1)
    expected = chains.size * (1.0 - rho) / (1.0 + rho)
    assert ess_bulk(chains) == pytest.approx(expected, rel=0.06)


def test_chains_that_alternate_are_worth_more_than_independent_ones_up_to_a_cap() -> None:
    chains = autoregression(-0.98, 4, 1000)
    assert ess_bulk(chains) == pytest.approx(chains.size * np.log10(chains.size))


def test_chains_of_one_distribution_agree() -> None:
    assert r_hat(autoregression(0.3, 4, 2000)) == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize("case", ["one chain elsewhere", "one chain wider", "drifting"])
def test_chains_that_differ_in_place_in_width_or_in_time_are_found_out(case: str) -> None:
    assert r_hat(CASES[case]) > 1.05


@EVERY
def test_many_quantities_at_once_are_as_one_by_one(diagnostic: Callable[[Array], Array]) -> None:
    together = autoregression(0.4, 24, 200).reshape(2, 3, 4, 200)
    found = diagnostic(together)
    assert found.shape == (2, 3)
    alone = [[diagnostic(together[a, b]) for b in range(3)] for a in range(2)]
    np.testing.assert_allclose(found, np.array(alone), rtol=1e-10)


@EVERY
def test_a_growing_transformation_changes_nothing(diagnostic: Callable[[Array], Array]) -> None:
    if diagnostic is r_hat:  # its folded part looks at distances from the median
        chains = CASES["correlated"]
        assert r_hat(3.0 * chains - 7.0) == pytest.approx(r_hat(chains))
    else:
        chains = CASES["correlated"]
        assert diagnostic(np.exp(chains)) == pytest.approx(diagnostic(chains), rel=0.01)


@EVERY
@pytest.mark.parametrize(
    "chains",
    [np.ones((4, 100)), np.full((4, 100), np.nan), np.zeros((4, 3)), np.zeros((4, 0))],
    ids=["constant", "not finite", "three draws", "no draws"],
)
def test_what_cannot_be_judged_is_nan(diagnostic: Callable[[Array], Array], chains: Array) -> None:
    assert np.isnan(diagnostic(chains))


def test_one_fault_among_many_quantities_leaves_the_others_alone() -> None:
    chains = autoregression(0.0, 12, 300).reshape(3, 4, 300)
    expected = r_hat(chains)
    chains[1, 2, 5] = np.inf
    np.testing.assert_array_equal(r_hat(chains), np.where([False, True, False], np.nan, expected))
