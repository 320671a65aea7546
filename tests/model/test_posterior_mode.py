from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import CLIP, make_case

from lvkit.model.beta import log_density, response
from lvkit.model.posterior_mode import Posterior, posterior_modes


def joint(case: Any, z: Any) -> Any:
    """Log joint density of each family at its z, written out score by score."""
    table, c, scores = case
    total = -0.5 * np.square(z).sum(axis=1)
    y = np.clip(scores[table.model, table.benchmark], CLIP, 1.0 - CLIP)
    for n in range(table.n_scores):
        j, of = table.benchmark[n], table.family[n]
        weight = np.einsum("r,rq->q", table.design[n], c.latent[:, j])
        eta = weight @ z[of] + c.feature[j] @ table.features[n] + c.intercept[j]
        mean = response(eta, c.floor[j])
        total[of] += log_density(y[n], mean, np.exp(c.log_precision[j]))
    return total


@pytest.mark.parametrize("m", [1, 2])
def test_the_modes_are_where_the_log_joint_density_is_flat(m: int) -> None:
    case = make_case(m=m)
    mode = posterior_modes(case[0], case[1], tolerance=1e-10).mode
    for q in range(mode.shape[1]):
        step = np.zeros_like(mode)
        step[:, q] = 1e-5
        slope = (joint(case, mode + step) - joint(case, mode - step)) / 2e-5
        assert np.abs(slope).max() < 1e-5


def test_the_modes_do_not_depend_on_where_the_search_begins() -> None:
    table, coefficients, _ = make_case()
    plain = posterior_modes(table, coefficients, tolerance=1e-9)
    far = posterior_modes(table, coefficients, np.full_like(plain.mode, 4.0), 1e-9)
    np.testing.assert_allclose(far.mode, plain.mode, atol=1e-6)


def test_the_scale_is_the_root_of_the_inverse_information() -> None:
    table, coefficients, _ = make_case()
    found = posterior_modes(table, coefficients)
    log_det = np.linalg.slogdet(found.scale)[1]
    np.testing.assert_allclose(found.log_det, log_det)
    assert (np.linalg.eigvalsh(found.scale @ np.swapaxes(found.scale, 1, 2)) <= 1.0 + 1e-9).all()


def test_a_posterior_of_given_moments_has_them_stretched() -> None:
    covariance = np.array([[[4.0, 1.0], [1.0, 2.0]]])
    found = Posterior.of(np.ones((1, 2)), covariance, 1.05)
    np.testing.assert_allclose(found.scale @ np.swapaxes(found.scale, 1, 2), 1.05**2 * covariance)
    np.testing.assert_allclose(found.log_det, np.log(1.05**2 * np.sqrt(7.0)))


def test_scores_may_be_looked_at_in_runs_that_cut_families(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, coefficients, _ = make_case()
    whole = posterior_modes(table, coefficients, tolerance=1e-10)
    monkeypatch.setattr("lvkit.model.posterior_mode._RUN", 3)
    cut = posterior_modes(table, coefficients, tolerance=1e-10)
    np.testing.assert_allclose(cut.mode, whole.mode, atol=1e-10)
    np.testing.assert_allclose(cut.scale, whole.scale, atol=1e-10)
    np.testing.assert_allclose(cut.log_det, whole.log_det, atol=1e-10)


def test_runs_of_families_make_the_whole_again() -> None:
    table, coefficients, _ = make_case()
    whole = posterior_modes(table, coefficients)
    again = Posterior.joined([whole.families(slice(0, 1)), whole.families(slice(1, 4))])
    for name in ("mode", "scale", "log_det"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
