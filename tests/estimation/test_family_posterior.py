from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import independent
import numpy as np
import pandas as pd
import pytest
from golden import Message, refused
from scipy.special import ndtr

import lvkit as lv
from lvkit.estimation.family_posterior import FamilyPosterior, sample_families
from lvkit.model.beta import log_density, response

Array = Any


@pytest.fixture(scope="module")
def paper_posterior(paper_fit: lv.Fit) -> FamilyPosterior:
    return sample_families(paper_fit)


@pytest.fixture(scope="module")
def small_posterior(small_fit: lv.Fit) -> FamilyPosterior:
    return sample_families(small_fit)


def normal_approximation(fit: lv.Fit) -> tuple[Array, Array]:
    """Means and standard deviations of alpha by the moments that the fit holds."""
    factor = fit.frame.factor[0]
    covariances = factor @ fit.latent_covariances @ factor.T
    return fit.family_effects.to_numpy(), np.sqrt(np.einsum("lkk->lk", covariances))


def moments_on_a_grid(joint: Any, mean: Array, deviation: Array) -> tuple[Array, Array]:
    """Mean and covariance of a density of two variables, by summing over a fine grid."""
    axes = [m + s * np.linspace(-7.0, 7.0, 101) for m, s in zip(mean, deviation, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    log_weight = joint(points)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    centre = weight @ points
    away = points - centre
    return centre, (away * weight[:, None]).T @ away


def assert_moments(draws: Array, mean: Array, covariance: Array) -> None:
    """Moments of draws worth at least half their number, in units of the true ones."""
    root = np.linalg.cholesky(covariance)
    white = np.linalg.solve(root, (draws - mean).T)
    noise = 1.0 / np.sqrt(0.5 * len(draws))
    np.testing.assert_allclose(white.mean(axis=1), 0.0, atol=4.5 * noise)
    np.testing.assert_allclose(np.cov(white), np.eye(2), atol=7.0 * noise)


def test_every_family_and_skill_of_the_embedded_data_is_drawn_well(
    paper_posterior: FamilyPosterior,
) -> None:
    table = paper_posterior.summary()
    assert table["rhat"].max() < 1.01
    assert table["ess_bulk"].min() > 1000.0
    assert table["ess_tail"].min() > 1000.0
    assert table["acceptance"].min() > 0.5
    assert paper_posterior.doubtful == ()


def test_two_families_compare_as_their_normal_approximations_do(
    paper_fit: lv.Fit, paper_posterior: FamilyPosterior
) -> None:
    found = paper_posterior.compare("yi-1.5-chat", "yi-1.5")
    mean, deviation = normal_approximation(paper_fit)
    a, b = (paper_fit.families.index(name) for name in ("yi-1.5-chat", "yi-1.5"))
    difference, spread = mean[a] - mean[b], np.hypot(deviation[a], deviation[b])
    assert found.index.tolist() == list(paper_fit.skills)
    np.testing.assert_allclose((found["difference"] - difference) / spread, 0.0, atol=0.12)
    np.testing.assert_allclose((found["lower"] - difference) / spread, -1.96, atol=0.25)
    np.testing.assert_allclose((found["upper"] - difference) / spread, 1.96, atol=0.25)
    np.testing.assert_allclose(found["probability"], ndtr(difference / spread), atol=0.05)
    assert found.loc["instruction", "probability"] > 0.99


def test_moments_agree_with_an_independent_quadrature(small_panel: lv.Panel) -> None:
    """Two skills, the default features: the formulas of tests/independent.py, on a grid."""
    anchors = {"general": "mmlu", "instruction": "ifeval"}
    fit = lv.LatentSkillModel(anchors=anchors).fit(small_panel)
    post = sample_families(fit, draws=12_000)
    scores, models = small_panel.scores, small_panel.models
    cut = independent.families(fit.params, list(fit.benchmarks), scores, models, fit.model.clip)
    mean, deviation = normal_approximation(fit)
    assert len(cut) == len(fit.families)
    for number, family in enumerate(cut):
        joint = independent.log_joint(family, fit.params.correlation)
        assert_moments(
            post.draws[number], *moments_on_a_grid(joint, mean[number], deviation[number])
        )


def test_slopes_of_families_are_drawn_together_with_their_levels(small_panel: lv.Panel) -> None:
    """One skill and one slope: alpha + gamma x, with the posterior written out on a grid."""
    model = lv.LatentSkillModel(
        anchors={"general": "mmlu"}, features="log_params", family_slopes="log_params"
    )
    fit = model.fit(small_panel)
    post = sample_families(fit, draws=12_000)
    assert post.slopes is not None
    p, table = fit.params, fit.prepared.table
    y = 1.0 / (1.0 + np.exp(-table.seen.log_odds[:, 0]))
    for number in range(fit.n_families):
        rows = table.family == number
        j, x = table.benchmark[rows], table.features[rows, 0]

        def joint(points: Array, rows: Array = rows, j: Array = j, x: Array = x) -> Array:
            skill = points[:, :1] + (points[:, 1:] + p.slopes[0, 0]) * x
            mean = response(p.loadings[j, 0] * skill + p.intercepts[j])
            prior = -0.5 * (points[:, 0] ** 2 + (points[:, 1] / p.slope_sd[0]) ** 2)
            return log_density(y[rows], mean, p.precisions[j]).sum(axis=1) + prior

        draws = np.column_stack([post.draws[number, :, 0], post.slopes[number, :, 0]])
        assert_moments(draws, *moments_on_a_grid(joint, draws.mean(axis=0), draws.std(axis=0)))


def test_the_order_of_the_rows_does_not_matter(
    small_panel: lv.Panel, small_fit: lv.Fit, small_posterior: FamilyPosterior
) -> None:
    frame = small_panel.to_frame().sample(frac=1.0, random_state=1)
    again = sample_families(small_fit.model.fit(lv.Panel.from_frame(frame)))
    assert again.families == small_posterior.families
    np.testing.assert_array_equal(again.draws, small_posterior.draws)


def test_the_seed_decides(small_fit: lv.Fit, small_posterior: FamilyPosterior) -> None:
    np.testing.assert_array_equal(sample_families(small_fit).draws, small_posterior.draws)
    other = sample_families(small_fit, seed=1)
    assert not np.array_equal(other.draws, small_posterior.draws)


def test_a_fit_read_through_other_anchors_gives_the_same_draws_of_what_is_the_same(
    small_fit: lv.Fit, small_posterior: FamilyPosterior
) -> None:
    other = small_fit.reanchor({"maths": "gsm8k", "instruction": "ifeval"})
    draws = sample_families(other).draws
    np.testing.assert_allclose(
        draws @ other.params.loadings.T, small_posterior.draws @ small_fit.params.loadings.T
    )


def test_draws_are_read_only_and_labelled(
    small_fit: lv.Fit, small_posterior: FamilyPosterior
) -> None:
    assert small_posterior.draws.shape == (12, 2000, 2)
    assert small_posterior.acceptance.shape == (12,)
    assert small_posterior.families == small_fit.families
    assert small_posterior.skills == small_fit.skills
    assert small_posterior.slopes is None
    with pytest.raises(ValueError, match="read-only"):
        small_posterior.draws[0, 0, 0] = 1.0


def test_the_summary_holds_moments_and_central_intervals(
    small_posterior: FamilyPosterior,
) -> None:
    table = small_posterior.summary(level=0.5)
    family = small_posterior.families[3]
    draws = pd.DataFrame(small_posterior.draws[3], columns=list(small_posterior.skills))
    assert table.index.names == ["family", "skill"]
    np.testing.assert_allclose(table.loc[family, "mean"], draws.mean())
    np.testing.assert_allclose(table.loc[family, "sd"], draws.std(ddof=0))
    np.testing.assert_allclose(table.loc[family, "lower"], draws.quantile(0.25))
    np.testing.assert_allclose(table.loc[family, "upper"], draws.quantile(0.75))
    np.testing.assert_allclose(table.loc[family, "acceptance"], small_posterior.acceptance[3])


def test_comparisons_are_the_same_from_either_side(small_posterior: FamilyPosterior) -> None:
    a, b = small_posterior.families[:2]
    there, back = small_posterior.compare(a, b, 0.8), small_posterior.compare(b, a, 0.8)
    np.testing.assert_allclose(there["difference"], -back["difference"])
    np.testing.assert_allclose(there["lower"], -back["upper"])
    np.testing.assert_allclose(there["probability"], 1.0 - back["probability"])


def test_draws_that_chains_cannot_share_evenly_are_rounded_up(small_fit: lv.Fit) -> None:
    post = sample_families(small_fit, draws=1801, chains=4)
    assert post.draws.shape[1] == 1804


def test_too_few_draws_are_told_with_the_families_and_the_remedy(
    small_fit: lv.Fit, message: Message
) -> None:
    with pytest.warns(lv.LvkitWarning) as seen:
        post = sample_families(small_fit, draws=40)
    message(seen, "1.01", "4", "160")
    assert ", ".join(small_fit.families[:8]) in str(seen[0].message)
    assert post.doubtful == small_fit.families


def test_only_the_families_that_are_drawn_badly_are_named(
    small_fit: lv.Fit, message: Message
) -> None:
    means = small_fit.latent_means.copy()
    means[2] += 6.0
    with pytest.warns(lv.LvkitWarning) as seen:
        post = sample_families(replace(small_fit, latent_means=means))
    assert post.doubtful == (small_fit.families[2],)
    message(seen[0], "400", small_fit.families[2])


def test_a_single_draw_has_no_diagnostics(small_fit: lv.Fit, message: Message) -> None:
    with pytest.warns(lv.LvkitWarning) as caught:
        post = sample_families(small_fit, draws=1, chains=1)
    message(caught)
    assert post.summary()[["rhat", "ess_bulk", "ess_tail"]].isna().all(axis=None)


def test_an_unknown_family_is_refused_with_the_nearest_name(
    paper_posterior: FamilyPosterior, message: Message
) -> None:
    with refused("compare", "yi-1.5-chatt", "yi-1.5-chat") as error:
        paper_posterior.compare("yi-1.5-chatt", "yi-1.5")
    message(error)
    with refused("compare", "7") as error:
        paper_posterior.compare("yi-1.5", 7)  # type: ignore[arg-type]
    message(error)


def test_a_family_is_not_compared_with_itself(
    paper_posterior: FamilyPosterior, message: Message
) -> None:
    with refused("compare", "yi-1.5") as error:
        paper_posterior.compare("yi-1.5", "yi-1.5")
    message(error)


@pytest.mark.parametrize("level", [0, 1.0, 95, "most"])
def test_a_level_outside_0_and_1_is_refused(
    small_posterior: FamilyPosterior, level: Any, message: Message
) -> None:
    with refused("level") as error:
        small_posterior.summary(level)
    message(error)
    with refused("level") as error:
        small_posterior.compare(*small_posterior.families[:2], level=level)
    message(error)


@pytest.mark.parametrize(
    "settings",
    [{"draws": 0}, {"draws": 10.5}, {"draws": True}, {"chains": 0}, {"seed": -1}, {"seed": None}],
    ids=str,
)
def test_settings_out_of_range_are_refused(
    small_fit: lv.Fit, settings: dict[str, Any], message: Message
) -> None:
    (name,) = settings
    with refused() as error:
        sample_families(small_fit, **settings)
    message(error, name)


def test_a_datatree_holds_every_draw_in_its_chain(small_posterior: FamilyPosterior) -> None:
    tree = small_posterior.to_datatree()
    alpha = tree["posterior"]["alpha"]
    assert alpha.dims == ("chain", "draw", "family", "skill")
    family, skill = small_posterior.families[5], small_posterior.skills[1]
    third = alpha.sel(chain=2, family=family, skill=skill).to_numpy()
    np.testing.assert_array_equal(third, small_posterior.draws[5, 1000:1500, 1])
    assert "slope" not in tree["posterior"]


def test_a_datatree_holds_the_slopes_too(small_posterior: FamilyPosterior) -> None:
    post = replace(small_posterior, slopes=2.0 * small_posterior.draws)
    posterior = post.to_datatree()["posterior"]
    np.testing.assert_array_equal(posterior["slope"], 2.0 * posterior["alpha"])


def test_without_xarray_the_remedy_is_told(
    small_posterior: FamilyPosterior, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with refused() as error:
        small_posterior.to_datatree()
    message(error, "lvkit[xarray]")


def test_a_notebook_shows_sizes_diagnostics_and_names_escaped(
    small_posterior: FamilyPosterior, message: Message
) -> None:
    names = ("<b>", *small_posterior.families[1:])
    html = replace(small_posterior, families=names)._repr_html_()
    message(html, "12", "2", "2000", "4")
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
