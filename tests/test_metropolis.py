from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import make_case

from lvkit.diagnostics import r_hat
from lvkit.marginal import integrate
from lvkit.metropolis import draw_latent
from lvkit.nodes import make_nodes

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
