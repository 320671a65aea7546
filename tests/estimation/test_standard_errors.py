"""Standard errors against what they must be: another program's, finite differences of a likelihood
written down independently, and laws such as that twice the data halve the variances."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused
from independent import by_quadrature

import lvkit as lv
from lvkit.estimation import standard_errors
from lvkit.estimation.standard_errors import Covariance
from lvkit.model.coordinates import choose_markers

KINDS: tuple[Covariance, Covariance] = ("information", "sandwich")
OTHERS = {"maths": "gsm8k", "chat": "truthfulqa", "sense": "winogrande", "knowledge": "mmlu_pro"}
BY_SIZE = "log_params"


def truth(*, n_skills: int = 1, correlation: float = 0.5, **changes: Any) -> lv.Parameters:
    """Six benchmarks, the first of them anchors."""
    loadings = np.random.default_rng(1).uniform(0.3, 0.9, (6, n_skills))
    loadings[:n_skills] = 0.8 * np.eye(n_skills)
    values: dict[str, Any] = {
        "loadings": loadings,
        "intercepts": np.linspace(-0.5, 0.5, 6),
        "precisions": np.full(6, 60.0),
        "floors": np.zeros(6),
        "slopes": np.array([[1.0], [0.5]])[:n_skills],
        "correlation": np.where(np.eye(n_skills, dtype=bool), 1.0, correlation),
    }
    return lv.Parameters(**(values | changes))


def drawn(params: lv.Parameters, families: int, *, seed: int = 0) -> lv.Panel:
    models = lv.simulate_models(families, 3, seed=seed)
    return lv.simulate(params, models, features=BY_SIZE, seed=seed)


def fitted(panel: lv.Panel, **settings: Any) -> lv.Fit:
    names = {"first": "bench_1", "second": "bench_2"}
    anchors = dict(list(names.items())[: settings.pop("n_skills", 1)])
    return lv.LatentSkillModel(anchors=anchors, features=BY_SIZE, **settings).fit(panel)


@pytest.fixture(scope="module")
def one_skill() -> lv.Fit:
    """One skill, and more families than parameters."""
    return fitted(drawn(truth(), 40))


@pytest.fixture(scope="module")
def product_fit(small_panel: lv.Panel) -> lv.Fit:
    """Two skills with the features that the independent likelihood knows."""
    anchors = {"general": "mmlu", "instruction": "ifeval"}
    return lv.LatentSkillModel(anchors=anchors).fit(small_panel)


# -- against a likelihood written down independently ---------------------------------------------


class Ray:
    """The independent log-likelihood along a line through a fit's free vector."""

    def __init__(self, fit: lv.Fit, direction: np.ndarray) -> None:
        self.fit, self.direction = fit, direction

    def value(self, step: float, family: str | None = None) -> float:
        fit = self.fit
        params = fit.curvature.parameters(fit.curvature.vector + step * self.direction)
        scores, models = fit.panel.scores, fit.panel.models
        if family is not None:
            scores = scores.where(models["family"] == family, np.nan)
        return by_quadrature(params, list(fit.benchmarks), scores, models, points=20)


def directions(fit: lv.Fit, count: int) -> list[np.ndarray]:
    """Random directions, in each of which the log-likelihood falls by about one half."""
    curvature, rng = fit.curvature, np.random.default_rng(5)
    found = []
    for _ in range(count):
        u = curvature.root @ rng.standard_normal(curvature.root.shape[1])
        found.append(u / np.sqrt(u @ curvature.information @ u))
    return found


def test_the_information_is_the_curvature_of_an_independent_likelihood(
    product_fit: lv.Fit,
) -> None:
    step, top = 0.1, None
    for u in directions(product_fit, 2):
        ray = Ray(product_fit, u)
        top = ray.value(0.0) if top is None else top
        bend = (ray.value(step) - 2.0 * top + ray.value(-step)) / step**2
        assert -bend == pytest.approx(1.0, abs=2e-3)


def test_a_familys_score_is_the_slope_of_its_independent_likelihood(product_fit: lv.Fit) -> None:
    (u,) = directions(product_fit, 1)
    ray, step = Ray(product_fit, u), 1e-2
    for at in (0, 5):
        family = product_fit.families[at]
        slope = (ray.value(step, family) - ray.value(-step, family)) / (2.0 * step)
        assert product_fit.curvature.scores[at] @ u == pytest.approx(slope, abs=2e-3)


def test_family_scores_add_up_to_nothing_at_the_maximum(one_skill: lv.Fit) -> None:
    curvature = one_skill.curvature
    assert curvature.scores.shape == (40, one_skill.n_params)
    total = curvature.scores.sum(axis=0) @ curvature.root  # in standard errors
    assert np.abs(total).max() < 0.01
    assert np.abs(curvature.scores @ curvature.root).max() > 0.1


# -- laws ----------------------------------------------------------------------------------------


def test_the_sandwich_agrees_with_the_information_where_the_model_is_right() -> None:
    fit = fitted(drawn(truth(), 400))
    plain, robust = (fit.summary(kind=kind)["std_error"] for kind in KINDS)
    # Scores at the estimate are a little too small: by 19 of 400 families in the variance.
    assert (robust / plain).mean() == pytest.approx(1.0 - 0.5 * 19 / 400, abs=0.02)
    assert (robust / plain).between(0.85, 1.15).all()


@pytest.mark.parametrize("kind", KINDS)
def test_twice_the_families_halve_the_variances(kind: Covariance, one_skill: lv.Fit) -> None:
    table = one_skill.panel.to_frame()
    again = table.assign(model="again-" + table["model"], family="again-" + table["family"])
    chance = dict.fromkeys(one_skill.panel.scores.columns, 0.0)
    twice = fitted(lv.Panel.from_frame(pd.concat([table, again]), benchmarks=chance))
    ratio = np.diag(twice.cov_params(kind=kind)) / np.diag(one_skill.cov_params(kind=kind))
    np.testing.assert_allclose(ratio, 0.5, rtol=0.01)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:the sandwich of 67 families:lvkit.LvkitWarning")
def test_a_re_anchored_fit_has_the_errors_that_the_delta_method_gives(
    kind: Covariance, paper_fit: lv.Fit
) -> None:
    def re_anchored(params: lv.Parameters) -> np.ndarray:
        rows = params.loadings[[paper_fit.benchmarks.index(name) for name in OTHERS.values()]]
        spread = np.sqrt(np.diag(rows @ params.correlation @ rows.T))
        return params.loadings @ np.linalg.inv(rows / spread[:, None])

    by_delta = paper_fit.delta(re_anchored, kind=kind)["std_error"].to_numpy().reshape(12, 4)
    measured_anew = replace(paper_fit.reanchor(OTHERS))
    errors = measured_anew.summary(kind=kind)["std_error"]
    told = pd.DataFrame(by_delta, list(paper_fit.benchmarks), list(OTHERS)).stack()
    for (benchmark, skill), error in told.items():
        if benchmark in OTHERS.values() and OTHERS[skill] != benchmark:
            assert error < 1e-6  # fixed at zero
        else:
            assert errors[f"loading[{benchmark}, {skill}]"] == pytest.approx(error, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:the sandwich of 67 families:lvkit.LvkitWarning")
def test_through_other_anchors_the_errors_are_those_measured_anew(
    kind: Covariance, paper_fit: lv.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = paper_fit.curvature
    again = paper_fit.reanchor(OTHERS)
    measured = replace(again).summary(kind=kind)
    monkeypatch.setattr(standard_errors, "measure", pytest.fail)
    pd.testing.assert_frame_equal(again.summary(kind=kind), measured, rtol=1e-6)
    back = again.reanchor(paper_fit.anchors).summary(kind=kind)
    pd.testing.assert_frame_equal(back, paper_fit.summary(kind=kind), rtol=1e-6)


def test_the_chart_of_the_shape_is_the_same_through_all_anchors(complete: lv.Panel) -> None:
    panel = complete.select(models=complete.models.index[complete.models["tokens_t"].notna()])
    anchors, features = {"one": "mmlu", "other": "gsm8k"}, "log_params + log_tokens"
    fit = lv.LatentSkillModel(anchors=anchors, features=features).fit(panel)
    through = [
        fit.reanchor({"one": one, "other": other})
        for one, other in combinations(["ifeval", "mmlu", "gsm8k"], 2)
    ]
    charts = {tuple(standard_errors.objective_of(again).chart.markers) for again in through}
    assert charts == {tuple(standard_errors.objective_of(fit).chart.markers)}
    by_loadings = {tuple(choose_markers(again.loadings.to_numpy(), 2)) for again in through}
    assert len(by_loadings) > 1  # what the chart must not be chosen by


def test_what_was_measured_is_handed_over_and_the_fit_it_came_from_is_not_kept(
    small_fit: lv.Fit,
) -> None:
    fit = replace(small_fit)
    fit.summary()
    again, gone = fit.reanchor({"arc": "arc", "instruction": "ifeval"}), weakref.ref(fit)
    del fit
    gc.collect()
    assert gone() is None
    assert again.curvature.fit is again
    assert again.curvature.free is again.free_parameters


def test_units_of_the_features_do_not_matter(small_panel: lv.Panel) -> None:
    table = small_panel.to_frame()
    table["hundreds"] = np.log10(table["params_b"]) / 100.0
    chance = small_panel.benchmarks["chance"].to_dict()
    panel = lv.Panel.from_frame(table, benchmarks=chance)
    plain, scaled = (
        lv.LatentSkillModel(anchors={"general": "mmlu"}, features=name).fit(panel).summary()
        for name in (BY_SIZE, "hundreds")
    )
    factor = np.where(plain.index.str.startswith("slope["), 100.0, 1.0)
    expected = plain["std_error"].to_numpy() * factor
    np.testing.assert_allclose(scaled["std_error"], expected, rtol=1e-3)


# -- the tables hang together --------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_covariance_is_symmetric_and_its_diagonal_is_the_squared_errors(
    kind: Covariance, one_skill: lv.Fit
) -> None:
    covariance, summary = one_skill.cov_params(kind=kind), one_skill.summary(kind=kind)
    assert covariance.index.equals(summary.index)
    assert covariance.columns.tolist() == covariance.index.tolist()
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), summary["std_error"])
    assert np.linalg.eigvalsh(covariance)[0] > 0.0


def test_conf_int_is_the_summarys(one_skill: lv.Fit) -> None:
    interval = one_skill.conf_int(0.8, kind="sandwich")
    summary = one_skill.summary(0.8, kind="sandwich")
    assert interval.columns.tolist() == ["ci_lower", "ci_upper"]
    pd.testing.assert_frame_equal(interval, summary[["ci_lower", "ci_upper"]])


def test_intervals_hold_the_estimate_stay_in_range_and_grow_with_the_level(
    paper_fit: lv.Fit,
) -> None:
    summary, wide = paper_fit.summary(0.5), paper_fit.conf_int(0.9999)
    assert (summary["ci_lower"] < summary["estimate"]).all()
    assert (summary["estimate"] < summary["ci_upper"]).all()
    assert (wide["ci_lower"] < summary["ci_lower"]).all()
    assert (wide["ci_upper"] > summary["ci_upper"]).all()
    positive = [name for name in wide.index if name.startswith("precision")]
    positive += [f"loading[{b}, {skill}]" for skill, b in paper_fit.anchors.items()]
    assert (wide.loc[positive, "ci_lower"] > 0.0).all()
    correlations = wide[wide.index.str.startswith("correlation")]
    assert correlations.abs().lt(1.0).all(axis=None)


def test_intervals_without_bounds_are_as_wide_as_the_normal_distribution_says(
    one_skill: lv.Fit,
) -> None:
    row = one_skill.summary(0.95).loc["intercept[bench_3]"]
    assert row["ci_upper"] - row["estimate"] == pytest.approx(1.959964 * row["std_error"])
    assert row["estimate"] - row["ci_lower"] == pytest.approx(1.959964 * row["std_error"])


def test_the_curvature_is_measured_once(one_skill: lv.Fit) -> None:
    assert one_skill.curvature is one_skill.curvature


# -- the delta method ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_delta_of_all_free_parameters_gives_the_summarys_errors(
    kind: Covariance, one_skill: lv.Fit
) -> None:
    free = one_skill.free_parameters
    table = one_skill.delta(lambda params: pd.Series(free.values(params), free.names), kind=kind)
    summary = one_skill.summary(kind=kind)
    np.testing.assert_array_equal(table["estimate"], summary["estimate"])
    np.testing.assert_allclose(table["std_error"], summary["std_error"], rtol=1e-9)
    np.testing.assert_allclose(table["ci_lower"], table["estimate"] - 1.959964 * table["std_error"])


def test_delta_of_a_logarithm_is_the_relative_error(one_skill: lv.Fit) -> None:
    logs = one_skill.delta(lambda params: np.log(params.precisions))["std_error"]
    summary = one_skill.summary()
    rows = summary[summary.index.str.startswith("precision")]
    np.testing.assert_allclose(logs, rows["std_error"] / rows["estimate"], rtol=1e-6)


def test_delta_labels_its_rows_as_the_function_does(one_skill: lv.Fit) -> None:
    def index_of(function: Any) -> list[Any]:
        return one_skill.delta(function).index.tolist()

    assert index_of(lambda params: params.slopes[0, 0]) == [0]
    assert index_of(lambda params: float(params.precisions.sum())) == [0]
    assert index_of(lambda params: list(params.intercepts[:2])) == [0, 1]
    assert index_of(lambda params: params.loadings[:2]) == [(0, 0), (1, 0)]
    assert index_of(lambda params: pd.Series(params.intercepts[:2], ["x", "y"])) == ["x", "y"]
    assert index_of(lambda params: pd.DataFrame(params.loadings[:2], ["x", "y"], ["k"])) == [
        ("x", "k"),
        ("y", "k"),
    ]


def test_delta_of_a_frame_keeps_numbers_and_labels_together(one_skill: lv.Fit) -> None:
    def both(params: lv.Parameters) -> pd.DataFrame:
        columns = {"d": params.intercepts, "phi": params.precisions}
        return pd.DataFrame(columns, list(one_skill.benchmarks))

    table, summary = one_skill.delta(both), one_skill.summary()
    for part, name in (("d", "intercept"), ("phi", "precision")):
        row = summary.loc[f"{name}[bench_4]"]
        assert table.loc[("bench_4", part), "estimate"] == row["estimate"]
        assert table.loc[("bench_4", part), "std_error"] == pytest.approx(row["std_error"])


def test_what_is_constant_has_no_error(one_skill: lv.Fit) -> None:
    table = one_skill.delta(lambda params: [3.0, params.correlation[0, 0], params.floors[0]])
    assert table["estimate"].tolist() == pytest.approx([3.0, 1.0, 0.0])
    assert table["std_error"].max() < 1e-9
    assert table["std_error"].min() >= 0.0


# -- what the data do not determine --------------------------------------------------------------


def test_floors_at_an_end_of_their_range_are_named_and_have_no_error(
    small_panel: lv.Panel, message: Message
) -> None:
    model = lv.LatentSkillModel(n_skills=2, features=BY_SIZE, floor="estimate")
    fit = model.fit(small_panel)
    with pytest.warns(lv.LvkitWarning) as caught:
        summary = fit.summary()
    message(caught)
    lost = summary.index[~summary["determined"]]
    assert lost.tolist() == ["floor[bbh]", "floor[hellaswag]"]
    columns = ["std_error", "ci_lower", "ci_upper"]
    assert summary.loc[lost, columns].isna().all(axis=None)
    assert summary["estimate"].notna().all()
    known = summary[summary["determined"]]
    assert known.notna().all(axis=None)
    mmlu = known.loc["floor[mmlu]"]
    assert 0.0 < mmlu["ci_lower"] < mmlu["estimate"] < mmlu["ci_upper"] < 0.25
    covariance = fit.cov_params()
    assert covariance.loc[lost].isna().all(axis=None)
    assert covariance[lost].isna().all(axis=None)
    assert covariance.drop(index=lost, columns=lost).notna().all(axis=None)
    free = fit.free_parameters
    table = fit.delta(lambda params: pd.Series(free.values(params), free.names))
    np.testing.assert_allclose(table["std_error"], summary["std_error"], rtol=1e-9)
    floors = fit.delta(lambda params: pd.Series(params.floors, fit.benchmarks))
    assert floors.index[floors["std_error"].isna()].tolist() == ["bbh", "hellaswag"]


@pytest.mark.parametrize(("families", "correlation", "seed"), [(6, 0.999, 0), (10, 0.95, 1)])
def test_a_correlation_of_one_is_named_and_has_no_error(
    families: int, correlation: float, seed: int, message: Message
) -> None:
    panel = drawn(truth(n_skills=2, correlation=correlation), families, seed=seed)
    with pytest.warns(lv.LvkitWarning) as caught:
        fit = fitted(panel, n_skills=2)
    message(caught)
    assert fit.correlation.loc["first", "second"] > 0.999
    with pytest.warns(lv.LvkitWarning) as caught:
        summary = fit.summary()
    message(caught)
    assert caught[0].filename == __file__
    assert summary.index[~summary["determined"]].tolist() == ["correlation[first, second]"]
    assert np.isnan(summary.loc["correlation[first, second]", "std_error"])
    table = fit.delta(lambda params: [params.correlation[0, 1], params.precisions[0]])
    assert table.iloc[0, 1:].isna().all()
    assert table.iloc[1].notna().all()


def test_slopes_that_do_not_differ_are_named_and_have_no_error(message: Message) -> None:
    fit = fitted(drawn(truth(slope_sd=np.array([0.001])), 20), family_slopes=BY_SIZE)
    with pytest.warns(lv.LvkitWarning) as caught:
        summary = fit.summary()
    message(caught, "slope_sd")
    assert summary.index[~summary["determined"]].tolist() == ["slope_sd[first]"]
    assert fit.delta(lambda params: params.slope_sd)["std_error"].isna().all()
    assert fit.delta(lambda params: params.slopes)["std_error"].notna().all()


def test_slopes_that_differ_have_an_error_and_a_positive_interval() -> None:
    fit = fitted(drawn(truth(slope_sd=np.array([0.5])), 20), family_slopes=BY_SIZE)
    row = fit.summary().loc["slope_sd[first]"]
    assert row["determined"]
    assert 0.0 < row["ci_lower"] < 0.5 < row["ci_upper"] < 1.0


def test_a_flat_direction_takes_the_errors_of_what_it_moves_and_leaves_the_rest(
    one_skill: lv.Fit,
) -> None:
    before = one_skill.curvature
    at = one_skill.free_parameters.names.index("intercept[bench_2]")
    u = before.free_jacobian[at] / np.linalg.norm(before.free_jacobian[at])
    across = np.eye(len(u)) - np.outer(u, u)
    flat = replace(before, information=across @ before.information @ across)
    assert flat.undetermined_names == ["intercept[bench_2]"]
    assert flat.root.shape == (one_skill.n_params, one_skill.n_params - 1)
    assert np.isfinite(flat.covariance("sandwich")).all()


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95, np.nan, "0.95"])
def test_a_level_outside_zero_and_one_is_refused(
    level: Any, one_skill: lv.Fit, message: Message
) -> None:
    for ask in (
        lambda: one_skill.summary(level),
        lambda: one_skill.conf_int(level),
        lambda: one_skill.delta(lambda params: params.slopes, level),
    ):
        with refused("level", "0", "1") as error:
            ask()
        message(error)


def test_conf_int_without_a_level_is_refused(one_skill: lv.Fit, message: Message) -> None:
    with refused("level") as error:
        one_skill.conf_int(None)  # type: ignore[arg-type]
    message(error)


@pytest.mark.parametrize("kind", ["robust", None, 3, ["sandwich"]])
def test_an_unknown_kind_is_refused(kind: Any, one_skill: lv.Fit, message: Message) -> None:
    for ask in (
        lambda: one_skill.summary(kind=kind),
        lambda: one_skill.cov_params(kind=kind),
        lambda: one_skill.delta(lambda params: params.slopes, kind=kind),
    ):
        with refused("kind", "information", "sandwich") as error:
            ask()
        message(error)


def test_a_fit_that_did_not_converge_has_estimates_but_no_errors(
    one_skill: lv.Fit, message: Message
) -> None:
    stopped = replace(one_skill, converged=False, message="step limit reached")
    for ask in (stopped.summary, stopped.conf_int, stopped.cov_params):
        with refused() as error:
            ask()
        message(error)
    with refused() as error:
        stopped.delta(lambda params: params.slopes)
    message(error)
    assert stopped.summary(level=None).equals(one_skill.summary()[["estimate"]])


@pytest.mark.parametrize(
    "value", ["high", None, np.nan, [1.0, np.inf], [], {"a": 1.0}, [[1.0], [1.0, 2.0]]]
)
def test_a_function_that_returns_no_numbers_is_refused(
    value: Any, one_skill: lv.Fit, message: Message
) -> None:
    with refused("delta") as error:
        one_skill.delta(lambda params: value)
    message(error)


def test_the_sandwich_of_too_few_families_is_singular_and_says_so(
    small_fit: lv.Fit, message: Message
) -> None:
    with pytest.warns(lv.LvkitWarning) as caught:
        covariance = small_fit.cov_params(kind="sandwich")
    message(caught, "12", "27", "11")
    assert caught[0].filename == __file__
    scaled = covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.sum(np.linalg.eigvalsh(scaled) > 1e-4) == 11
    assert (np.diag(covariance) > 0.0).all()


def test_draws_of_the_parameters_are_mirrored_around_the_estimate_and_kept(
    small_fit: lv.Fit,
) -> None:
    curvature = small_fit.curvature
    drawn = curvature.draws(5, 3)
    assert len(drawn) == 6
    assert curvature.draws(6, 3) is drawn
    centre = (drawn[0].intercepts + drawn[1].intercepts) / 2.0
    np.testing.assert_allclose(centre, small_fit.frame.intercepts, atol=1e-9)
    assert np.abs(drawn[0].intercepts - drawn[2].intercepts).max() > 1e-3
