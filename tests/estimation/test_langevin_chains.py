from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import make_case

from lvkit.estimation.anchored import missing
from lvkit.estimation.langevin_chains import Chains, batches
from lvkit.model.marginal import Marginal, integrate
from lvkit.model.quadrature import make_nodes
from lvkit.model.score_table import Coefficients, ScoreTable

ROUNDS, CHAINS = 400, 16


def quadrature(table: ScoreTable, coefficients: Coefficients, floors: bool) -> Marginal:
    q = coefficients.latent.shape[2]
    return integrate(table, coefficients, make_nodes(q, 4_096), order=2, floors=floors)


@pytest.fixture(scope="module", params=[(1, 2, False), (2, 3, True)], ids=["paper", "slopes"])
def sampled(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Averages over many draws, beside what quadrature says they should be."""
    m, q, floors = request.param
    table, coefficients, _ = make_case(m=m, q=q)
    chains = Chains(table, count=CHAINS, floors=floors, seed=1)
    for _ in range(50):
        chains.move(coefficients, 2)
    draws, gradients, lost, known, accepted = [], [], [], [], []
    for _ in range(ROUNDS):
        complete = chains.move(coefficients, 2)
        draws.append(chains.draws)
        gradients.append(complete.mean(axis=3))
        lost.append(missing(complete))
        known.append(chains.known(coefficients))
        accepted.append(chains.acceptance)
    return {
        "exact": quadrature(table, coefficients, floors),
        "draws": np.concatenate(draws, axis=2),
        "gradient": np.mean(gradients, axis=0),
        "missing": np.mean(lost, axis=0),
        "known": np.mean(known, axis=0),
        "acceptance": np.mean(accepted, axis=0),
    }


def test_the_draws_have_the_posterior_s_mean_and_covariance(sampled: dict[str, Any]) -> None:
    exact, draws = sampled["exact"], sampled["draws"]
    spread = np.sqrt(np.diagonal(exact.covariance, axis1=1, axis2=2))
    away = (draws.mean(axis=2) - exact.mean) / spread
    assert np.abs(away).max() < 0.06
    for family, covariance in enumerate(exact.covariance):
        scale = np.outer(spread[family], spread[family])
        np.testing.assert_allclose(np.cov(draws[family]) / scale, covariance / scale, atol=0.12)


def test_their_mean_gradient_is_the_gradient_of_the_likelihood(sampled: dict[str, Any]) -> None:
    by_family = np.moveaxis(sampled["gradient"], 2, 0)
    exact = sampled["exact"].scores
    assert np.abs(by_family - exact).max() < 0.02 * np.abs(exact).max()


def test_known_less_missing_information_is_what_is_observed(sampled: dict[str, Any]) -> None:
    known, exact = sampled["known"], sampled["exact"]
    size = np.abs(exact.complete).max()
    np.testing.assert_allclose(known / size, -exact.complete / size, atol=0.02)
    observed = -sampled["missing"]
    width = known.shape[1]
    for j, block in enumerate(known):
        at = slice(j * width, (j + 1) * width)
        observed[at, at] += block
    np.testing.assert_allclose(observed / size, -exact.hessian / size, atol=0.03)


def test_the_step_sizes_are_tuned_to_the_acceptance(sampled: dict[str, Any]) -> None:
    assert np.abs(sampled["acceptance"] - 0.6).max() < 0.05


def test_the_same_seed_gives_the_same_draws() -> None:
    table, coefficients, _ = make_case()
    one, two = (Chains(table, count=3, floors=False, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.move(coefficients, 3), two.move(coefficients, 3))
    other = Chains(table, count=3, floors=False, seed=6)
    other.move(coefficients, 3)
    assert not np.array_equal(one.draws, other.draws)


def test_chains_stay_warm_when_they_are_placed_anew() -> None:
    table, coefficients, _ = make_case()
    chains = Chains(table, count=3, floors=False, seed=5)
    chains.move(coefficients, 2)
    before = chains.draws.copy()
    chains.place(coefficients)
    np.testing.assert_array_equal(chains.draws, before)


def test_batches_deal_every_family_out_once() -> None:
    table, coefficients, _ = make_case()
    parts = list(batches(table, 3, np.random.default_rng(0)))
    assert sorted(part.n_families for part in parts) == [2, 2]
    assert sum(part.n_scores for part in parts) == table.n_scores
    nodes = make_nodes(2, 256)
    whole = integrate(table, coefficients, nodes).by_family
    pieces = np.concatenate([integrate(part, coefficients, nodes).by_family for part in parts])
    np.testing.assert_allclose(np.sort(pieces), np.sort(whole), rtol=1e-6)


def test_batches_depend_on_the_seed() -> None:
    table, _, _ = make_case()

    def sizes(seed: int) -> list[int]:
        return [part.n_scores for part in batches(table, 2, np.random.default_rng(seed))]

    assert sizes(1) == sizes(1)
    assert len({tuple(sizes(seed)) for seed in range(8)}) > 1


def test_a_batch_without_some_benchmark_has_no_gradient_there() -> None:
    _, coefficients, _ = make_case()
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.2, 0.8, (4, 3))
    scores[:2, 1] = np.nan
    family, design = np.array([0, 0, 1, 1]), np.ones((4, 1))
    table = ScoreTable.build(scores, family, rng.normal(size=(4, 2)), design, 0.0025)
    for part in batches(table, 1, rng):
        complete = Chains(part, count=2, floors=False, seed=0).move(coefficients, 1)
        absent = np.setdiff1d(np.arange(3), part.benchmark)
        assert len(absent) == (1 if part.n_scores == 4 else 0)
        assert (complete[absent] == 0.0).all()
        assert np.isfinite(complete).all()
