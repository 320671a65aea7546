from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.diagnostics import ess_bulk, ess_tail, r_hat

Array = Any
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
REFERENCE = pd.read_csv(Path(__file__).parent / "reference" / "diagnostics.csv", index_col="case")


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
