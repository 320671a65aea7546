from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.estimation import estimate
from lvkit.estimation.mml import MarginalNewton
from lvkit.estimation.objective import Objective
from lvkit.tools.parallel import in_threads

TWO = "log_params + log_tokens"


def refusal(panel: Any, model: lv.LatentSkillModel, **options: Any) -> str:
    with pytest.raises(lv.LvkitError) as caught:
        model.fit(panel, **options)
    return str(caught.value)


def edited(panel: lv.Panel, **columns: Any) -> lv.Panel:
    return lv.Panel.from_frame(panel.to_frame().assign(**columns), benchmarks=panel.benchmarks)


# -- the numbers to reach: design, section 2 -----------------------------------------------------

# Marginal log-likelihood by number of skills, default settings; in the second place what this
# library found when the test was written, from which it must not fall back.
COMPLETE = {1: (1520.7, 1520.73), 2: (1706.8, 1706.79), 3: (1759.5, 1761.51), 4: (1816.4, 1816.42)}
ALL = {1: (2536.1, 2536.07), 2: (2865.7, 2865.68), 3: (2931.5, 2944.73), 4: (3014.5, 3014.53)}


@pytest.mark.parametrize("n_skills", [1, 2, 3, 4])
@pytest.mark.parametrize(("data", "numbers"), [("complete", COMPLETE), ("leaderboard", ALL)])
def test_a_fit_reaches_the_known_log_likelihood(
    data: str, numbers: dict[int, Any], n_skills: int, request: pytest.FixtureRequest
) -> None:
    fit = lv.LatentSkillModel(n_skills=n_skills).fit(request.getfixturevalue(data))
    designed, measured = numbers[n_skills]
    assert fit.converged
    assert fit.loglik > designed - 0.3
    assert fit.loglik > measured - 0.1


def test_the_embedded_data_are_as_large_as_the_design_says(
    complete: lv.Panel, paper_fit: lv.Fit
) -> None:
    assert (paper_fit.n_models, paper_fit.n_families, paper_fit.n_scores) == (184, 67, 1_566)
    assert paper_fit.n_params == 78
    fit = lv.LatentSkillModel(n_skills=1).fit(complete)
    assert (fit.n_models, fit.n_families, fit.n_scores) == (77, 31, 924)


@pytest.mark.parametrize(("data", "designed"), [("complete", 1808.0), ("leaderboard", 2962.7)])
def test_chance_floors_reach_the_known_log_likelihood(
    data: str, designed: float, paper_anchors: dict[str, str], request: pytest.FixtureRequest
) -> None:
    model = lv.LatentSkillModel(anchors=paper_anchors, floor="chance")
    fit = model.fit(request.getfixturevalue(data))
    assert fit.converged
    assert fit.n_params == 78
    assert fit.loglik > designed - 0.3
    assert fit.params.floors.tolist() == fit.prepared.chance.tolist()


def test_estimated_floors_fit_at_least_as_well_as_none_and_as_chance(
    complete: lv.Panel, paper_anchors: dict[str, str]
) -> None:
    model = lv.LatentSkillModel(anchors=paper_anchors, floor="estimate")
    fit = model.fit(complete)
    # No floor 1816.4, chance floors 1808.0: design, section 1.
    assert fit.loglik > 1816.4 - 0.1
    assert fit.n_params == 78 + 9  # nine benchmarks have a chance level
    floors, chance = fit.params.floors, fit.prepared.chance
    assert (floors >= 0.0).all()
    assert (floors <= chance).all()
    assert (floors[chance == 0.0] == 0.0).all()


@pytest.mark.parametrize(("data", "designed"), [("complete", 1855.5), ("leaderboard", 3027.1)])
@pytest.mark.slow
def test_slopes_that_differ_between_families_reach_the_known_log_likelihood(
    data: str, designed: float, paper_anchors: dict[str, str], request: pytest.FixtureRequest
) -> None:
    model = lv.LatentSkillModel(anchors=paper_anchors, floor="chance", family_slopes="log_params")
    fit = model.fit(request.getfixturevalue(data))
    assert fit.converged, fit.message
    assert fit.n_params == 78 + 4
    assert fit.loglik > designed - 0.5


# -- what fit refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize("panel", [None, "mine.csv", pd.DataFrame({"mmlu": [0.5]})])
def test_what_is_no_panel_is_refused(panel: Any, message: Message) -> None:
    text = refusal(panel, lv.LatentSkillModel(n_skills=1))
    message(text, type(panel).__name__)
    assert "lv.read_panel" in text


def test_no_number_of_skills_is_refused_with_the_remedy(
    small_panel: lv.Panel, message: Message
) -> None:
    text = refusal(small_panel, lv.LatentSkillModel())
    message(text, "n_skills")
    assert "select_skills" in text


def test_more_skills_than_benchmarks_are_refused(small_panel: lv.Panel, message: Message) -> None:
    text = refusal(small_panel, lv.LatentSkillModel(n_skills=7))
    message(text, "n_skills", "7", "6")


def test_benchmarks_without_scores_do_not_count_for_the_number_of_skills(
    leaderboard: lv.Panel, message: Message
) -> None:
    panel = leaderboard.select(families=["codegen-nl", "codellama", "falcon-rw"])
    n_measured = int(panel.scores.notna().any().sum())
    assert n_measured == 6
    text = refusal(panel, lv.LatentSkillModel(n_skills=7, features="log_params"))
    message(text, "7", "6")


def test_an_unknown_anchor_is_refused_with_the_nearest_name(
    small_panel: lv.Panel, message: Message
) -> None:
    text = refusal(small_panel, lv.LatentSkillModel(anchors={"common": "helaswag"}))
    message(text, "common", "helaswag", "hellaswag")


def test_the_same_anchor_twice_is_refused(small_panel: lv.Panel, message: Message) -> None:
    text = refusal(small_panel, lv.LatentSkillModel(anchors={"a": "bbh", "b": "bbh"}))
    message(text, "bbh", "2")


def test_an_anchor_without_a_score_is_refused(small_panel: lv.Panel, message: Message) -> None:
    text = refusal(small_panel, lv.LatentSkillModel(anchors={"a": "musr"}))
    message(text, "musr")


def test_a_benchmark_that_never_varies_is_refused(small_panel: lv.Panel, message: Message) -> None:
    text = refusal(edited(small_panel, bbh=0.4), lv.LatentSkillModel(n_skills=1))
    message(text, "bbh", "0.4")


def test_one_family_is_refused(small_panel: lv.Panel, message: Message) -> None:
    one = small_panel.select(families=small_panel.families[0])
    message(refusal(one, lv.LatentSkillModel(n_skills=1, features="log_params")), "1")


@pytest.mark.parametrize(
    ("column", "quoted"),
    [
        (1.0, []),
        (None, ["log_params"]),
    ],
    ids=["constant", "collinear"],
)
def test_a_feature_that_says_nothing_is_refused(
    column: Any, quoted: list[str], small_panel: lv.Panel, message: Message
) -> None:
    values = column or 3.0 - 2.0 * np.log10(small_panel.models["params_b"].to_numpy())
    panel = edited(small_panel, extra=values)
    model = lv.LatentSkillModel(n_skills=1, features="log_params + extra")
    message(refusal(panel, model), "extra", *quoted)


def test_fewer_scores_than_parameters_are_refused(small_panel: lv.Panel, message: Message) -> None:
    few = small_panel.select(families=small_panel.families[:2])
    text = refusal(few, lv.LatentSkillModel(n_skills=5, features="log_params"))
    message(text, few.n_scores)


@pytest.mark.parametrize("method", ["mle", "MML", None])
def test_an_unknown_method_is_refused(method: Any, small_panel: lv.Panel) -> None:
    text = refusal(small_panel, lv.LatentSkillModel(n_skills=1), method=method)
    assert f"method: got {method!r}; expected 'mml' or 'psga'" in text


@pytest.mark.parametrize("starts", [0, -1, 1.5, "2"])
def test_a_number_of_starts_that_is_none_is_refused(
    starts: Any, small_panel: lv.Panel, message: Message
) -> None:
    text = refusal(small_panel, lv.LatentSkillModel(n_skills=1), starts=starts)
    message(text, starts, "1")


@pytest.mark.parametrize("seed", [-1, 1.5, "zero"])
def test_a_seed_that_is_none_is_refused(seed: Any, small_panel: lv.Panel) -> None:
    assert "seed" in refusal(small_panel, lv.LatentSkillModel(n_skills=1), seed=seed)


@pytest.mark.parametrize("benchmark", ["bbh", "gsm8k"])
def test_a_benchmark_with_two_scores_is_fitted_or_refused(
    benchmark: str, small_panel: lv.Panel
) -> None:
    # Two scores can be met exactly: their precision has no finite estimate.
    column = [0.3, 0.4] + [np.nan] * (small_panel.n_models - 2)
    panel = edited(small_panel, **{benchmark: column})
    fit = None
    with contextlib.suppress(lv.LvkitError):
        fit = lv.LatentSkillModel(n_skills=1, features="log_params").fit(panel)
    assert fit is None or np.isfinite(fit.loglik)


# -- what fit takes as it comes ------------------------------------------------------------------


def test_models_without_tokens_stay_in_the_panel_and_are_listed(
    leaderboard: lv.Panel, paper_fit: lv.Fit
) -> None:
    assert paper_fit.panel is leaderboard
    assert paper_fit.panel.n_models == 197
    assert len(paper_fit.dropped) == 13
    assert paper_fit.dropped.index.name == "model"
    assert paper_fit.dropped["reason"].eq("lacks tokens_t").all()
    assert "qwen1.5-110b" in paper_fit.dropped.index


def test_a_formula_without_tokens_keeps_every_model(leaderboard: lv.Panel) -> None:
    fit = lv.LatentSkillModel(n_skills=1, features="log_params").fit(leaderboard)
    assert fit.n_models == 197
    assert fit.dropped.empty


def test_a_panel_without_tokens_is_fitted_by_size(small_panel: lv.Panel, message: Message) -> None:
    table = small_panel.to_frame().drop(columns="tokens_t")
    panel = lv.Panel.from_frame(table, benchmarks=small_panel.benchmarks)
    assert lv.LatentSkillModel(n_skills=1, features="log_params").fit(panel).converged
    text = refusal(panel, lv.LatentSkillModel(n_skills=1))
    message(text)


def test_scores_of_exactly_zero_and_one_are_fitted(small_panel: lv.Panel, message: Message) -> None:
    scores = small_panel.scores["gsm8k"].to_numpy().copy()
    scores[:3], scores[-3:] = 0.0, 1.0
    with pytest.warns(lv.LvkitWarning) as caught:
        panel = edited(small_panel, gsm8k=scores)
    message(caught)
    fit = lv.LatentSkillModel(n_skills=1, features=TWO).fit(panel)
    assert fit.converged
    assert np.isfinite(fit.loglik)
    assert fit.n_scores == small_panel.n_scores


def test_the_embedded_scores_at_the_bounds_are_clipped(paper_fit: lv.Fit) -> None:
    # 20 MATH and 11 GSM8K scores sit at or near zero: design, section 1.
    low = np.isclose(paper_fit.prepared.table.seen.log_odds, np.log(0.0025 / 0.9975)).sum()
    assert low >= 20


def test_a_benchmark_and_a_model_left_without_scores_are_ignored(leaderboard: lv.Panel) -> None:
    names = ["mmlu", "arc", "hellaswag", "ifeval"]
    panel = leaderboard.select(benchmarks=names)
    bare = panel.scores.isna().all(axis=1)
    some = panel.select(models=[*panel.models.index[:40], *panel.models.index[bare]])
    fit = lv.LatentSkillModel(n_skills=1, features="log_params").fit(some)
    assert fit.n_models == int((~some.scores.isna().all(axis=1)).sum())
    assert set(fit.dropped["reason"]) <= {"has no score"}


# -- starts, seeds and workers -------------------------------------------------------------------


@pytest.mark.parametrize(("effective", "off"), [(40.0, "0.2"), (4.0, "0.5")])
def test_families_whose_integral_rests_on_few_nodes_are_named(
    effective: float,
    off: str,
    small_panel: lv.Panel,
    monkeypatch: pytest.MonkeyPatch,
    message: Message,
) -> None:
    measure = Objective.measure

    def rough(*arguments: Any) -> Any:
        found = measure(*arguments)
        nodes = np.where(np.arange(12) == 3, effective, found.effective_nodes)
        return replace(found, effective_nodes=nodes)

    monkeypatch.setattr(Objective, "measure", rough)
    model = lv.LatentSkillModel(n_skills=1, features=TWO)
    with pytest.warns(lv.LvkitWarning) as caught:
        fit = model.fit(small_panel)
    message(caught, off)
    assert len(caught) == 1
    message(caught[0], fit.families[3])
    assert caught[0].filename == __file__


def test_several_starts_are_reported_with_their_spread(small_panel: lv.Panel) -> None:
    fit = lv.LatentSkillModel(n_skills=2, features=TWO).fit(small_panel, starts=3)
    assert fit.starts.index.tolist() == ["principal", "shaken 1", "shaken 2"]
    assert list(fit.starts.columns) == ["loglik", "converged", "steps", "seconds", "behind"]
    assert fit.starts["behind"].min() == 0.0
    assert fit.starts["converged"].all()
    assert fit.starts["loglik"].max() == pytest.approx(fit.loglik, abs=0.1)
    spread = fit.starts["loglik"].max() - fit.starts["loglik"]
    np.testing.assert_allclose(fit.starts["behind"], spread)


def test_one_start_is_reported_too(small_fit: lv.Fit) -> None:
    assert small_fit.starts.index.tolist() == ["principal"]
    assert small_fit.starts["behind"].tolist() == [0.0]


def test_the_best_of_several_starts_is_kept(
    small_panel: lv.Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = lv.LatentSkillModel(n_skills=2, features=TWO)
    monkeypatch.setitem(estimate.METHODS, "mml", MarginalNewton(max_iterations=4, polish=False))
    fit = model.fit(small_panel, starts=4)
    best = fit.starts["loglik"].max()
    assert fit.starts["behind"].max() > 0.0
    assert fit.loglik == pytest.approx(best, abs=1.0)
    assert fit.converged == bool(fit.starts.loc[fit.starts["loglik"].idxmax(), "converged"])


def test_a_fit_stopped_early_says_that_it_has_not_converged(
    small_panel: lv.Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(estimate.METHODS, "mml", MarginalNewton(max_iterations=2))
    fit = lv.LatentSkillModel(n_skills=2).fit(small_panel)
    assert not fit.converged
    assert "expected further gain" in fit.message or "step limit" in fit.message
    assert "NOT converged" in repr(fit)
    assert not fit.starts["converged"].any()


@pytest.mark.slow
def test_one_worker_and_two_give_identical_numbers(small_panel: lv.Panel) -> None:
    model = lv.LatentSkillModel(n_skills=2, features=TWO)
    one, two = (model.fit(small_panel, starts=3, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert one.loglik == two.loglik
    np.testing.assert_array_equal(one.params.loadings, two.params.loadings)
    assert one.starts["loglik"].tolist() == two.starts["loglik"].tolist()


def test_a_large_panel_is_fitted_on_threads_with_identical_numbers(
    small_panel: lv.Panel, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    for module in ("mml", "objective"):
        monkeypatch.setattr(f"lvkit.estimation.{module}.LARGE", 50)
    monkeypatch.setattr("lvkit.estimation.objective._FIRST", 60)
    monkeypatch.setattr("lvkit.estimation.objective._LEAST", 5)
    monkeypatch.setattr("lvkit.model.score_table._LARGE_TABLE", 50)
    monkeypatch.setattr("lvkit.model.score_table._CHUNK", 40)
    threads = []

    def counted(function: Any, tasks: Any, count: int) -> Any:
        threads.append(count)
        return in_threads(function, tasks, count)

    monkeypatch.setattr("lvkit.model.marginal.in_threads", counted)
    model = lv.LatentSkillModel(n_skills=1, features=TWO)
    one, two, three = (model.fit(small_panel, n_jobs=n_jobs) for n_jobs in (1, 2, 3))
    assert set(threads) == {1, 2, 3}
    assert one.converged
    message(one.message)
    for other in (two, three):
        assert other.loglik == one.loglik
        np.testing.assert_array_equal(other.params.loadings, one.params.loadings)
        np.testing.assert_array_equal(other.trace, one.trace)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        errors = two.summary()
    assert errors.equals(one.summary())


def test_the_workers_are_for_the_starts_where_there_are_several(
    small_panel: lv.Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    hills = []
    climb = MarginalNewton.climb

    def noted(self: Any, objective: Objective, *rest: Any, **options: Any) -> Any:
        hills.append(objective.n_jobs)
        return climb(self, objective, *rest, **options)

    monkeypatch.setattr(MarginalNewton, "climb", noted)
    model = lv.LatentSkillModel(n_skills=1, features=TWO)
    model.fit(small_panel, n_jobs=2)
    model.fit(small_panel, starts=2, n_jobs=2)
    assert hills == [2, 1, 1]


def test_many_families_with_rough_integrals_are_counted_and_the_first_are_named(
    small_panel: lv.Panel, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    measure = Objective.measure

    def rough(*arguments: Any) -> Any:
        return replace(measure(*arguments), effective_nodes=np.full(12, 10.0))

    monkeypatch.setattr(Objective, "measure", rough)
    monkeypatch.setattr(estimate, "_NAMED", 3)
    with pytest.warns(lv.LvkitWarning) as caught:
        lv.LatentSkillModel(n_skills=1, features=TWO).fit(small_panel)
    message(caught, "9")


def test_the_users_own_backend_is_used(small_panel: lv.Panel) -> None:
    model = lv.LatentSkillModel(n_skills=1, features=TWO)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        fit = model.fit(small_panel, starts=2, n_jobs=None)
    assert fit.loglik == model.fit(small_panel, starts=2).loglik


def test_progress_counts_the_starts(small_panel: lv.Panel) -> None:
    from tqdm import tqdm

    bars = []

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            bars.append(self)

    lv.LatentSkillModel(n_skills=1, features=TWO).fit(small_panel, starts=2, progress=Bar)
    assert [(bar.n, bar.total) for bar in bars] == [(2, 2)]


# -- family slopes -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slopes_fit(small_panel: lv.Panel) -> lv.Fit:
    model = lv.LatentSkillModel(n_skills=1, features="log_params", family_slopes="log_params")
    return model.fit(small_panel)


def test_family_slopes_have_a_standard_deviation_for_each_skill(slopes_fit: lv.Fit) -> None:
    assert slopes_fit.params.slope_sd is not None
    assert slopes_fit.params.slope_sd.shape == (1,)
    assert slopes_fit.params.slope_sd[0] >= 0.0
    assert "slope_sd[" in slopes_fit.summary().index[-1]


def test_family_slopes_fit_at_least_as_well_as_none(
    slopes_fit: lv.Fit, small_panel: lv.Panel
) -> None:
    plain = lv.LatentSkillModel(n_skills=1, features="log_params").fit(small_panel)
    assert slopes_fit.loglik > plain.loglik - 0.05
    assert slopes_fit.n_params == plain.n_params + 1


def test_anchors_that_lvkit_chose_for_family_slopes_are_kept_with_the_model(
    slopes_fit: lv.Fit,
) -> None:
    assert slopes_fit.model.anchors == slopes_fit.anchors


def test_a_fit_with_family_slopes_cannot_be_re_anchored(
    slopes_fit: lv.Fit, message: Message
) -> None:
    with refused("reanchor") as error:
        slopes_fit.reanchor({"general": "mmlu"})
    message(error)


def test_a_fit_with_family_slopes_has_scores_and_effects(slopes_fit: lv.Fit) -> None:
    assert slopes_fit.family_effects.shape == (12, 1)
    assert slopes_fit.fitted_scores.to_numpy().min() > 0.0
    assert slopes_fit.skill_scores.notna().all(axis=None)


# -- fitting parts of the data again -------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(small_fit: lv.Fit, small_panel: lv.Panel) -> tuple[lv.Fit, lv.Fit]:
    """A quick fit and a full one to the same part of the small panel."""
    part = small_panel.select(families=[f for f in small_panel.families if f != "qwen2"])
    model = lv.LatentSkillModel(anchors=small_fit.anchors, features=TWO)
    return lv.Fit.of(estimate.refit(small_fit, part)), model.fit(part)


def test_a_quick_refit_reaches_the_top(parts: tuple[lv.Fit, lv.Fit]) -> None:
    quick, full = parts
    assert quick.converged
    assert quick.loglik == pytest.approx(full.loglik, abs=0.1)
    assert (quick.n_models, quick.n_params) == (full.n_models, full.n_params)
    assert quick.starts.index.tolist() == ["earlier fit"]


def test_a_quick_refit_is_within_a_fraction_of_the_standard_errors(
    parts: tuple[lv.Fit, lv.Fit],
) -> None:
    quick, full = parts
    error = full.summary()["std_error"]
    apart = (quick.summary(level=None)["estimate"] - full.summary(level=None)["estimate"]).abs()
    assert error.notna().any()
    assert (apart / error).median() < 0.05
    assert (apart / error).max() < 0.2


def test_a_quick_refit_knows_only_its_own_part(
    parts: tuple[lv.Fit, lv.Fit], small_fit: lv.Fit
) -> None:
    quick, full = parts
    assert quick.families == full.families
    assert "qwen2" not in quick.families
    np.testing.assert_array_equal(quick.feature_means, full.feature_means)
    assert quick.anchors == small_fit.anchors


def test_a_quick_refit_without_a_benchmark_starts_anew(
    small_fit: lv.Fit, small_panel: lv.Panel
) -> None:
    some = small_panel.select(benchmarks=[b for b in small_fit.benchmarks if b != "gsm8k"])
    quick = estimate.refit(small_fit, some)
    assert quick.benchmarks == ("arc", "bbh", "hellaswag", "ifeval", "mmlu")
    assert quick.starts.index.tolist() == ["principal"]
    assert (
        quick.loglik
        == lv.LatentSkillModel(anchors=small_fit.anchors, features=TWO).fit(some).loglik
    )


def test_a_refit_keeps_family_slopes_and_estimated_floors(small_panel: lv.Panel) -> None:
    part = small_panel.select(families=[f for f in small_panel.families if f != "olmo"])
    for settings in ({"family_slopes": "log_params"}, {"floor": "estimate"}):
        model = lv.LatentSkillModel(n_skills=1, features="log_params", **settings)
        fit = model.fit(small_panel)
        quick = estimate.refit(fit, part)
        assert quick.n_params == fit.n_params
        assert (quick.params.slope_sd is None) == (fit.params.slope_sd is None)
        full = lv.LatentSkillModel(anchors=fit.anchors, features="log_params", **settings).fit(part)
        assert quick.loglik == pytest.approx(full.loglik, abs=0.2)
