from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.planning.within_between import SLOPES, WithinBetween, within_between

FEATURES = "log_params + log_tokens"
WITHIN, CONTEXTUAL = np.array([0.5, 1.2]), np.array([1.5, -0.8])


def truth(slopes: np.ndarray) -> lv.Parameters:
    """Two skills on five benchmarks."""
    return lv.Parameters(
        loadings=np.array([[0.9, 0.0], [0.0, 0.8], [0.7, 0.4], [0.3, 0.7], [0.6, 0.5]]),
        intercepts=np.zeros(5),
        precisions=np.full(5, 200.0),
        floors=np.zeros(5),
        slopes=slopes,
        correlation=np.array([[1.0, 0.3], [0.3, 1.0]]),
    )


def recipes(n_families: int = 80, seed: int = 0) -> pd.DataFrame:
    """Four models a family, whose tokens differ as much within families as between them."""
    rng = np.random.default_rng(seed)
    models = lv.simulate_models(n_families, 4, seed=seed)
    middle = np.repeat(rng.uniform(-0.5, 0.5, n_families), 4)
    logs = middle + rng.uniform(-0.5, 0.5, len(models))
    models["tokens_t"] = 10.0**logs
    models["family_mean"] = (
        pd.Series(logs, models.index).groupby(models["family"]).transform("mean")
    )
    return models


def fitted(slopes: np.ndarray, seed: int = 0) -> lv.Fit:
    """A fit that knows nothing of the means by which the skills were drawn."""
    panel = lv.simulate(truth(slopes), recipes(seed=seed), features=f"{FEATURES} + family_mean",
                        seed=seed)  # fmt: skip
    anchors = {"first": "bench_1", "second": "bench_2"}
    return lv.LatentSkillModel(anchors=anchors, features=FEATURES).fit(panel)


@pytest.fixture(scope="module")
def different() -> WithinBetween:
    return within_between(fitted(np.column_stack([[1.0, 1.0], WITHIN, CONTEXTUAL])))


@pytest.fixture(scope="module")
def alike() -> WithinBetween:
    return within_between(fitted(np.array([[1.0, 0.5, 0.0], [1.0, 1.2, 0.0]])))


def slope(check: WithinBetween, name: str) -> pd.DataFrame:
    return check.table.xs(name, level="slope")


@pytest.mark.parametrize(
    ("name", "true"),
    [("within", WITHIN), ("contextual", CONTEXTUAL), ("between", WITHIN + CONTEXTUAL)],
)
def test_both_slopes_are_recovered_where_they_differ(
    different: WithinBetween, name: str, true: np.ndarray
) -> None:
    found = slope(different, name)
    assert (found["ci_lower"] < true).all()
    assert (true < found["ci_upper"]).all()
    assert (found["std_error"] < 0.4).all()


def test_the_pooled_slope_is_that_of_the_fit_and_in_logits_lies_between(
    different: WithinBetween,
) -> None:
    pooled = slope(different, "pooled")["estimate"]
    np.testing.assert_allclose(pooled, different.fit.slopes["log_tokens"])
    before, after = (
        np.diag(fit.loadings.loc[list(fit.anchors.values())])
        for fit in (different.fit, different.refit)
    )
    ends = different.table["estimate"].unstack("slope")[["within", "between"]].mul(after, axis=0)
    assert (ends.min(axis=1) < pooled * before).all()
    assert (pooled * before < ends.max(axis=1)).all()


def test_slopes_that_differ_are_told_apart(different: WithinBetween, message: Message) -> None:
    assert different.p_value < 1e-4
    assert different.dof == 2
    message(different.words[2])
    assert "p < 0.001" in different.words[2]


def test_slopes_that_agree_are_not_told_apart(alike: WithinBetween, message: Message) -> None:
    assert alike.p_value > 0.05
    message(alike.words[2])
    found = slope(alike, "contextual")
    assert (found["ci_lower"] < 0.0).all()
    assert (found["ci_upper"] > 0.0).all()


def test_the_wald_statistic_is_near_twice_the_gain_in_log_likelihood(alike: WithinBetween) -> None:
    gain = 2.0 * (alike.refit.loglik - alike.fit.loglik)
    assert alike.statistic == pytest.approx(gain, rel=0.15)


def test_within_and_contextual_add_up_to_between(different: WithinBetween) -> None:
    table = different.table["estimate"].unstack("slope")
    np.testing.assert_allclose(table["within"] + table["contextual"], table["between"])
    assert list(different.table.loc["first"].index) == list(SLOPES)


def test_the_refit_has_the_settings_of_the_fit_and_one_feature_more(
    different: WithinBetween,
) -> None:
    fit, refit = different.fit, different.refit
    assert refit.anchors == fit.anchors
    assert refit.prepared.models == fit.prepared.models
    assert refit.n_params == fit.n_params + len(fit.skills)
    assert lv.compare([fit, refit])["delta_aic"].idxmin() == 1


def test_a_column_called_like_the_means_stays_what_it_is(different: WithinBetween) -> None:
    models = different.refit.panel.models
    assert different.refit.feature_names[-1] == "family_mean_"
    pd.testing.assert_series_equal(models["family_mean"], different.fit.panel.models["family_mean"])


def test_every_family_varies_in_data_drawn_so(different: WithinBetween) -> None:
    assert (different.n_varying, different.n_families) == (80, 80)
    values = np.log10(different.fit.panel.models["tokens_t"])
    families = different.fit.panel.models["family"]
    share = values.groupby(families).var(ddof=0).mean() / values.var(ddof=0)
    assert different.share_within == pytest.approx(share)


def test_the_words_say_that_slopes_are_associational(
    different: WithinBetween, message: Message
) -> None:
    message(different.words[0], "80")
    message(different.words[-1])


def test_a_notebook_shows_the_table_and_the_words(
    different: WithinBetween, message: Message
) -> None:
    html = different._repr_html_()
    assert "contextual" in html
    assert "associational" in html
    message(repr(different), "log_tokens", "80")


@pytest.fixture(scope="module")
def embedded(complete: lv.Panel) -> lv.Fit:
    model = lv.LatentSkillModel(n_skills=1, features="log_params * log_tokens + instruct")
    return model.fit(complete)


def test_with_a_product_a_slope_is_that_at_the_mean_of_the_other_feature(embedded: lv.Fit) -> None:
    check = within_between(embedded)
    models = embedded.panel.models.loc[list(embedded.prepared.models)]
    size = np.log10(models["params_b"]).mean()
    for name, fit in (("pooled", embedded), ("within", check.refit)):
        expected = fit.slopes["log_tokens"] + size * fit.slopes["log_params:log_tokens"]
        np.testing.assert_allclose(slope(check, name)["estimate"], expected, rtol=1e-6)


def test_few_families_vary_in_tokens_in_the_embedded_data(
    leaderboard: lv.Panel, message: Message
) -> None:
    check = within_between(lv.LatentSkillModel(n_skills=1).fit(leaderboard))
    assert (check.n_varying, check.n_families) == (19, 67)
    message(check.words[0])


def test_size_is_checked_as_tokens_are(embedded: lv.Fit, message: Message) -> None:
    check = within_between(embedded, "log_params", level=0.9)
    assert check.n_varying > 20
    message(check.words[0])
    wide = within_between(embedded, "log_params", level=0.99)
    assert (wide.table["ci_upper"] > check.table["ci_upper"]).all()


@pytest.mark.filterwarnings("ignore:the data do not determine:lvkit.LvkitWarning")
def test_slopes_of_a_familys_own_and_estimated_floors_are_kept(small_panel: lv.Panel) -> None:
    model = lv.LatentSkillModel(n_skills=1, features="log_params + log_tokens", floor="estimate",
                                family_slopes="log_params")  # fmt: skip
    check = within_between(model.fit(small_panel))
    assert check.refit.params.slope_sd is not None
    assert check.refit.model.floor == "estimate"
    assert np.isfinite(check.statistic)


@pytest.mark.parametrize(
    "feature",
    [
        "log_token",
        "year",
        "instruct",
    ],
)
def test_a_feature_that_cannot_be_checked_is_refused(
    embedded: lv.Fit, feature: str, message: Message
) -> None:
    with refused("feature") as error:
        within_between(embedded, feature)
    message(error)


def with_columns(panel: lv.Panel) -> lv.Panel:
    table = panel.to_frame()
    table["big"] = np.where(table["params_b"] > 8, "big", "small")
    table["rank"] = table.groupby("family")["params_b"].rank()
    table = table[table.groupby("family")["model"].transform("size") > 1]
    table["balanced"] = table["rank"] - table.groupby("family")["rank"].transform("mean")
    return lv.Panel.from_frame(table)


@pytest.mark.parametrize(
    ("formula", "feature"),
    [
        ("big + log_tokens", "big"),
        ("C(params_b > 8) + log_tokens", "params_b"),
        ("balanced", "balanced"),
    ],
)
def test_a_category_or_a_feature_without_two_kinds_of_slope_is_refused(
    complete: lv.Panel, formula: str, feature: str, message: Message
) -> None:
    model = lv.LatentSkillModel(n_skills=1, features=formula)
    with refused("feature") as error:
        within_between(model.fit(with_columns(complete)), feature)
    message(error)


def test_differences_that_are_not_determined_are_no_test(message: Message) -> None:
    check = WithinBetween(
        feature="log_tokens", table=pd.DataFrame(), n_varying=1, n_families=9, share_within=0.1,
        statistic=float("nan"), p_value=float("nan"), dof=0, level=0.95, fit=None, refit=None,
    )  # type: ignore[arg-type]  # fmt: skip
    message(check._verdict())
