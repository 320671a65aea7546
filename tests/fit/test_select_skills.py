from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.fit.select_skills import criteria, skill_range
from lvkit.tools.progress import NoProgress

# Design, section 2: marginal log-likelihoods for K = 1 to 7, default settings, seed 0; and what
# this library found when the test was written, from which it must not fall back.
DESIGNED = {
    "complete": [1520.7, 1706.8, 1759.5, 1816.4, 1840.8, 1853.9, 1863.8],
    "leaderboard": [2536.1, 2865.7, 2931.5, 3014.5, 3040.0, 3063.2, 3075.0],
}
MEASURED = {
    "complete": [1520.73, 1706.79, 1761.51, 1816.42, 1841.43, 1854.67, 1865.01],
    "leaderboard": [2536.07, 2865.68, 2944.73, 3014.53, 3049.65, 3065.52, 3078.31],
}
N_PARAMS = [39, 53, 66, 78, 89, 99, 108]


@pytest.fixture(scope="module", params=["complete", "leaderboard"])
def found(request: pytest.FixtureRequest) -> Any:
    """The embedded data's name and the selection on them, K = 1 to 7."""
    panel = request.getfixturevalue(request.param)
    return request.param, lv.select_skills(panel, range(1, 8))


@pytest.mark.slow
def test_every_number_of_skills_reaches_the_known_log_likelihood(found: Any) -> None:
    name, selection = found
    loglik = selection.table["loglik"].to_numpy()
    tolerance = np.array([0.3] * 4 + [3.0] * 3)
    assert (loglik > np.array(DESIGNED[name]) - tolerance).all(), loglik
    assert (loglik > np.array(MEASURED[name]) - 0.1).all(), loglik


@pytest.mark.slow
def test_the_log_likelihood_never_falls_as_skills_are_added(found: Any) -> None:
    _, selection = found
    assert (np.diff(selection.table["loglik"]) > 0.0).all()


@pytest.mark.slow
def test_parameters_are_counted_as_in_the_paper(found: Any) -> None:
    _, selection = found
    assert selection.table["n_params"].tolist() == N_PARAMS
    assert selection.table["converged"].all()


@pytest.mark.slow
def test_aic_falls_steeply_to_four_skills_and_then_flattens(found: Any) -> None:
    _, selection = found
    aic = selection.table["aic"]
    assert (aic.diff().loc[2:4] < -50.0).all()
    assert aic.diff().loc[5:7].abs().max() < 50.0


# -- on a small panel ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(small_panel: lv.Panel) -> Any:
    model = lv.LatentSkillModel(features="log_params + log_tokens")
    return model, lv.select_skills(small_panel, range(1, 4), model)


def test_the_table_has_a_row_for_each_number_of_skills(small: Any) -> None:
    _, selection = small
    table = selection.table
    assert table.index.name == "K"
    assert table.index.tolist() == [1, 2, 3]
    assert list(table.columns) == [
        *("loglik", "n_params", "aic", "bic", "delta_aic", "weight", "seconds", "converged")
    ]
    assert (table["seconds"] > 0.0).all()


def test_weights_sum_to_one_and_the_best_has_no_delta(small: Any) -> None:
    _, selection = small
    assert selection.table["weight"].sum() == pytest.approx(1.0)
    assert selection.table["delta_aic"].min() == 0.0


def test_every_candidate_is_kept(small: Any) -> None:
    _, selection = small
    assert sorted(selection.fits) == [1, 2, 3]
    for k, fit in selection.fits.items():
        assert len(fit.skills) == k
        assert fit.loglik == selection.table.loc[k, "loglik"]


def test_the_best_is_that_of_the_lowest_criterion(small: Any) -> None:
    _, selection = small
    for criterion in ("aic", "bic"):
        best = selection.fits[int(selection.table[criterion].idxmin())]
        assert selection.best(criterion) is best
    assert selection.best() is selection.best("aic")


def test_an_unknown_criterion_is_refused(small: Any, message: Message) -> None:
    with refused("criterion", "loglik", "aic", "bic") as error:
        small[1].best("loglik")
    message(error)


def test_a_selection_is_shown_as_a_table(small: Any) -> None:
    html = small[1]._repr_html_()
    assert html.count("<tr") == 5
    assert "delta_aic" in html


def test_a_fit_by_itself_reaches_what_the_selection_found(
    small: Any, small_panel: lv.Panel
) -> None:
    for k, fit in small[1].fits.items():
        alone = lv.LatentSkillModel(n_skills=k, features="log_params + log_tokens")
        assert fit.loglik > alone.fit(small_panel).loglik - 0.02


def test_every_start_is_reported(small: Any) -> None:
    starts = small[1].fits[3].starts
    assert starts.index[0] == "principal"
    assert any(name.startswith("grown") for name in starts.index)
    assert starts.index[-1].endswith("polished")


def test_the_models_settings_serve_every_number_of_skills(small_panel: lv.Panel) -> None:
    model = lv.LatentSkillModel(features="log_params", floor="chance", clip=0.01)
    selection = lv.select_skills(small_panel, [1, 2], model)
    for fit in selection.fits.values():
        assert (fit.model.features, fit.model.floor, fit.model.clip) == (
            "log_params",
            "chance",
            0.01,
        )


def test_given_anchors_serve_the_number_of_skills_they_are_for(small_panel: lv.Panel) -> None:
    anchors = {"general": "mmlu", "instruction": "ifeval"}
    model = lv.LatentSkillModel(anchors=anchors, features="log_params")
    selection = lv.select_skills(small_panel, [1, 2], model)
    assert selection.fits[2].anchors == anchors
    assert selection.fits[1].skills == ("general",)


def test_numbers_may_come_in_any_order_and_with_gaps(small_panel: lv.Panel) -> None:
    model = lv.LatentSkillModel(features="log_params")
    selection = lv.select_skills(small_panel, iter([3, 1, 1]), model)
    assert selection.table.index.tolist() == [1, 3]


@pytest.mark.slow
def test_one_worker_and_two_choose_identically(small_panel: lv.Panel, small: Any) -> None:
    model, one = small
    two = lv.select_skills(small_panel, range(1, 4), model, n_jobs=2)
    assert two.table["loglik"].tolist() == one.table["loglik"].tolist()
    for k in (1, 2, 3):
        np.testing.assert_array_equal(two.fits[k].params.loadings, one.fits[k].params.loadings)


def test_the_selection_so_far_is_reported_after_each_number_of_skills(
    small_panel: lv.Panel,
) -> None:
    reported: list[lv.Selection] = []
    model = lv.LatentSkillModel(features="log_params")
    last = lv.select_skills(small_panel, [1, 2], model, report=reported.append)
    assert [list(selection.fits) for selection in reported] == [[1], [1, 2]]
    assert reported[0].fits[1] is last.fits[1]
    assert reported[0].table["weight"].tolist() == [1.0]
    pd.testing.assert_frame_equal(reported[1].table, last.table)


def test_progress_reaches_its_total(small_panel: lv.Panel) -> None:
    from tqdm import tqdm

    bars = []

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            bars.append(self)

    model = lv.LatentSkillModel(features="log_params")
    lv.select_skills(small_panel, [1, 2], model, progress=Bar)
    ((n, total),) = {(bar.n, bar.total) for bar in bars}
    assert n == total > 2


def test_each_step_of_a_climb_is_shown_and_can_stop_the_work(small_panel: lv.Panel) -> None:
    class Bar(NoProgress):
        shown: ClassVar[list[str]] = []
        moved: ClassVar[list[int]] = []

        def __init__(self, *, total: int | None, desc: str) -> None:
            self.label = desc

        def update(self, n: int = 1) -> None:
            self.moved.append(n)

        def set_postfix_str(self, s: str = "") -> None:
            self.shown.append(s)
            if len(self.shown) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lv.select_skills(small_panel, [1], lv.LatentSkillModel(), progress=Bar)
    assert Bar.moved == []
    assert len(Bar.shown) == 3
    assert all(text.startswith("K = 1, log-likelihood ") for text in Bar.shown)


def test_parts_of_a_large_panel_are_climbed_in_the_looks_alone(
    small_panel: lv.Panel, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    for module in ("mml", "objective"):
        monkeypatch.setattr(f"lvkit.estimation.{module}.LARGE", 50)
    monkeypatch.setattr("lvkit.estimation.objective._FIRST", 60)
    monkeypatch.setattr("lvkit.estimation.objective._LEAST", 5)
    shown: list[str] = []

    class Bar(NoProgress):
        def __init__(self, **_: Any) -> None:
            super().__init__()

        def set_postfix_str(self, s: str = "") -> None:
            shown.append(s)

    fit = lv.select_skills(small_panel, [1], progress=Bar).fits[1]
    message(shown, "1")
    assert not any("nan" in text for text in shown)
    assert fit.converged
    assert np.isfinite(fit.trace["loglik"]).all()


@pytest.mark.parametrize("numbers", [[0], [1, -2], [1.5], ["two"], ["1", 2]])
def test_numbers_of_skills_that_are_none_are_refused(
    numbers: Any, small_panel: lv.Panel, message: Message
) -> None:
    with refused("n_skills", "1") as error:
        lv.select_skills(small_panel, numbers)
    message(error)


def test_a_single_number_is_refused_with_what_was_expected(small_panel: lv.Panel) -> None:
    with pytest.raises(lv.LvkitError, match="n_skills"):
        lv.select_skills(small_panel, 3)  # type: ignore[arg-type]


def test_no_numbers_are_refused(small_panel: lv.Panel, message: Message) -> None:
    with refused("n_skills") as error:
        lv.select_skills(small_panel, [])
    message(error)


def test_too_many_skills_are_refused_before_anything_is_fitted(
    small_panel: lv.Panel, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a fit began, and would have been lost")

    monkeypatch.setattr("lvkit.fit.select_skills.climb_from", never)
    with refused("n_skills", "7", "6") as error:
        lv.select_skills(small_panel, range(1, 8), lv.LatentSkillModel(features="log_params"))
    message(error)


def test_family_slopes_are_refused_with_the_remedy(small_panel: lv.Panel, message: Message) -> None:
    model = lv.LatentSkillModel(family_slopes="log_params")
    with refused("select_skills") as error:
        lv.select_skills(small_panel, [1], model)
    message(error)


def test_what_is_no_panel_is_refused(message: Message) -> None:
    with refused("panel") as error:
        lv.select_skills("mine.csv")  # type: ignore[arg-type]
    message(error)


# -- which numbers --------------------------------------------------------------------------------


def test_as_many_skills_as_benchmarks_are_in_range(leaderboard: lv.Panel) -> None:
    assert skill_range(leaderboard, most=3) == range(1, 4)
    assert skill_range(leaderboard, most=70) == range(1, 13)
    assert skill_range(leaderboard.select(benchmarks=["mmlu", "bbh"])) == range(1, 3)


def thin(small_panel: lv.Panel) -> lv.Panel:
    """A benchmark with five scores bears three loadings, an intercept and a precision."""
    table = small_panel.to_frame()
    table.loc[5:, "ifeval"] = np.nan
    return lv.Panel.from_frame(table)


def test_a_benchmark_with_few_scores_limits_the_skills_with_a_warning(
    small_panel: lv.Panel, message: Message
) -> None:
    with pytest.warns(lv.LvkitWarning) as reported:
        assert skill_range(thin(small_panel)) == range(1, 4)
    text = str(reported[0].message)
    message(text, "3", "ifeval", "6", "4")


def test_a_choice_of_skills_reports_what_limits_it(small_panel: lv.Panel, message: Message) -> None:
    table = small_panel.to_frame()
    table.loc[3:, "ifeval"] = np.nan
    few, model = lv.Panel.from_frame(table), lv.LatentSkillModel(features="log_params")
    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        assert list(lv.select_skills(few, model=model).fits) == [1]
    (text,) = [str(w.message) for w in reported if "'ifeval'" in str(w.message)]
    message(text, "1")


def test_few_scores_in_all_limit_the_skills_with_a_warning(
    small_panel: lv.Panel, message: Message
) -> None:
    four = small_panel.select(models=small_panel.models.index[[0, 1, 2, -1]])
    with pytest.warns(lv.LvkitWarning) as caught:
        assert skill_range(four, lv.LatentSkillModel(features="log_params")) == range(1, 2)
    message(caught, "1", "24")


def test_data_that_bear_no_skill_are_refused(small_panel: lv.Panel) -> None:
    two = small_panel.select(models=small_panel.models.index[[0, -1]])
    with pytest.raises(lv.LvkitError, match="parameters"):
        skill_range(two, lv.LatentSkillModel(features="log_params"))


@pytest.mark.parametrize("most", [0, 2.5, "many"])
def test_a_largest_number_that_is_none_is_refused(
    most: Any, small_panel: lv.Panel, message: Message
) -> None:
    with refused("most", "1") as error:
        skill_range(small_panel, most=most)
    message(error)


def test_without_numbers_all_that_the_data_can_bear_are_tried(small_panel: lv.Panel) -> None:
    some = small_panel.select(benchmarks=["mmlu", "gsm8k"])
    selection = lv.select_skills(some, model=lv.LatentSkillModel(features="log_params"))
    assert selection.table.index.tolist() == [1, 2]


# -- fits side by side ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fits(small_panel: lv.Panel) -> list[lv.Fit]:
    models = [
        lv.LatentSkillModel(n_skills=1, features="log_params + log_tokens"),
        lv.LatentSkillModel(n_skills=1, features="log_params + log_tokens", floor="chance"),
        lv.LatentSkillModel(n_skills=2, features="log_params"),
    ]
    return [model.fit(small_panel) for model in models]


def test_fits_are_compared_in_one_table(fits: list[lv.Fit]) -> None:
    table = lv.compare(fits)
    assert table.index.tolist() == [0, 1, 2]
    assert list(table.columns) == [
        *("skills", "features", "family_slopes", "floor"),
        *("loglik", "n_params", "aic", "bic", "delta_aic", "weight"),
    ]
    assert table["skills"].tolist() == [1, 1, 2]
    assert table["floor"].tolist() == ["none", "chance", "none"]
    assert table["loglik"].tolist() == [fit.loglik for fit in fits]


def test_akaike_weights_sum_to_one_and_follow_the_criterion(fits: list[lv.Fit]) -> None:
    table = lv.compare(fits)
    assert table["weight"].sum() == pytest.approx(1.0)
    assert table["delta_aic"].min() == 0.0
    assert table["weight"].idxmax() == table["aic"].idxmin()
    ratio = table["weight"][1] / table["weight"][0]
    assert ratio == pytest.approx(np.exp(0.5 * (table["aic"][0] - table["aic"][1])))


def test_criteria_far_apart_give_weights_without_overflow(fits: list[lv.Fit]) -> None:
    far = [fits[0], replace(fits[0], loglik=fits[0].loglik - 1e5)]
    assert criteria(far, lv.compare(far).index)["weight"].tolist() == [1.0, 0.0]


def test_one_fit_may_be_compared_with_itself(fits: list[lv.Fit]) -> None:
    assert lv.compare(fits[:1])["weight"].tolist() == [1.0]


def test_the_order_of_a_tables_rows_does_not_matter(
    fits: list[lv.Fit], small_panel: lv.Panel
) -> None:
    turned = lv.Panel.from_frame(
        small_panel.to_frame().iloc[::-1], benchmarks=small_panel.benchmarks
    )
    assert len(lv.compare([fits[0], fits[0].model.fit(turned)])) == 2


def test_nothing_to_compare_is_refused(message: Message) -> None:
    with refused("compare") as error:
        lv.compare([])
    message(error)


def test_fits_with_different_clips_are_refused(
    fits: list[lv.Fit], small_panel: lv.Panel, message: Message
) -> None:
    other = replace(fits[0].model, clip=0.01).fit(small_panel)
    with refused("fit 1", "0.01", "0", "0.0025") as error:
        lv.compare([fits[0], other])
    message(error)


def test_fits_of_other_models_are_refused(
    fits: list[lv.Fit], small_panel: lv.Panel, message: Message
) -> None:
    fewer = small_panel.select(families=small_panel.families[:-1])
    other = fits[0].model.fit(fewer)
    with refused("fit 1", "0", "216", "36") as error:
        lv.compare([fits[0], other])
    message(error)


def test_fits_of_other_scores_of_the_same_models_are_refused(
    fits: list[lv.Fit], small_panel: lv.Panel, message: Message
) -> None:
    table = small_panel.to_frame()
    table.loc[0, "mmlu"] += 0.001
    other = fits[0].model.fit(lv.Panel.from_frame(table, benchmarks=small_panel.benchmarks))
    with refused("fit 1") as error:
        lv.compare([fits[0], other])
    message(error)


def test_fits_whose_features_keep_other_models_are_refused(
    leaderboard: lv.Panel, message: Message
) -> None:
    some = leaderboard.select(benchmarks=["mmlu", "arc", "gsm8k"])
    one, other = (
        lv.LatentSkillModel(n_skills=1, features=features).fit(some)
        for features in ("log_params", "log_params + log_tokens")
    )
    with refused("fit 1") as error:
        lv.compare([one, other])
    message(error)
