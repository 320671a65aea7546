from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import make_case

from lvkit.model.beta import score_terms
from lvkit.model.marginal import LatentMoments, complete_hessians
from lvkit.model.quadrature import make_nodes

Pieces = tuple[Any, Any, LatentMoments, Any]


@pytest.fixture(params=[1, 2], ids=["intercepts", "with slopes"])
def pieces(request: pytest.FixtureRequest) -> Pieces:
    """A table, terms, moments and the latent vectors at the nodes, every score its own family."""
    table, coefficients, _ = make_case(m=request.param)
    nodes, rng, n = make_nodes(2, 64), np.random.default_rng(1), table.n_scores
    mode = rng.normal(size=(n, 2))
    scale = np.tril(rng.normal(size=(n, 2, 2))) + np.eye(2)
    w = rng.dirichlet(np.ones(64), size=n)
    z = mode[:, :, None] + scale @ nodes.points
    eta = np.einsum("nq,nqs->ns", coefficients.latent_weights(table), z)
    rho = coefficients.log_precision[table.benchmark, None]
    floor = coefficients.floor[table.benchmark, None]
    terms = score_terms(table.seen, eta, rho, floor, order=2, floors=True)
    return table, terms, LatentMoments(nodes, mode, scale, w), z


def test_the_moments_are_weighted_sums_over_the_nodes(pieces: Pieces) -> None:
    _, terms, latent, z = pieces
    plain, first, second = latent.to_second(terms.ee)
    weighted = latent.w * terms.ee
    np.testing.assert_allclose(plain, weighted.sum(axis=1), atol=1e-10)
    np.testing.assert_allclose(first, np.einsum("ns,nqs->nq", weighted, z), atol=1e-10)
    np.testing.assert_allclose(second, np.einsum("ns,nqs,nks->nqk", weighted, z, z), atol=1e-9)
    for found, expected in zip(latent.to_first(terms.ee), (plain, first), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_each_score_has_the_mean_of_its_hessians_at_the_nodes(pieces: Pieces) -> None:
    table, terms, latent, z = pieces
    found = complete_hessians(terms, latent, table.design, table.features)
    np.testing.assert_allclose(found, np.swapaxes(found, 1, 2))
    for at in range(0, table.n_scores, 5):
        expected = np.zeros(found.shape[1:])
        for s, weight in enumerate(latent.w[at]):
            v = np.concatenate([np.kron(table.design[at], z[at, :, s]), table.features[at], [1.0]])
            er, ec = terms.er[at, s] * v, terms.ec[at, s] * v
            corner = [[terms.rr[at, s], terms.cr[at, s]], [terms.cr[at, s], terms.cc[at, s]]]
            border = np.column_stack([er, ec])
            top = np.hstack([terms.ee[at, s] * np.outer(v, v), border])
            expected += weight * np.vstack([top, np.hstack([border.T, corner])])
        np.testing.assert_allclose(found[at], expected, atol=1e-9)
